"""Records in one SQLite file, safe through a power cut, with one disk sync for all commits that wait at the same moment.

Commits queue; the whole queue becomes one transaction, a refused commit being left out before anything of it is written.
The statements run on the event loop (they touch memory only, some ten microseconds a commit); the COMMIT, which waits
for the disk, runs in the writer's thread, and what arrives meanwhile is the next transaction. If another process holds
the file, the whole transaction moves to the thread and waits there. A transaction in which nobody needs the disk
(`commit(durable=False)`) is written to the log on the event loop, and synced with the next that does.

`durable=false` (`sqlite:reservations.db?durable=false`) keeps everything through kill -9 but may forget the last commits
in a power cut: for what can be rebuilt.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from strata.adapters._address import split, truth
from strata.adapters.records._changes import NOTHING, Cell, Commit, Place, applied, decoded, prepared
from strata.adapters.records._order import NO_END, end
from strata.adapters.records._statements import statements
from strata.errors import Invalid, Misconfigured, StrataError, Unavailable
from strata.events import Event
from strata.ports.records import Change, Delete, LimitReached, Put, Record

SQL = statements(__package__, "sqlite.sql")
GET, UP, DOWN, INSERT, PUT, DELETE, DELETE_VERSION, TELL = (
    SQL[name] for name in ("get", "up", "down", "insert", "put", "delete", "delete_version", "tell")
)
SCHEMA_VERSION = 1
LARGEST_GROUP = 256
CROWD = 0.001
"""Seconds that a transaction waits for company where the one before it had some."""

PACE = 0.002
"""Seconds from one transaction to the next that nobody needs the disk for, so that calls arriving closely share one."""

DIRECT_ROWS = 64
PATIENCE = 10.0
PAGES_PER_CHECKPOINT = 2000
"""About how many pages the log may gain before they are carried over into the database, beside the event loop."""

PAGE = 4096

Work = Callable[[Any], None]


def pragmas(*, durable: bool) -> tuple[str, ...]:
    """How a connection that writes is set up. FULL syncs the log at each commit; NORMAL leaves that to checkpoints."""
    return (
        "PRAGMA journal_mode = WAL",
        f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}",
        "PRAGMA secure_delete = ON",
        "PRAGMA temp_store = MEMORY",
        "PRAGMA wal_autocheckpoint = 0",
    )


@dataclass(slots=True, eq=False)
class Waiting:
    """A commit, or other work, that waits for its transaction."""

    what: Commit | Work
    waiter: asyncio.Future[None] | None = None
    error: Exception | None = None


def transact(connection: Any, group: Sequence[Waiting], *, doubting: bool = False) -> int:
    """Apply a group of commits within the transaction that is open on the connection; returns about how many pages were
    written, 0 for nothing.

    A commit that is refused gets its `error` and writes nothing. A record that several commits touch is read and
    written once. Where a commit says itself what stands at a place, that it puts something new there or removes a
    certain version, this is not looked up first unless `doubting`: if it turns out wrong, `sqlite3.IntegrityError` is
    raised, and the group has to be done again, doubting, in a new transaction.
    """
    cells: dict[Place, Cell] = {}
    fresh: dict[Place, Cell] = {}
    events: list[tuple[str, str, bytes]] = []
    believed: dict[Place, int] = {}
    pages = 0

    def standing(place: Place) -> Cell:
        cell = cells.get(place)
        if cell is None:
            row = connection.execute(GET, place).fetchone()
            cell = cells[place] = Cell(row[0], row[1]) if row else NOTHING
        return cell

    for waiting in group:
        what = waiting.what
        waiting.error = None
        if type(what) is not Commit:
            what(connection)  # type: ignore[operator]
            pages += 1
            continue
        said = {} if doubting else _said(what, cells)
        for place, version in said.items():
            cells[place] = Cell(version, b"{}") if version else NOTHING
        try:
            left = applied(what, standing)
        except (StrataError, LimitReached) as error:
            waiting.error = error
            for place in said:
                del cells[place]
            continue
        believed.update(said)
        cells.update(left)
        fresh.update(left)
        events += what.events
    for place, cell in fresh.items():
        pages += _write(connection, place, cell, believed.get(place))
    if events:
        connection.executemany(TELL, events)
    return pages + len(fresh) + len(events)


def _said(commit: Commit, known: Mapping[Place, Cell]) -> dict[Place, int]:
    """The versions that a commit itself says stand at places which are not known yet, where it changes those once."""
    said: dict[Place, int] = {}
    touched: set[Place] = set()
    for change in commit.changes:
        place = (change.partition, change.key)
        if place in touched:
            said.pop(place, None)
            continue
        touched.add(place)
        kind = type(change)
        if place in known:
            continue
        if kind is Put and change.version == 0:  # type: ignore[union-attr]
            said[place] = 0
        elif kind is Delete and change.version:  # type: ignore[union-attr]
            said[place] = change.version  # type: ignore[union-attr]
    return said


def _write(connection: Any, place: Place, cell: Cell, believed: int | None) -> int:
    """Write what shall stand at a place, checking the version that was believed to stand there; returns whole pages."""
    if believed:
        if connection.execute(DELETE_VERSION, (*place, believed)).fetchone() is None:
            raise sqlite3.IntegrityError
    elif not cell.version:
        if believed == 0 and connection.execute(GET, place).fetchone() is not None:
            raise sqlite3.IntegrityError
        connection.execute(DELETE, place)
    if not cell.version:
        return 0
    data = cell.data
    connection.execute(PUT if believed is None else INSERT, (*place, cell.version, data))
    return len(data) // PAGE


class SqliteRecords:
    """One file. Use it on the event loop that opened it; other processes may open the same file at the same time."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        self.path = path
        self.durable = durable
        self.listeners: list[Callable[[], None]] = []
        self.broken = ""
        self._loop = asyncio.get_running_loop()
        self._writer = opened(path, durable=durable)
        self._reader = _reader(path)
        self._pages = _reader(path)
        self._paging = threading.Lock()
        self._queue: list[Waiting] = []
        self._writing = False
        self._crowded = False
        self._paced = 0.0
        self._syncing = True
        self._grown = 0
        self._jobs: SimpleQueue[tuple[list[Waiting], bool] | None] = SimpleQueue()
        self._idle = asyncio.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._work, name=f"writer of {path.name}", daemon=True)
        self._thread.start()

    async def get(self, partition: str, key: str) -> Record | None:
        try:
            row = self._reader.execute(GET, (partition, key)).fetchone()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise self._unreadable(error) from error
        return Record(partition, key, decoded(row[1]), row[0]) if row else None

    async def query(
        self, partition: str, prefix: str = "", *, after: str | None = None, limit: int = 1000, reverse: bool = False
    ) -> list[Record]:
        first = min(limit, DIRECT_ROWS)
        found = self._page(self._reader, partition, prefix, after, first, reverse)
        if len(found) < first or first == limit:
            return found
        return found + await asyncio.to_thread(self._rest, partition, prefix, found[-1].key, limit - first, reverse)

    async def commit(self, *changes: Change, events: Sequence[Event] = (), durable: bool = True) -> None:
        if changes or events:
            await self.write(prepared(changes, events, durable=durable))

    async def write(self, what: Commit | Work) -> None:
        """Have this done in the next transaction, and wait until that is safe."""
        if self.broken:
            raise Unavailable(self.broken)
        waiter = self._loop.create_future()
        self._queue.append(Waiting(what, waiter))
        if not self._writing:
            self._writing = True
            self._idle.clear()
            self._soon()
        await waiter

    def read(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[Any]:
        """Rows of a small question, at once: what the bus asks of the outbox."""
        try:
            return self._reader.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    async def close(self) -> None:
        if self.broken == CLOSED:
            return
        await self._idle.wait()
        self.broken = CLOSED
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        for connection in (self._reader, self._pages):
            connection.close()
        await asyncio.to_thread(_closed, self._writer)

    # ------------------------------------------------------------------ reading

    def _page(
        self, connection: sqlite3.Connection, partition: str, prefix: str, after: str | None, limit: int, reverse: bool
    ) -> list[Record]:
        low, high = prefix, end(prefix)
        if after is not None and not reverse:
            low = max(low, after + "\0")
        elif after is not None:
            high = after if high == NO_END else min(str(high), after)
        try:
            rows = connection.execute(DOWN if reverse else UP, (partition, low, high, max(limit, 0))).fetchall()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise self._unreadable(error) from error
        return [Record(partition, key, decoded(value), version) for key, value, version in rows]

    def _rest(self, partition: str, prefix: str, after: str, limit: int, reverse: bool) -> list[Record]:
        with self._paging:
            return self._page(self._pages, partition, prefix, after, limit, reverse)

    def _unreadable(self, error: Exception) -> StrataError:
        if isinstance(error, UnicodeEncodeError):
            return Invalid(f"the name of a record must be valid Unicode: {error.object!r}")
        return Unavailable(self.broken or f"{self.path.name} cannot be read: {error}")

    # ------------------------------------------------------------------ writing

    def _soon(self) -> None:
        """Have the queue written, after a moment where company is likely."""
        wait = CROWD if self._crowded else self._paced - self._loop.time()
        if wait > 0:
            self._loop.call_later(wait, self._flush)
        else:
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        group, self._queue = self._queue[:LARGEST_GROUP], self._queue[LARGEST_GROUP:]
        if self.broken:
            self._settle(group, Unavailable(self.broken))
            return
        durable = self.durable and any(type(one.what) is not Commit or one.what.durable for one in group)
        self._crowded = durable and len(group) > 1
        try:
            self._synced(durable)
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if _busy(error):
                self._jobs.put((group, False))
            else:
                self._settle(group, self._failure(error))
            return
        try:
            pages = transact(self._writer, group)
            self._grown += pages
            if not pages:
                self._writer.execute("ROLLBACK")
            elif durable or self._grown >= PAGES_PER_CHECKPOINT:
                self._jobs.put((group, True))
                return
            else:
                self._writer.execute("COMMIT")
                if self.durable:
                    self._paced = self._loop.time() + PACE
        except sqlite3.IntegrityError:
            self._writer.execute("ROLLBACK")
            self._jobs.put((group, False))
        except Exception as error:
            self._settle(group, self._failure(error))
        else:
            self._settle(group, None)

    def _synced(self, durable: bool) -> None:
        """Set whether COMMIT syncs the log. SQLite takes this in while it compiles, so no statement must be cached."""
        if self.durable and durable is not self._syncing:
            self._writer.executescript(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._syncing = durable

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            group, begun = job
            failure: StrataError | None = None
            try:
                if not begun:
                    begin(self._writer)
                    self._grown += transact(self._writer, group, doubting=True)
                self._writer.execute("COMMIT")
                if self._grown >= PAGES_PER_CHECKPOINT:
                    self._grown = 0
                    with contextlib.suppress(sqlite3.Error):  # the commit stands; the log only stays longer
                        self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
            except Exception as error:
                failure = self._failure(error)
            self._loop.call_soon_threadsafe(self._settle, group, failure)

    def _failure(self, error: Exception) -> StrataError:
        """What the whole group is told. A full disk or a busy file can mend; after anything else, a failed sync above
        all, nothing more is acknowledged: what the disk holds is unknown until the file is opened again.
        """
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error:
            code = 0
        if code == sqlite3.SQLITE_FULL:
            return Unavailable(f"the disk is full: nothing can be written to {self.path.name}; make room on its volume")
        if code == sqlite3.SQLITE_BUSY:
            return Unavailable(f"another process has been writing to {self.path.name} for {PATIENCE:g} s")
        self.broken = f"{self.path.name} failed and takes no more commits until it is opened again: {error}"
        return Unavailable(self.broken)

    def _settle(self, group: list[Waiting], failure: StrataError | None) -> None:
        told = False
        for waiting in group:
            waiter, error = waiting.waiter, failure or waiting.error
            if waiter is None or waiter.done():
                continue
            if error is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(None)
        if failure is None:
            told = any(type(one.what) is Commit and one.what.events and one.error is None for one in group)
        if self._queue:
            self._soon()
        else:
            self._writing = False
            self._idle.set()
        if told:
            for tell in self.listeners:
                tell()


CLOSED = "these records are closed"


def opened(path: Path, *, durable: bool) -> sqlite3.Connection:
    """A connection that writes, with the tables made. Raises `Unavailable`, or `Misconfigured` for a stranger's file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        for pragma in pragmas(durable=durable):
            connection.execute(pragma)
        begin(connection)
        ((version,),) = connection.execute("PRAGMA user_version").fetchall()
        if version > SCHEMA_VERSION:
            raise Misconfigured(f"{path} was written by a newer version of Strata; run that one")
        for statement in SQL["schema"].split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
        connection.execute("PRAGMA busy_timeout = 0")
        _sync_folder(path.parent)
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"{path} cannot be opened: {error}") from error
    except OSError as error:
        raise Unavailable(f"{path} cannot be opened: {error.strerror}") from error
    return connection


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def begin(connection: sqlite3.Connection) -> None:
    """Begin to write, waiting up to `PATIENCE` seconds for other processes."""
    until, pause = time.monotonic() + PATIENCE, 0.0005
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if not _busy(error) or time.monotonic() > until:
                raise
            time.sleep(pause)
            pause = min(pause * 1.5, 0.01)


def _busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _reader(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _closed(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        pass
    finally:
        connection.close()


async def make(address: str = "records.db", *, home: Path, durable: bool | None = None) -> SqliteRecords:
    """The records in the file `address` below `home`; `?durable=false` at its end, or the argument, gives up the
    promise about power cuts.
    """
    name, given = split(address, {"durable": truth})
    keep = durable if durable is not None else given.get("durable", True)
    return SqliteRecords((home / name).resolve(), durable=keep)
