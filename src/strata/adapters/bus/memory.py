"""Events delivered within this process from the memory records' outbox: for tests and trials."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from strata.adapters.bus._kinds import names, pause
from strata.adapters.records.memory import MemoryRecords, Progress
from strata.errors import Deadline, Misconfigured
from strata.events import Event, decode
from strata.ports.bus import Handler
from strata.ports.records import Records

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Subscription:
    """One subscriber of this bus, with the partitions whose delivery is under way."""

    name: str
    handler: Handler
    batch: int
    progress: Progress
    lanes: dict[str, asyncio.Task[None]] = field(default_factory=dict)


@dataclass(slots=True)
class MemoryBus:
    """One asyncio task for each partition that has something waiting."""

    records: MemoryRecords
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    started: bool = False
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def subscribe(self, name: str, kinds: Sequence[type[Event]], handler: Handler, *, batch: int = 100) -> None:
        if self.started:
            raise RuntimeError("subscribe before the bus is started")
        progress = self.records.progress.setdefault(name, Progress(frozenset()))
        progress.kinds = names(kinds)
        self.subscriptions[name] = Subscription(name, handler, batch, progress)

    async def start(self) -> None:
        if not self.started:
            self.started = True
            self.records.listeners.append(self._wake)
            self._wake()

    async def drain(self, timeout: float = 30.0) -> None:
        targets = [
            (subscription, partition, list(waiting)[-1])
            for subscription in self.subscriptions.values()
            for partition, waiting in subscription.progress.waiting.items()
            if waiting
        ]
        try:
            async with asyncio.timeout(timeout):
                while any(last in sub.progress.waiting.get(partition, ()) for sub, partition, last in targets):
                    self.moved.clear()
                    await self.moved.wait()
        except TimeoutError:
            raise Deadline(f"events still wait after {timeout:g} s: {await self.backlog()}") from None

    async def backlog(self) -> dict[str, int]:
        return {
            name: sum(len(waiting) for waiting in subscription.progress.waiting.values())
            for name, subscription in self.subscriptions.items()
        }

    async def close(self) -> None:
        if self.started:
            self.started = False
            self.records.listeners.remove(self._wake)
        tasks = [task for subscription in self.subscriptions.values() for task in subscription.lanes.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wake(self) -> None:
        for subscription in self.subscriptions.values():
            for partition, waiting in subscription.progress.waiting.items():
                if waiting and partition not in subscription.lanes:
                    task = asyncio.get_running_loop().create_task(self._deliver(subscription, partition, waiting))
                    subscription.lanes[partition] = task

    async def _deliver(self, subscription: Subscription, partition: str, waiting: Sequence[bytes]) -> None:
        attempts = 0
        try:
            while waiting:
                try:
                    events = [decode(data) for data in islice(waiting, subscription.batch)]
                    await subscription.handler(events)
                except Exception:
                    attempts += 1
                    log.exception("%s failed on %s, attempt %d", subscription.name, partition, attempts)
                    await asyncio.sleep(pause(attempts))
                else:
                    attempts = 0
                    for _ in events:
                        subscription.progress.waiting[partition].popleft()
                    self.moved.set()
        finally:
            del subscription.lanes[partition]
            if not waiting:
                subscription.progress.waiting.pop(partition, None)


async def make(address: str = "", *, home: Path | None = None, records: Records) -> MemoryBus:
    """A bus over memory records; the address is not used."""
    if not isinstance(records, MemoryRecords):
        raise Misconfigured("the memory bus works over memory records only: set both to the same scheme")
    return MemoryBus(records)
