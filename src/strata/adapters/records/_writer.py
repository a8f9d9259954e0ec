"""The one connection of a process that writes to PostgreSQL records: groups of commits, each a transaction in its turn."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from strata.adapters._postgres import AGAIN, LOST, NOT_LET_IN, Server, farewell, rested, within
from strata.adapters.records._changes import NOTHING, Cell, Commit, Place, applied
from strata.adapters.records._statements import statements
from strata.errors import Misconfigured, StrataError, Unavailable
from strata.ports.records import LimitReached
from strata.types import new_id

log = logging.getLogger(__name__)

SQL = statements(__package__, "postgres.sql")
LARGEST_GROUP = 256
LARGEST_BYTES = 16 * 2**20
LONGEST_QUEUE = 20_000
CLOSED = "these records are closed"
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({key})"

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


class Writer:
    """What waits to be written to one schema. `told` is called after commits with events."""

    def __init__(self, server: Server, told: Callable[[], None]) -> None:
        self.server = server
        self.told = told
        self.connection: Any = None
        self._id = new_id("writer")
        self._number = 0
        self._doubt: int | None = None  # the transaction whose COMMIT was not answered
        self._down = False
        self._closed = False
        self._queue: deque[Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None

    def ask(self, what: Commit | Work) -> asyncio.Future[None]:
        """Have this done in the next transaction that has room; what is asked for later is done later."""
        if self._closed:
            raise Unavailable(CLOSED)
        if len(self._queue) >= LONGEST_QUEUE:
            raise Unavailable(f"{LONGEST_QUEUE} commits wait for {self.server.place}, which is the limit")
        loop = asyncio.get_running_loop()
        waiting = Waiting(what, loop.create_future(), loop.time() + self.server.patience)
        self._queue.append(waiting)
        if self._writing is None:
            self._writing = loop.create_task(self._write_all())
        return waiting.waiter

    async def close(self) -> None:
        """Do what waits, take nothing more, and end the connection."""
        self._closed = True
        while self._writing is not None:
            await asyncio.wait([self._writing])
        if self.connection is not None:
            await farewell(self.connection)
            self.connection = None

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
        async with self._transaction(until) as connection:
            if self._doubt is not None:
                number = await within(connection, connection.fetchval(SQL["outcome"], self._id), until)
                if number == self._doubt:
                    return  # and if the connection is lost once more, it is asked once more
                self._doubt = None
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
            if await within(connection, connection.execute("COMMIT"), until) != "COMMIT":
                raise asyncpg.TransactionRollbackError("the server rolled back instead of committing")
            self._doubt = None

    @contextlib.asynccontextmanager
    async def _transaction(self, until: float) -> AsyncIterator[Any]:
        """The connection within a transaction of its own, in its turn; rolled back unless it is committed."""
        try:
            connection = await self.connected(until)
        except NOT_LET_IN as error:
            raise Unavailable(f"{self.server.place} does not let us in: {self.server.told(error)}") from error
        try:
            begin = BEGIN.format(key=self.server.key("write"))
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
            self.told()

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

    async def connected(self, until: float) -> Any:
        """The connection, made anew where it was lost. Raises what asyncpg raises, and `Misconfigured`."""
        if self.connection is None or self.connection.is_closed():
            connection = await self.server.connect("writes", until)
            try:
                await within(connection, _prepared_to_write(connection, self.server), until)
            except BaseException:
                connection.terminate()
                raise
            self.connection = connection
        return self.connection


def _size(waiting: Waiting) -> int:
    return sum(map(len, waiting.what.values)) if isinstance(waiting.what, Commit) else 0


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


async def _together(work: Awaitable[object]) -> object:
    return await work


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
