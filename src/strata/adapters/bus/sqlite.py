"""Events delivered from the outbox of SQLite records: at least once, in order within a partition, through kill -9.

One process delivers to a subscriber at a time: whoever holds the lock on the subscriber's lease file, which the system
releases when the process ends, however it ends. Others stand by. A commit in this process is delivered at once, one of
another process after a tenth of a second. Up to eight partitions of a subscriber are handled at the same time.

Progress is a cursor for each subscriber, written a few times a second: what was handled since then comes again after a
crash. A partition whose handler fails is parked: its events are set aside in a table, so the cursor goes on without them.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from strata.adapters.bus._kinds import names
from strata.adapters.bus._subscription import Stored, Subscription
from strata.adapters.records._statements import statements
from strata.adapters.records.sqlite import PATIENCE, SqliteRecords, begin
from strata.errors import Deadline, Misconfigured, Unavailable
from strata.events import Event
from strata.ports.bus import Handler
from strata.ports.records import Records

log = logging.getLogger(__name__)

SQL = statements(__package__, "sqlite.sql")
POLL = 0.1
STANDBY = 0.25
GRACE = 5.0


@dataclass(frozen=True, slots=True)
class SqliteOutbox:
    """The outbox beside the records of one file; whoever saves holds the subscriber's lease."""

    records: SqliteRecords

    async def cursor(self, name: str) -> int:
        ((cursor,),) = self.records.read(SQL["cursor"], (name,))
        return int(cursor)

    async def events(self, after: int, limit: int) -> list[tuple[int, str, str, bytes]]:
        return self.records.read(SQL["events"], (after, limit))

    async def parked_partitions(self, name: str) -> list[str]:
        return [partition for (partition,) in self.records.read(SQL["parked_partitions"], (name,))]

    async def parked_events(self, name: str, partition: str, limit: int) -> list[Stored]:
        return self.records.read(SQL["parked_events"], (name, partition, limit))

    async def first_parked(self, name: str) -> int | None:
        ((first,),) = self.records.read(SQL["first_parked"], (name,))
        return None if first is None else int(first)

    async def save(
        self, name: str, cursor: int, to_park: Mapping[str, Sequence[int]], to_unpark: Sequence[tuple[str, int]]
    ) -> None:
        def write(connection: Any) -> None:
            parked = [(name, partition, sequence) for partition, some in to_park.items() for sequence in some]
            connection.executemany(SQL["park"], parked)
            connection.executemany(SQL["unpark"], [(name, partition, sequence) for partition, sequence in to_unpark])
            connection.execute(SQL["advance"], (cursor, name))
            connection.execute(SQL["prune"])

        await self.records.write(write)


class SqliteBus:
    """A bus over the records of one file."""

    def __init__(self, records: SqliteRecords) -> None:
        self.records = records
        self.subscriptions: dict[str, Subscription] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._leases: dict[str, int] = {}
        self._head = -1

    def subscribe(self, name: str, kinds: Sequence[type[Event]], handler: Handler, *, batch: int = 100) -> None:
        if self._tasks:
            raise RuntimeError("subscribe before the bus is started")
        if not self.records.read(SQL["cursor"], (name,)):
            _written(self.records.path, SQL["enter"], (name,))
        self.subscriptions[name] = Subscription(SqliteOutbox(self.records), name, names(kinds), handler, batch)

    async def start(self) -> None:
        if not self._tasks:
            self.records.listeners.append(self._wake)
            self._tasks = [asyncio.create_task(self._lead(one)) for one in self.subscriptions.values()]
            self._tasks.append(asyncio.create_task(self._poll()))

    async def drain(self, timeout: float = 30.0) -> None:
        ((head,),) = self.records.read(SQL["head"])
        try:
            async with asyncio.timeout(timeout):
                for subscription in self.subscriptions.values():
                    while not await subscription.handled(head):
                        await subscription.moved()
        except TimeoutError:
            raise Deadline(f"events still wait after {timeout:g} s: {await self.backlog()}") from None

    async def backlog(self) -> dict[str, int]:
        waiting = {}
        for name, subscription in self.subscriptions.items():
            await subscription.save()
            kinds = msgspec.json.encode(sorted(subscription.kinds)).decode()
            ((waiting[name],),) = self.records.read(SQL["waiting"], {"name": name, "kinds": kinds})
        return waiting

    async def close(self) -> None:
        if self._wake in self.records.listeners:
            self.records.listeners.remove(self._wake)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await asyncio.gather(*(subscription.stop(GRACE) for subscription in self.subscriptions.values()))
        for lease in self._leases.values():
            os.close(lease)
        self._leases.clear()

    def _wake(self) -> None:
        for subscription in self.subscriptions.values():
            subscription.wake()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            try:
                ((head,),) = self.records.read(SQL["head"])
            except Unavailable:
                log.exception("the outbox of %s cannot be read", self.records.path)
                continue
            if head != self._head:
                self._head = head
                self._wake()

    async def _lead(self, subscription: Subscription) -> None:
        lease = self.records.path.with_name(f"{self.records.path.name}-{quote(subscription.name, safe='')}.lease")
        while not self._leased(subscription.name, lease):  # noqa: ASYNC110 - another process holds it
            await asyncio.sleep(STANDBY)
        while True:
            try:
                await subscription.run()
            except Exception:
                log.exception("%s cannot go on; trying again", subscription.name)
                await asyncio.sleep(STANDBY)

    def _leased(self, name: str, path: Path) -> bool:
        file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        self._leases[name] = file
        return True


def _written(path: Path, sql: str, parameters: Sequence[object] = ()) -> None:
    """Run a few statements in a transaction of their own, at once: before the bus is started nobody waits for it."""
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        begin(connection)
        for statement in sql.split(";"):
            connection.execute(statement, parameters)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise Unavailable(f"{path} cannot be written: {error}") from error
    finally:
        connection.close()


async def make(address: str = "", *, home: Path | None = None, records: Records) -> SqliteBus:
    """A bus over these SQLite records; the address is theirs."""
    if not isinstance(records, SqliteRecords):
        raise Misconfigured("the sqlite bus works over sqlite records only: set both to the same scheme")
    _written(records.path, SQL["schema"])
    return SqliteBus(records)
