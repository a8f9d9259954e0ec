"""Records kept in this process: for tests and trials, gone when it ends."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from strata.adapters.records._changes import NOTHING, Cell, Place, applied, decoded, prepared
from strata.errors import Unavailable
from strata.events import Event
from strata.ports.records import Change, Record


@dataclass(slots=True)
class Progress:
    """What one subscriber still has to handle: encoded events by partition, in the order of their commits."""

    kinds: frozenset[str]
    waiting: dict[str, deque[bytes]] = field(default_factory=lambda: defaultdict(deque))


@dataclass(slots=True)
class MemoryRecords:
    """Two dictionaries, and the outbox that the memory bus reads. `listeners` are called after commits with events."""

    cells: dict[Place, Cell] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    progress: dict[str, Progress] = field(default_factory=dict)
    listeners: list[Callable[[], None]] = field(default_factory=list)
    closed: bool = False

    async def get(self, partition: str, key: str) -> Record | None:
        cell = self._standing((partition, key))
        return Record(partition, key, decoded(cell.data), cell.version) if cell.version else None

    async def query(
        self, partition: str, prefix: str = "", *, after: str | None = None, limit: int = 1000, reverse: bool = False
    ) -> list[Record]:
        self._must_be_open()
        keys = self.keys.get(partition, [])
        matching = [key for key in keys[bisect_left(keys, prefix) :] if key.startswith(prefix)]
        if reverse:
            matching.reverse()
        if after is not None:
            matching = [key for key in matching if (key < after if reverse else key > after)]
        cells = ((key, self.cells[partition, key]) for key in matching[: max(limit, 0)])
        return [Record(partition, key, decoded(cell.data), cell.version) for key, cell in cells]

    async def commit(self, *changes: Change, events: Sequence[Event] = (), durable: bool = True) -> None:
        self._must_be_open()
        commit = prepared(changes, events)
        for place, cell in applied(commit, self._standing).items():
            self._set(place, cell)
        for partition, kind, data in commit.events:
            for progress in self.progress.values():
                if kind in progress.kinds:
                    progress.waiting[partition].append(data)
        if commit.events:
            for tell in self.listeners:
                tell()

    async def close(self) -> None:
        self.closed = True

    def _standing(self, place: Place) -> Cell:
        self._must_be_open()
        return self.cells.get(place, NOTHING)

    def _set(self, place: Place, cell: Cell) -> None:
        partition, key = place
        if cell.version:
            if place not in self.cells:
                insort(self.keys[partition], key)
            self.cells[place] = cell
        elif self.cells.pop(place, None):
            self.keys[partition].remove(key)

    def _must_be_open(self) -> None:
        if self.closed:
            raise Unavailable("these records are closed")


async def make(address: str = "", *, home: Path | None = None) -> MemoryRecords:
    """A new, empty store; the address is not used."""
    return MemoryRecords()
