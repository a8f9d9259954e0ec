"""Permits that all processes share: so many requests or tokens in a window of time, and so many calls at once.

A process takes permits in blocks from a record in the store, which can never hold more than the limit, and gives them
out from memory: the sum over all processes never passes the limit, and most calls write nothing. What lies unused for
`IDLE` seconds goes back. A limit below `PARTS` is taken one by one, so that small limits are exact. A window begins with
its first call. Nothing here waits for a disk: after a power cut a window may begin anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field

from strata.errors import Conflict, StrataError
from strata.ports.records import Add, Delete, LimitReached, Put, Record, Records
from strata.types import Json

log = logging.getLogger(__name__)

PARTS = 64
"""A block is this part of a limit, so that a window costs each process about as many writes at the most."""

IDLE = 1.0
"""Seconds after which permits that nobody used go back to the store."""

AGAIN = 0.1
"""Seconds for which a quota that was found used up is not looked at again."""


TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Store:
    """Where permits are kept: a partition of records, and this process's name in it."""

    records: Records
    partition: str
    process: str
    clock: Callable[[], float]
    work: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    def later(self, seconds: float, work: Callable[[], Coroutine[None, None, None]]) -> asyncio.TimerHandle:
        """Do something in a while, beside everything else; where the store is away it is left."""
        return asyncio.get_running_loop().call_later(seconds, self._beside, work)

    def _beside(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        task = asyncio.get_running_loop().create_task(_quietly(work))
        self.work.add(task)
        task.add_done_callback(self.work.discard)


@dataclass(slots=True, eq=False)
class Window:
    """A quota of `limit` units in `seconds`. `left` are permits in hand, good until the moment `until`; `used` is what
    all processes had taken when this one last looked. It does not look for `refused` permits or more again before
    `full_until`.
    """

    store: Store
    key: str
    unit: str
    limit: int
    seconds: float
    left: int = 0
    until: float = 0.0
    used: int = 0
    full_until: float = 0.0
    refused: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    _timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    def quick(self, amount: int, at: float) -> bool:
        """Take permits that are in hand."""
        if at < self.until and self.left >= amount:
            self.left -= amount
            return True
        return False

    async def take(self, amount: int) -> bool:
        """Take permits, from the store if need be; False when there are not so many in this window."""
        async with self._lock:
            while True:
                at = self.store.clock()
                if self.quick(amount, at):
                    return True
                if amount > self.limit or (at < min(self.until, self.full_until) and amount >= self.refused):
                    return False
                if at >= self.until and not await self._entered(amount, at):
                    continue
                if self.left >= amount:
                    continue
                if not await self._more(amount):
                    self.full_until, self.refused = at + AGAIN, amount
                    return False

    def back(self, amount: int, until: float) -> None:
        """Permits of the window that ends at `until` were not needed; a negative amount was needed besides."""
        if until == self.until:
            self.left += amount
            self.full_until = 0.0
            self._later()

    @property
    def remaining(self) -> int:
        """What is left in this window, as far as it is known here."""
        return max(self.limit - self.used + self.left, 0)

    def wait(self, at: float) -> float:
        """Seconds until the next window."""
        return max(self.until - at, 0.0)

    async def give_back(self) -> None:
        """Put what is in hand back into the store, if its window has not ended."""
        async with self._lock:
            left, self.left = self.left, 0
            if left <= 0:
                self.left = left
                return
            for _ in range(10):
                record = await self.store.records.get(self.store.partition, self.key)
                if record is None or _end(record, self.seconds) != self.until:
                    return
                self.used = record.value["used"] - left
                try:
                    await self._put({**record.value, "used": self.used}, record.version)
                except Conflict:
                    continue
                return

    async def _entered(self, amount: int, at: float) -> bool:
        """Look at the window of now, or begin it; False when somebody else just did."""
        record = await self.store.records.get(self.store.partition, self.key)
        self.left, self.full_until = 0, 0.0
        if record is not None and at < _end(record, self.seconds):
            self.until, self.used = _end(record, self.seconds), int(record.value["used"])
            return True
        block = self._block(amount)
        try:
            value: Json = {"began": at, "used": block, "seconds": self.seconds}
            await self._put(value, record.version if record else 0)
        except Conflict:
            return False
        self.until, self.used, self.left = at + self.seconds, block, block
        self._later()
        return True

    async def _more(self, amount: int) -> bool:
        """Take another block, or what is left of the window."""
        block = self._block(amount - self.left)
        for _ in range(10):
            try:
                await whole(self._taken(block))
            except LimitReached as error:
                self.used = error.value
                block = self.limit - error.value
                if block <= 0 or block + self.left < amount:
                    return False
                continue
            return True
        return False

    async def _taken(self, block: int) -> None:
        add = Add(self.store.partition, self.key, "used", block, ceiling=self.limit)
        await self.store.records.commit(add, durable=False)
        self.used += block
        self.left += block
        self._later()

    def _block(self, amount: int) -> int:
        return min(max(amount, self.limit // PARTS), self.limit)

    async def _put(self, value: Json, version: int) -> None:
        await self.store.records.commit(Put(self.store.partition, self.key, value, version=version), durable=False)

    def _later(self) -> None:
        if self._timer is None and self.left > 0:
            self._timer = self.store.later(IDLE, self._idle)

    async def _idle(self) -> None:
        self._timer = None
        await self.give_back()


@dataclass(slots=True, eq=False)
class Slots:
    """At most `limit` calls at once over all processes: `granted` of them may be here, `taken` are."""

    store: Store
    key: str
    limit: int
    granted: int = 0
    taken: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    _timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    def quick(self) -> bool:
        if self.taken < self.granted:
            self.taken += 1
            return True
        return False

    async def take(self) -> bool:
        """A place for one call; False when all are taken."""
        async with self._lock:
            if self.quick():
                return True
            more = min(max(self.granted, 1), max(self.limit // PARTS, 1))
            while more > 0:
                try:
                    await whole(self._grown(more))
                except LimitReached as error:
                    more = self.limit - error.value
                    continue
                return self.quick()
            return False

    def leave(self) -> None:
        self.taken -= 1
        self._later()

    def _later(self) -> None:
        if self._timer is None:
            self._timer = self.store.later(IDLE, self._idle)

    async def _grown(self, more: int) -> None:
        await self._commit(more)
        self.granted += more
        self._later()

    async def give_back(self) -> None:
        async with self._lock:
            spare = self.granted - self.taken
            if spare <= 0:
                return
            self.granted -= spare
            with contextlib.suppress(LimitReached):  # where this process was taken for dead, another has done it
                await whole(self._commit(-spare))

    async def _commit(self, more: int) -> None:
        place, key = self.store.partition, self.key
        ceiling, floor = (self.limit, None) if more > 0 else (None, 0)
        await self.store.records.commit(
            Add(place, key, TOTAL, more, ceiling, floor),
            Add(place, key, self.store.process, more, None, floor),
            durable=False,
        )

    async def _idle(self) -> None:
        self._timer = None
        await self.give_back()


async def reclaim(store: Store, alive: Callable[[str], Awaitable[bool]]) -> int:
    """Give back the places of processes that are dead; returns how many."""
    count = 0
    for record in await store.records.query(store.partition, "slots/"):
        for process, held in record.value.items():
            if process == TOTAL or held <= 0 or await alive(process):
                continue
            place = record.partition, record.key
            try:
                await store.records.commit(
                    Add(*place, TOTAL, -held, floor=0), Add(*place, process, -held, floor=0), durable=False
                )
            except LimitReached:
                continue  # somebody else was quicker
            count += held
    return count


async def tidy(store: Store) -> None:
    """Remove windows that are over."""
    at = store.clock()
    for record in await store.records.query(store.partition, "window/"):
        if at >= _end(record, record.value.get("seconds", 0.0)):
            with contextlib.suppress(Conflict):
                await store.records.commit(Delete(record.partition, record.key, record.version), durable=False)


def _end(record: Record, seconds: float) -> float:
    return float(record.value.get("began", 0.0)) + seconds


_running: set[asyncio.Task[None]] = set()


async def whole(work: Coroutine[None, None, None]) -> None:
    """Do something to its end, also when whoever waits for it leaves in the middle, who need not wait for that."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        _running.add(task)
        task.add_done_callback(_forgotten)
        raise


def _forgotten(task: asyncio.Task[None]) -> None:
    """Nobody is left to be told how it ended."""
    _running.discard(task)
    if not task.cancelled():
        task.exception()


async def _quietly(work: Callable[[], Coroutine[None, None, None]]) -> None:
    try:
        await work()
    except StrataError as error:
        log.warning("permits could not be given back: %s", error)
