"""Events delivered from the outbox of PostgreSQL records: at least once, in order within a partition, over many hosts.

One process delivers to a subscriber at a time: whoever holds its advisory lock, which the server releases with the
connection, however that ends. Others stand by and take over, at once when a process dies, within 25 seconds when its
host falls silent. Progress is written over the very connection that holds the lock, so who has lost the lock cannot
write any. Commits of this process are delivered at once, those of others when they notify, or after a second.

A process whose connection is lost stops delivering and begins again with a new one: what it had not written down comes
again, from wherever it is delivered then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from strata.adapters._postgres import LOST, farewell, within
from strata.adapters.bus._kinds import names
from strata.adapters.bus._subscription import Stored, Subscription
from strata.adapters.records._statements import statements
from strata.adapters.records.postgres import PostgresRecords
from strata.errors import Deadline, Misconfigured, StrataError, Unavailable
from strata.events import Event
from strata.ports.bus import Handler
from strata.ports.records import Records

log = logging.getLogger(__name__)

SQL = statements(__package__, "postgres.sql")
LOOK = 1.0
"""Seconds after which a process looks at the outbox, and for leases that have become free, without being told."""

AGAIN = 0.25
ANSWER = 5.0
"""Seconds in which the server must answer the connection of the leases; less than it waits for a silent client."""

GRACE = 5.0
DRAIN_PAUSE = 0.02


@dataclass(slots=True, eq=False)
class Subscriber:
    """One who listens. `subscription` delivers while this process leads; `entered` is done once it is in the store."""

    name: str
    kinds: frozenset[str]
    handler: Handler
    batch: int
    entered: asyncio.Future[None]
    subscription: Subscription | None = None
    delivering: asyncio.Task[None] | None = None


@dataclass(slots=True, eq=False)
class Line:
    """The one connection of this process that holds its leases; one statement at a time."""

    connection: Any
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def fetchval(self, sql: str, *arguments: object) -> Any:
        async with self.busy:
            return await within(self.connection, self.connection.fetchval(sql, *arguments), _soon())

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Line]:
        """Several statements, all or none."""
        async with self.busy:
            try:
                await within(self.connection, self.connection.execute("BEGIN"), _soon())
                yield self
                await within(self.connection, self.connection.execute("COMMIT"), _soon())
            except BaseException:
                self.connection.terminate()  # with it go the leases: nobody delivers whose progress cannot be written
                raise

    async def execute(self, sql: str, *arguments: object) -> None:
        """A statement of the transaction."""
        await within(self.connection, self.connection.execute(sql, *arguments), _soon())


@dataclass(frozen=True, slots=True)
class PostgresOutbox:
    """The outbox beside the records of one schema. Reads come from any connection, progress goes over the line."""

    records: PostgresRecords
    line: Line

    async def cursor(self, name: str) -> int:
        ((cursor,),) = await self.records.readers.fetch(SQL["cursor"], name)
        return int(cursor)

    async def events(self, after: int, limit: int) -> Sequence[tuple[int, str, str, bytes]]:
        return await self.records.readers.fetch(SQL["events"], after, limit)

    async def parked_partitions(self, name: str) -> list[str]:
        return [partition for (partition,) in await self.records.readers.fetch(SQL["parked_partitions"], name)]

    async def parked_events(self, name: str, partition: str, limit: int) -> list[Stored]:
        return await self.records.readers.fetch(SQL["parked_events"], name, partition, limit)

    async def first_parked(self, name: str) -> int | None:
        ((first,),) = await self.records.readers.fetch(SQL["first_parked"], name)
        return None if first is None else int(first)

    async def save(
        self, name: str, cursor: int, to_park: Mapping[str, Sequence[int]], to_unpark: Sequence[tuple[str, int]]
    ) -> None:
        parked = [(partition, sequence) for partition, some in to_park.items() for sequence in some]
        try:
            async with self.line.transaction() as line:
                for sql, events in ((SQL["park"], parked), (SQL["unpark"], to_unpark)):
                    if events:
                        await line.execute(sql, name, [one[0] for one in events], [one[1] for one in events])
                await line.execute(SQL["advance"], name, cursor)
                await line.execute(SQL["prune"])
        except (*LOST, asyncpg.PostgresError) as error:
            place = self.records.server
            raise Unavailable(f"progress cannot be written to {place.place}: {place.told(error)}") from error


class PostgresBus:
    """A bus over the records of one schema."""

    def __init__(self, records: PostgresRecords) -> None:
        self.records = records
        self.subscribers: dict[str, Subscriber] = {}
        self._running: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._look = asyncio.Event()

    def subscribe(self, name: str, kinds: Sequence[type[Event]], handler: Handler, *, batch: int = 100) -> None:
        if self._running is not None:
            raise RuntimeError("subscribe before the bus is started")

        async def enter(connection: Any) -> None:
            await connection.execute(SQL["enter"], name)

        entered = self.records.ask(enter)  # whatever this process commits from now on is written after it
        self.subscribers[name] = Subscriber(name, names(kinds), handler, batch, entered)

    async def start(self) -> None:
        if self._running is None:
            await self._entered()
            self.records.listeners.append(self._wake)
            self._running = asyncio.create_task(self._run())

    async def drain(self, timeout: float = 30.0) -> None:
        await self._entered()
        ((head,),) = await self.records.readers.fetch(SQL["head"])
        try:
            async with asyncio.timeout(timeout):
                for subscriber in self.subscribers.values():
                    while not await self._handled(subscriber, head):  # noqa: ASYNC110 - another process may lead
                        await asyncio.sleep(DRAIN_PAUSE)
        except TimeoutError:
            raise Deadline(f"events still wait after {timeout:g} s: {await self.backlog()}") from None

    async def backlog(self) -> dict[str, int]:
        await self._entered()
        waiting = {}
        for name, subscriber in self.subscribers.items():
            await self._save(subscriber)
            ((waiting[name],),) = await self.records.readers.fetch(SQL["waiting"], name, sorted(subscriber.kinds))
        return waiting

    async def close(self) -> None:
        if self._wake in self.records.listeners:
            self.records.listeners.remove(self._wake)
        self._closing.set()
        self._look.set()
        if self._running is not None:
            await asyncio.wait([self._running])
            self._running = None

    # ------------------------------------------------------------------ progress

    async def _entered(self) -> None:
        for subscriber in self.subscribers.values():
            await asyncio.shield(subscriber.entered)

    async def _save(self, subscriber: Subscriber) -> None:
        if subscriber.subscription is not None:
            try:
                await subscriber.subscription.save()
            except Unavailable as error:
                log.warning("the progress of %s is not saved yet: %s", subscriber.name, error)

    async def _handled(self, subscriber: Subscriber, head: int) -> bool:
        await self._save(subscriber)
        outbox = PostgresOutbox(self.records, Line(None))
        parked = await outbox.first_parked(subscriber.name)
        return await outbox.cursor(subscriber.name) >= head and (parked is None or parked > head)

    # ------------------------------------------------------------------ delivering

    def _wake(self, *_: object) -> None:
        for subscriber in self.subscribers.values():
            if subscriber.subscription is not None:
                subscriber.subscription.wake()

    async def _run(self) -> None:
        server = self.records.server
        while not self._closing.is_set():
            try:
                connection = await server.connect("deliveries", _soon())
            except (*LOST, asyncpg.PostgresError) as error:
                log.warning("events wait: %s cannot be reached: %s", server.place, server.told(error))
                await self._pause(LOOK)
                continue
            try:
                await self._serve(connection)
            except (*LOST, asyncpg.PostgresError) as error:
                log.warning("the deliveries from %s begin anew: %s", server.place, server.told(error))
                await self._pause(AGAIN)
            except Exception:
                log.exception("the deliveries from %s begin anew", server.place)
                await self._pause(AGAIN)
            finally:
                await self._leave(lost=connection.is_closed())
                await farewell(connection)

    async def _serve(self, connection: Any) -> None:
        """Lead what nobody else leads, until the connection is lost or the bus is closed."""
        line = Line(connection)
        connection.add_termination_listener(lambda _: self._look.set())
        await within(connection, connection.add_listener(self.records.server.channel, self._wake), _soon())
        while not self._closing.is_set():
            for subscriber in self.subscribers.values():
                leading = subscriber.subscription is not None
                if leading or await line.fetchval(SQL["lead"], self.records.server.key(f"lead/{subscriber.name}")):
                    self._lead(subscriber, line)
            await line.fetchval("SELECT 1")  # a connection that does not answer is lost, and its leases with it
            self._wake()
            await self._pause(LOOK)

    def _lead(self, subscriber: Subscriber, line: Line) -> None:
        if subscriber.subscription is None:
            outbox = PostgresOutbox(self.records, line)
            subscriber.subscription = Subscription(
                outbox, subscriber.name, subscriber.kinds, subscriber.handler, subscriber.batch
            )
            subscriber.delivering = asyncio.create_task(_deliver(subscriber.name, subscriber.subscription))

    async def _leave(self, *, lost: bool) -> None:
        """Stop delivering: in good order, or at once where another process may already have taken over."""
        for subscriber in self.subscribers.values():
            if subscriber.delivering is not None:
                subscriber.delivering.cancel()
                await asyncio.gather(subscriber.delivering, return_exceptions=True)
        stopping = [
            one.subscription.stop(0 if lost else GRACE) for one in self.subscribers.values() if one.subscription
        ]
        await asyncio.gather(*stopping)
        for subscriber in self.subscribers.values():
            subscriber.subscription = subscriber.delivering = None

    async def _pause(self, seconds: float) -> None:
        """Wait, but not once the connection is lost or the bus is closed."""
        try:
            async with asyncio.timeout(0.01 if self._closing.is_set() else seconds):
                await self._look.wait()
        except TimeoutError:
            pass
        self._look.clear()


async def _deliver(name: str, subscription: Subscription) -> None:
    while True:
        try:
            await subscription.run()
        except StrataError as error:
            log.warning("%s cannot go on, trying again: %s", name, error)
        except Exception:
            log.exception("%s cannot go on; trying again", name)
        await asyncio.sleep(AGAIN)


def _soon() -> float:
    return asyncio.get_running_loop().time() + ANSWER


async def make(address: str = "", *, home: Path | None = None, records: Records) -> PostgresBus:
    """A bus over these PostgreSQL records; the address is theirs."""
    if not isinstance(records, PostgresRecords):
        raise Misconfigured("the postgres bus works over postgres records only: set both to the same scheme")
    return PostgresBus(records)
