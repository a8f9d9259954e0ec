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
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from strata.adapters._postgres import LOST, NOT_LET_IN, Readers, Server, completed, rested, server, within
from strata.adapters.records._changes import Commit, decoded, prepared
from strata.adapters.records._order import NO_END, end
from strata.adapters.records._writer import CLOSED, SQL, Work, Writer
from strata.errors import Invalid, Misconfigured, StrataError, Unavailable
from strata.events import Event
from strata.ports.records import Change, Record

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
LONGEST_NAME = 2000
WAKE_PACE = 0.02


class PostgresRecords:
    """One schema. Use it on the event loop that opened it; other processes and hosts may open it at the same time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.listeners: list[Callable[[], None]] = []
        self.readers = Readers(server)
        self.writer = Writer(server, self._told)
        self._closed = False
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
        """As `write`, without waiting."""
        return self.writer.ask(what)

    async def close(self) -> None:
        self._closed = True
        await self.writer.close()
        if self._waking is not None:
            await asyncio.wait([self._waking])
        await self.readers.close()

    def _told(self) -> None:
        for tell in self.listeners:
            tell()
        if self._waking is None:
            self._waking = asyncio.create_task(self._wake_others())

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
                connection = await self.writer.connected(until)
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
