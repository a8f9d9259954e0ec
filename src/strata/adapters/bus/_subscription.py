"""One subscriber of a durable bus: reads the outbox, hands events to the handler, and remembers how far it has come."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from strata.adapters.bus._kinds import pause
from strata.errors import StrataError
from strata.events import decode
from strata.ports.bus import Handler

log = logging.getLogger(__name__)

LANES = 8
PAGE = 500
WINDOW = 20_000
SAVE_AFTER = 0.1
LOOK_AGAIN = 0.02
PACE = 0.005

Stored = tuple[int, bytes]


class Outbox(Protocol):
    """The events of one store in the order of their commits, and how far each subscriber has come.

    Raises `Unavailable`. `save` raises too where this process may no longer deliver to the subscriber.
    """

    async def cursor(self, name: str) -> int:
        """Everything up to here has been read, and is handled or parked."""
        ...

    async def events(self, after: int, limit: int) -> Sequence[tuple[int, str, str, bytes]]:
        """The events past a number: number, partition, kind, event."""
        ...

    async def parked_partitions(self, name: str) -> Sequence[str]: ...

    async def parked_events(self, name: str, partition: str, limit: int) -> list[Stored]:
        """What a partition that has failed still waits for, in order."""
        ...

    async def first_parked(self, name: str) -> int | None: ...

    async def save(
        self,
        name: str,
        cursor: int,
        to_park: Mapping[str, Sequence[int]],
        to_unpark: Sequence[tuple[str, int]],
    ) -> None:
        """Write down how far a subscriber has come, and remove what every subscriber has handled."""
        ...


class Subscription:
    """The delivery to one handler. `run` delivers until it is cancelled; only one process may run it at a time."""

    def __init__(self, outbox: Outbox, name: str, kinds: frozenset[str], handler: Handler, batch: int) -> None:
        self.outbox = outbox
        self.name = name
        self.kinds = kinds
        self.handler = handler
        self.batch = batch
        self._leading = False
        self._closing = False
        self._read_to = 0
        self._lanes: dict[str, deque[Stored]] = {}
        self._ready: deque[str] = deque()
        self._open: deque[int] = deque()
        self._done: set[int] = set()
        self._parked: dict[str, int] = {}  # partitions that have failed, and how often in a row
        self._to_park: dict[str, list[int]] = {}
        self._to_unpark: list[tuple[str, int]] = []
        self._workers: set[asyncio.Task[None]] = set()
        self._saved = -1
        self._save_timer: asyncio.TimerHandle | None = None
        self._saving = asyncio.Lock()
        self._savers: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._looked_at = 0.0
        self._paced = False
        self._moved = asyncio.Event()

    def wake(self) -> None:
        """Something may wait in the outbox: look at once, or a moment after the last look, so that a stream of single
        commits is taken in small batches.
        """
        loop = asyncio.get_running_loop()
        wait = self._looked_at + PACE - loop.time()
        if wait <= 0:
            self._wake.set()
        elif not self._paced:
            self._paced = True
            loop.call_later(wait, self._look)

    def _look(self) -> None:
        self._paced = False
        self._wake.set()

    async def run(self) -> None:
        """Deliver, from where this subscriber was left."""
        if not self._leading:
            self._read_to = await self.outbox.cursor(self.name)
            for partition in await self.outbox.parked_partitions(self.name):
                self._parked[partition] = 0
                self._ready.append(partition)
            self._leading = True
        while True:
            self._wake.clear()
            self._looked_at = asyncio.get_running_loop().time()
            more = await self._take()
            self._employ()
            if more:
                await asyncio.sleep(0)
            else:
                await self._wake.wait()

    async def stop(self, grace: float) -> None:
        """Let the handlers that are running finish within `grace` seconds, cancel the rest, and save."""
        self._closing = True
        if self._workers:
            await asyncio.wait(self._workers, timeout=grace)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, *self._savers, return_exceptions=True)
        if self._save_timer is not None:
            self._save_timer.cancel()
        try:
            await self.save()
        except StrataError:
            log.exception("the progress of %s is not saved; it will see some events again", self.name)

    async def handled(self, head: int) -> bool:
        """Whether everything up to `head` has been handled, by whichever process leads."""
        await self.save()
        cursor = await self.outbox.cursor(self.name)
        parked = await self.outbox.first_parked(self.name)
        return bool(cursor >= head and (parked is None or parked > head))

    async def moved(self) -> None:
        """Wait until there has been progress, or for a moment where another process leads."""
        self._moved.clear()
        try:
            async with asyncio.timeout(LOOK_AGAIN):
                await self._moved.wait()
        except TimeoutError:
            pass

    # ------------------------------------------------------------------ from the outbox into lanes

    async def _take(self) -> bool:
        """Read what is new, one page; True if there may be more."""
        if self._in_hand() >= WINDOW:
            return False
        rows = await self.outbox.events(self._read_to, PAGE)
        for sequence, partition, kind, event in rows:
            self._read_to = sequence
            if kind not in self.kinds:
                continue
            if partition in self._parked:
                self._to_park.setdefault(partition, []).append(sequence)
                continue
            self._open.append(sequence)
            lane = self._lanes.get(partition)
            if lane is None:
                lane = self._lanes[partition] = deque()
                self._ready.append(partition)
            lane.append((sequence, event))
        if rows:
            self._save_soon()
        return len(rows) == PAGE

    def _in_hand(self) -> int:
        """Events that were read and are not handled yet."""
        return len(self._open) - len(self._done)

    def _employ(self) -> None:
        while self._ready and len(self._workers) < LANES:
            worker = asyncio.create_task(self._serve(self._ready.popleft()))
            self._workers.add(worker)
            worker.add_done_callback(self._left)

    def _left(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        if self._ready or self._in_hand() + LANES * self.batch >= WINDOW:
            self._wake.set()

    async def _serve(self, first: str) -> None:
        partition: str | None = first
        while partition is not None:
            if partition in self._parked:
                await self._retry(partition)
            else:
                await self._deliver(partition, self._lanes[partition])
            partition = self._ready.popleft() if self._ready and not self._closing else None

    # ------------------------------------------------------------------ from lanes to the handler

    async def _deliver(self, partition: str, lane: deque[Stored]) -> None:
        while lane and not self._closing:
            stored = [lane[n] for n in range(min(self.batch, len(lane)))]
            if not await self._hand(partition, stored, 1):
                self._park(partition, lane)
                return
            for sequence, _ in stored:
                lane.popleft()
                self._done.add(sequence)
            self._progressed()
        if not lane:
            del self._lanes[partition]

    async def _hand(self, partition: str, stored: list[Stored], attempt: int) -> bool:
        try:
            await self.handler([decode(event) for _, event in stored])
        except (Exception, asyncio.CancelledError):
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            log.exception("%s failed on %s, attempt %d; its other partitions go on", self.name, partition, attempt)
            return False
        return True

    def _park(self, partition: str, lane: deque[Stored]) -> None:
        sequences = [sequence for sequence, _ in lane]
        self._to_park.setdefault(partition, []).extend(sequences)
        self._done.update(sequences)
        del self._lanes[partition]
        self._parked[partition] = 1
        self._later(partition)
        self._progressed()

    def _later(self, partition: str) -> None:
        """Try a parked partition again, after a pause that grows with its failures."""
        attempts = self._parked[partition]

        def again() -> None:
            self._ready.append(partition)
            self._wake.set()

        asyncio.get_running_loop().call_later(pause(attempts) if attempts else 0, again)

    async def _retry(self, partition: str) -> None:
        try:
            async with self._saving:  # what is parked meanwhile is still in `_to_park` when the rows are looked at
                await self._save()
                rows = await self.outbox.parked_events(self.name, partition, self.batch)
        except StrataError:
            log.exception("what %s parked cannot be read", self.name)
            self._parked[partition] += 1
            self._later(partition)
            return
        if not rows and partition not in self._to_park:
            del self._parked[partition]
            self._moved.set()
            return
        if rows:
            if await self._hand(partition, rows, self._parked[partition] + 1):
                self._parked[partition] = 0
                self._to_unpark += [(partition, sequence) for sequence, _ in rows]
            else:
                self._parked[partition] += 1
        self._later(partition)
        self._progressed()

    # ------------------------------------------------------------------ progress

    def _progressed(self) -> None:
        self._moved.set()
        self._save_soon()

    def _save_soon(self) -> None:
        if self._save_timer is None and not self._closing:
            self._save_timer = asyncio.get_running_loop().call_later(SAVE_AFTER, self._start_saving)

    def _start_saving(self) -> None:
        self._save_timer = None
        saver = asyncio.create_task(self._save_quietly())
        self._savers.add(saver)
        saver.add_done_callback(self._savers.discard)

    async def _save_quietly(self) -> None:
        try:
            await self.save()
        except StrataError:
            log.exception("the progress of %s is not saved; trying again", self.name)
            self._save_soon()

    async def save(self) -> None:
        """Write down how far this subscriber has come."""
        async with self._saving:
            await self._save()

    async def _save(self) -> None:
        cursor = self._cursor()
        if not self._leading or (cursor == self._saved and not self._to_park and not self._to_unpark):
            return
        to_park, self._to_park = self._to_park, {}
        to_unpark, self._to_unpark = self._to_unpark, []
        try:
            await self.outbox.save(self.name, cursor, to_park, to_unpark)
        except BaseException:
            for partition, sequences in to_park.items():
                self._to_park[partition] = sequences + self._to_park.get(partition, [])
            self._to_unpark = to_unpark + self._to_unpark
            raise
        self._saved = cursor

    def _cursor(self) -> int:
        while self._open and self._open[0] in self._done:
            self._done.discard(self._open.popleft())
        return self._open[0] - 1 if self._open else self._read_to
