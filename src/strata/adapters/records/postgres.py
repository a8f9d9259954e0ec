"""Records in a PostgreSQL database, for many processes on many hosts, with one transaction for all commits that wait.

Commits queue; the whole queue becomes one transaction, a refused commit being left out before anything of it is written.
Transactions of one schema take turns: each holds an advisory lock from its first read to its COMMIT, so there is nothing
to deadlock over, no serialization that could fail, and the outbox is numbered in the order of commits. A process has one
connection that writes and a few that read, so the server is never asked for more.

Each transaction also writes its number into the process's own row. When a connection is lost during COMMIT, that row
says afterwards, under the same lock, whether it was done: then it is acknowledged, else done again, never twice. Where
the server cannot be asked within `patience` seconds (10, or `?patience=` in the address) the commit is `Unavailable`.

A commit that need not be durable is written like any other: the sync that it waits for is its whole group's.
`?durable=false` gives up the promise about power cuts of the server (`synchronous_commit = off`): for what can be rebuilt.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from strata.adapters._postgres import (
    AGAIN,
    LOST,
    NOT_LET_IN,
    Readers,
    Server,
    completed,
    farewell,
    rested,
    server,
    within,
)
from strata.adapters.records._changes import NOTHING, Cell, Commit, Place, applied, decoded, prepared
from strata.adapters.records._order import NO_END, end
from strata.adapters.records._statements import statements
from strata.errors import Invalid, Misconfigured, StrataError, Unavailable
from strata.events import Event
from strata.ports.records import Change, LimitReached, Record
from strata.types import new_id

log = logging.getLogger(__name__)

SQL = statements(__package__, "postgres.sql")
SCHEMA_VERSION = 1
LARGEST_GROUP = 256
LARGEST_BYTES = 16 * 2**20
LONGEST_QUEUE = 20_000
LONGEST_NAME = 2000
WAKE_PACE = 0.02
CLOSED = "these records are closed"
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({key})"
UNSYNCED = "; SET LOCAL synchronous_commit = off"

Work = Callable[[Any], Awaitable[object]]


@dataclass(slots=True, eq=False)
class Waiting:
    """A commit, or other work, that waits for its transaction until `until`, a moment of the loop's clock."""

    what: Commit | Work
    waiter: asyncio.Future[None]
    until: float
    error: Exception | None = None


@dataclass(slots=True)
class Written:
    """What a group of commits leaves behind: the cells that changed, and the events in the order of their commits."""

    cells: dict[Place, Cell]
    events: list[tuple[str, str, bytes]]

    def arguments(self) -> tuple[list[Any], ...]:
        """The columns that the statement `write` takes: of what is put, of what is gone, of what is told."""
        put = [(*place, cell.version, cell.data) for place, cell in self.cells.items() if cell.version]
        gone = [place for place, cell in self.cells.items() if not cell.version]
        return (*_columns(put, 4), *_columns(gone, 2), *_columns(self.events, 3))


def worked_out(group: Sequence[Waiting], standing: dict[Place, Cell]) -> Written:
    """Apply a group of commits to what stands; a commit that is refused gets its `error` and leaves nothing."""
    written = Written({}, [])
    for waiting in group:
        assert isinstance(waiting.what, Commit)
        waiting.error = None
        try:
            left = applied(waiting.what, lambda place: standing.get(place, NOTHING))
        except (StrataError, LimitReached) as error:
            waiting.error = error
            continue
        standing.update(left)
        written.cells.update(left)
        written.events += waiting.what.events
    return written


class PostgresRecords:
    """One schema. Use it on the event loop that opened it; other processes and hosts may open it at the same time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.listeners: list[Callable[[], None]] = []
        self.readers = Readers(server)
        self._id = new_id("writer")
        self._number = 0
        self._doubt: int | None = None  # the transaction whose COMMIT was not answered
        self._connection: Any = None
        self._down = False
        self._closed = False
        self._queue: deque[Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._waking: asyncio.Task[None] | None = None

    async def get(self, partition: str, key: str) -> Record | None:
        self._must_be_open()
        _must_fit(partition, key)
        rows = await self.readers.fetch(SQL["get"], partition, key)
        return Record(partition, key, decoded(rows[0]["value"]), rows[0]["version"]) if rows else None

    async def query(
        self, partition: str, prefix: str = "", *, after: str | None = None, limit: int = 1000, reverse: bool = False
    ) -> list[Record]:
        self._must_be_open()
        _must_fit(partition, prefix, after or "")
        low, high = prefix, end(prefix)
        if after is not None and not reverse:
            low = max(low, after + "\x01")  # the next text that PostgreSQL can hold
        elif after is not None:
            high = after if high == NO_END else min(str(high), after)
        name = "down" if reverse else "up"
        bounds = (low,) if high == NO_END else (low, high)
        sql = SQL[f"{name}_open" if high == NO_END else name]
        rows = await self.readers.fetch(sql, partition, *bounds, min(max(limit, 0), 2**31))
        return [Record(partition, row["key"], decoded(row["value"]), row["version"]) for row in rows]

    async def commit(self, *changes: Change, events: Sequence[Event] = (), durable: bool = True) -> None:
        """As promised; all commits are durable. One that was not could be forgotten when the server crashes while its
        clients live on, and what they settle later would be counted against a reservation that is gone.
        """
        if not changes and not events:
            return
        commit = prepared(changes, events)
        for change in changes:
            _must_fit(change.partition, change.key)
        for partition, _, _ in commit.events:
            _must_fit(partition)
        await self.write(commit)

    async def write(self, what: Commit | Work) -> None:
        """Have this done in the next transaction, after all that was asked for before, and wait until that is safe."""
        await self.ask(what)

    def ask(self, what: Commit | Work) -> asyncio.Future[None]:
        """As `write`, without waiting: what is asked for later is done later."""
        self._must_be_open()
        if len(self._queue) >= LONGEST_QUEUE:
            raise Unavailable(f"{LONGEST_QUEUE} commits wait for {self.server.place}, which is the limit")
        loop = asyncio.get_running_loop()
        waiting = Waiting(what, loop.create_future(), loop.time() + self.server.patience)
        self._queue.append(waiting)
        if self._writing is None:
            self._writing = loop.create_task(self._write_all())
        return waiting.waiter

    async def close(self) -> None:
        self._closed = True
        while self._writing is not None:
            await asyncio.wait([self._writing])
        if self._waking is not None:
            await asyncio.wait([self._waking])
        await self.readers.close()
        if self._connection is not None:
            await farewell(self._connection)
            self._connection = None

    # ------------------------------------------------------------------ groups

    async def _write_all(self) -> None:
        await asyncio.sleep(0)  # whoever commits in the same turn of the loop comes along
        while self._queue:
            await self._carry_out(self._group())
        self._writing = None

    def _group(self) -> list[Waiting]:
        """The commits that share the next transaction; other work stands alone, so that it keeps its place."""
        group = [self._queue.popleft()]
        size = _size(group[0])
        while self._queue and len(group) < LARGEST_GROUP and isinstance(group[0].what, Commit):
            size += _size(self._queue[0])
            if size > LARGEST_BYTES or not isinstance(self._queue[0].what, Commit):
                break
            group.append(self._queue.popleft())
        return group

    async def _carry_out(self, group: list[Waiting]) -> None:
        """Do the group's transaction until it is done or refused, or until its time is over."""
        until = min(waiting.until for waiting in group)
        try:
            if self._down and asyncio.get_running_loop().time() >= until:
                raise Unavailable(f"{self.server.place} cannot be reached")
            await self._persist(group, until)
        except LOST as error:
            self._down = True
            self._settle(group, self._lost(error))
        except AGAIN as error:
            self._settle(group, Unavailable(f"others kept {self.server.place} busy: {self.server.told(error)}"))
        except asyncpg.PostgresError as error:
            if len(group) > 1:  # one of them is to blame; the others shall not suffer for it
                for waiting in group:
                    await self._carry_out([waiting])
            else:
                self._settle(group, self._refused(error))
        except Exception as error:
            self._settle(group, error)
        else:
            self._down = False
            self._settle(group, None)
        finally:
            self._doubt = None

    async def _persist(self, group: list[Waiting], until: float) -> None:
        while True:
            try:
                await self._transact(group, until)
                return
            except (*LOST, *AGAIN) as error:
                log.info("a transaction on %s is tried again: %s", self.server.place, self.server.told(error))
                if not await rested(until):
                    raise

    async def _transact(self, group: list[Waiting], until: float) -> None:
        durable = any(not isinstance(waiting.what, Commit) or waiting.what.durable for waiting in group)
        async with self._transaction(until, durable=durable) as connection:
            if self._doubt is not None:
                number = await within(connection, connection.fetchval(SQL["outcome"], self._id), until)
                doubt, self._doubt = self._doubt, None
                if number == doubt:
                    return
            what = group[0].what
            if not isinstance(what, Commit):
                await within(connection, _together(what(connection)), until)
                written = Written({}, [])
            else:
                written = worked_out(group, await self._standing(connection, group, until))
                if not written.cells and not written.events:
                    return
            self._number += 1
            arguments = (*written.arguments(), self._id, self._number)
            await within(connection, connection.execute(SQL["write"], *arguments), until)
            self._doubt = self._number
            await within(connection, connection.execute("COMMIT"), until)
            self._doubt = None

    @contextlib.asynccontextmanager
    async def _transaction(self, until: float, *, durable: bool = True) -> AsyncIterator[Any]:
        """The connection within a transaction of its own, in its turn; rolled back unless it is committed."""
        try:
            connection = await self._connected(until)
        except NOT_LET_IN as error:
            raise Unavailable(f"{self.server.place} does not let us in: {self.server.told(error)}") from error
        try:
            begin = BEGIN.format(key=self.server.key("write")) + ("" if durable else UNSYNCED)
            await within(connection, connection.execute(begin), until)
            yield connection
            if connection.is_in_transaction():
                await within(connection, connection.execute("ROLLBACK"), until)
        except BaseException as error:
            if isinstance(error, LOST) or not isinstance(error, asyncpg.PostgresError):
                connection.terminate()
            else:
                with contextlib.suppress(*LOST, asyncpg.PostgresError):
                    await within(connection, connection.execute("ROLLBACK"), until)
            raise

    async def _standing(self, connection: Any, group: list[Waiting], until: float) -> dict[Place, Cell]:
        places = {
            (change.partition, change.key)
            for waiting in group
            if isinstance(waiting.what, Commit)
            for change in waiting.what.changes
        }
        if not places:
            return {}
        rows = await within(connection, connection.fetch(SQL["standing"], *_columns(list(places), 2)), until)
        return {(partition, key): Cell(version, value) for partition, key, version, value in rows}

    def _settle(self, group: list[Waiting], failure: Exception | None) -> None:
        told = False
        for waiting in group:
            error = failure or waiting.error
            told |= error is None and isinstance(waiting.what, Commit) and bool(waiting.what.events)
            if waiting.waiter.done():
                continue
            if error is not None:
                waiting.waiter.set_exception(error)
                waiting.waiter.add_done_callback(asyncio.Future.exception)
            else:
                waiting.waiter.set_result(None)
        if told:
            for tell in self.listeners:
                tell()
            if self._waking is None:
                self._waking = asyncio.create_task(self._wake_others())

    def _lost(self, error: BaseException) -> Unavailable:
        why = f"{self.server.place} cannot be reached: {self.server.told(error)}"
        if self._doubt is not None:
            why += "; this commit may have been done before the connection was lost, so look before doing it again"
        return Unavailable(why)

    def _refused(self, error: asyncpg.PostgresError) -> Unavailable:
        if isinstance(error, asyncpg.DiskFullError):
            return Unavailable(f"the disk of {self.server.place} is full: nothing can be written; make room on it")
        return Unavailable(f"{self.server.place} refuses to write: {self.server.told(error)}")

    # ------------------------------------------------------------------ the connection

    async def _connected(self, until: float) -> Any:
        if self._connection is None or self._connection.is_closed():
            connection = await self.server.connect("writes", until)
            try:
                await within(connection, _prepared_to_write(connection, self.server), until)
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        return self._connection

    async def _wake_others(self) -> None:
        """Tell other processes that the outbox has grown, once for all commits of a moment. They look by themselves too."""
        try:
            await asyncio.sleep(0 if self._closed else WAKE_PACE)
            await self.readers.fetch(SQL["wake"], self.server.channel)
        except StrataError as error:
            log.info("other processes were not woken: %s", error)
        finally:
            self._waking = None

    async def open(self) -> None:
        """Make the tables where they are missing. Raises `Unavailable`, or `Misconfigured` for what does not fit."""
        until = asyncio.get_running_loop().time() + self.server.patience
        while True:
            try:
                connection = await self._connected(until)
                await within(connection, _installed(connection, self.server), until)
                return
            except NOT_LET_IN as error:
                raise Misconfigured(f"{self.server.place} does not let us in: {self.server.told(error)}") from error
            except asyncpg.ClientConfigurationError as error:
                raise Misconfigured(f"the PostgreSQL address: {self.server.told(error)}") from error
            except LOST as error:
                if not await rested(until):
                    raise Unavailable(f"{self.server.place} cannot be reached: {self.server.told(error)}") from error
            except asyncpg.PostgresError as error:
                raise Unavailable(f"{self.server.place} cannot be opened: {self.server.told(error)}") from error

    def _must_be_open(self) -> None:
        if self._closed:
            raise Unavailable(CLOSED)


def _size(waiting: Waiting) -> int:
    return sum(map(len, waiting.what.values)) if isinstance(waiting.what, Commit) else 0


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


async def _together(work: Awaitable[object]) -> object:
    return await work


def _must_fit(*names: str) -> None:
    """A name of a record is up to 2,000 bytes of Unicode without U+0000: what PostgreSQL's texts and indexes can hold."""
    try:
        size = sum(len(name.encode()) for name in names)
    except UnicodeEncodeError:
        raise Invalid(f"the name of a record must be valid Unicode: {names!r}") from None
    if size > LONGEST_NAME:
        raise Invalid(f"the name of a record has {size} bytes; PostgreSQL records hold {LONGEST_NAME}")
    if any("\0" in name for name in names):
        raise Invalid(f"the name of a record cannot hold U+0000: {names!r}")


async def _prepared_to_write(connection: Any, server: Server) -> None:
    """Hold the server to the promise that what is acknowledged survives a power cut, or give it up as it was asked for."""
    if not server.durable:
        await connection.execute("SET synchronous_commit = off")
        return
    if await connection.fetchval("SHOW fsync") == "off":
        raise Misconfigured(
            f"{server.place} runs with fsync = off and would forget what it has acknowledged; turn it on, or say "
            "durable=false in the address if that does not matter"
        )
    if await connection.fetchval("SHOW synchronous_commit") == "off":
        await connection.execute("SET synchronous_commit = on")


async def _installed(connection: Any, server: Server) -> None:
    if await connection.fetchval("SHOW server_encoding") != "UTF8":
        raise Misconfigured(f"{server.place} must be a database in UTF8: CREATE DATABASE … ENCODING 'UTF8'")
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({server.key('write')})")
        version = await connection.fetchval(SQL["version"]) if await connection.fetchval(SQL["installed"]) else 0
        if version > SCHEMA_VERSION:
            raise Misconfigured(f"{server.place} was written by a newer version of Strata; run that one")
        if version < SCHEMA_VERSION:
            if not await connection.fetchval(SQL["schema_exists"], server.schema):
                await connection.execute(f'CREATE SCHEMA "{server.schema}"')
            await connection.execute(SQL["schema"])
        await connection.execute(SQL["forget_writers"])


async def make(address: str = "", *, home: Path | None = None) -> PostgresRecords:
    """The records in a schema of the database that `address` names: `//user@host:5432/database?schema=gateway`.

    What it leaves out comes from libpq's variables and files, a password above all. Options: `schema` (`strata`),
    `connections` (4 for each process), `patience` (10 seconds), `durable` (true), and libpq's own, such as `sslmode`.
    """
    records = PostgresRecords(server(address))
    try:
        await records.open()
    except BaseException:
        await records.close()
        raise
    return records


__all__ = ["SQL", "PostgresRecords", "completed", "make"]
