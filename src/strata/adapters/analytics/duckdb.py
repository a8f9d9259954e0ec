"""Tables as Parquet files below a folder, asked with DuckDB.

Each append is a file of its own, written beside its place, synced and moved there in one step. `compact` joins the files
of a table into one that names those it stands for: from the moment it is there they do not count any more, whether they
are still on the disk or not, so a crash at any point leaves every row once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from strata.adapters._address import split
from strata.adapters.analytics._sql import arrow, ask, connected, named
from strata.errors import Invalid, Unavailable
from strata.types import Json

T = TypeVar("T")

REPLACES = b"strata.replaces"
JOINED = "joined-"
ROWS_PER_FILE = 1_000_000
ABANDONED = 3600.0
LOOKS = 5
"""How often a question is asked whose files are compacted away under it."""


@dataclass(slots=True)
class DuckdbAnalytics:
    """One folder per table. One process appends and compacts; others may ask."""

    folder: Path
    connection: Any
    seconds: float
    schemas: dict[str, pa.Schema] = field(default_factory=dict)
    replaced: dict[Path, frozenset[str]] = field(default_factory=dict)
    writing: threading.Lock = field(default_factory=threading.Lock)

    async def append(self, table: str, rows: Sequence[Json]) -> None:
        named(table)
        if rows:
            await _aside(lambda: self._append(table, arrow(rows)))

    async def ask(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[Json]:
        for _ in range(LOOKS - 1):
            with contextlib.suppress(Unavailable):  # a file that was compacted away between looking and reading
                return await ask(self.connection, sql, parameters, await self.tables(), self._show, self.seconds)
        return await ask(self.connection, sql, parameters, await self.tables(), self._show, self.seconds)

    async def tables(self) -> set[str]:
        return await _aside(lambda: {folder.name for folder in self.folder.iterdir() if self._files(folder)})

    async def compact(self) -> None:
        await _aside(self._compact)

    async def close(self) -> None:
        self.connection.close()

    def _append(self, table: str, rows: pa.Table) -> None:
        with self.writing:
            folder = self.folder / table
            if not folder.is_dir():
                folder.mkdir(exist_ok=True)
                _sync(self.folder)
            schema = self._fit(folder, rows.schema)
            _write(rows, folder, f"{time.time_ns():020d}-{secrets.token_hex(4)}")
            self.schemas[table] = schema

    def _fit(self, folder: Path, fresh: pa.Schema) -> pa.Schema:
        """The table's columns with those of the new rows. Refuses a column whose type is another than before: it would
        spoil every later question.
        """
        try:
            if folder.name not in self.schemas:
                kept = [pq.read_schema(file).remove_metadata() for file in self._files(folder)]
                self.schemas[folder.name] = pa.unify_schemas([pa.schema([]), *kept], promote_options="permissive")
            return pa.unify_schemas([self.schemas[folder.name], fresh], promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise Invalid(f"the rows do not fit the table {folder.name}: {error}") from error

    def _show(self, cursor: Any, table: str) -> None:
        files = ", ".join("'" + str(file).replace("'", "''") + "'" for file in self._files(self.folder / table))
        if files:
            cursor.execute(
                f"CREATE TEMP VIEW {table} AS SELECT * FROM read_parquet([{files}], union_by_name = true)"  # noqa: S608
            )

    def _files(self, folder: Path) -> list[Path]:
        """The files that count, oldest first."""
        if not folder.is_dir():
            return []
        files = sorted(folder.glob("*.parquet"), key=lambda file: file.name.removeprefix(JOINED))
        gone = frozenset[str]().union(*(self._replaced(file) for file in files if file.name.startswith(JOINED)))
        return [file for file in files if file.name not in gone]

    def _replaced(self, file: Path) -> frozenset[str]:
        if file not in self.replaced:
            told = (pq.read_metadata(file).metadata or {}).get(REPLACES, b"[]")
            self.replaced[file] = frozenset(msgspec.json.decode(told, type=list[str]))
        return self.replaced[file]

    def _compact(self) -> None:
        with self.writing:
            for folder in self.folder.iterdir():
                if folder.is_dir():
                    self._join(folder)

    def _join(self, folder: Path) -> None:
        """Join a table's small files, and remove what does not count any more."""
        small = [file for file in self._files(folder) if pq.read_metadata(file).num_rows < ROWS_PER_FILE]
        if len(small) > 1:
            parts = [pq.read_table(file) for file in small]
            whole = pa.concat_tables([part.replace_schema_metadata() for part in parts], promote_options="permissive")
            names = sorted({file.name for file in small}.union(*(self._replaced(file) for file in small)))
            names = [name for name in names if (folder / name).exists()]
            _write(whole, folder, f"{JOINED}{small[-1].stem.removeprefix(JOINED)}", replaces=names)
        counting = set(self._files(folder))
        for file in folder.glob("*.parquet"):
            if file not in counting:
                file.unlink()
                self.replaced.pop(file, None)
        for file in folder.glob("*.new"):
            if time.time() - file.stat().st_mtime > ABANDONED:
                file.unlink()


def _write(rows: pa.Table, folder: Path, name: str, *, replaces: Sequence[str] = ()) -> None:
    """Make the file, all at once and synced. A joined file has a name of its own even where it stands for itself."""
    if replaces:
        name = f"{name}-{secrets.token_hex(4)}"
        rows = rows.replace_schema_metadata({REPLACES: msgspec.json.encode(list(replaces))})
    fresh = folder / f"{name}.new"
    try:
        with fresh.open("xb") as file:
            pq.write_table(rows, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / f"{name}.parquet")
        _sync(folder)
    finally:
        fresh.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _aside(work: Callable[[], T]) -> T:
    """Run in a thread; what the disk refuses becomes `Unavailable`."""
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise Unavailable(f"the tables' folder failed: {error.strerror or error}") from error


async def make(address: str = "analytics", *, home: Path, seconds: float = 30.0) -> DuckdbAnalytics:
    """The tables in the folder `address` below `home`. A question may take `seconds`."""
    name, given = split(address, {"seconds": float})
    folder = (home / name).resolve()
    await _aside(lambda: folder.mkdir(parents=True, exist_ok=True))
    return DuckdbAnalytics(folder, connected(folder), given.get("seconds", seconds))
