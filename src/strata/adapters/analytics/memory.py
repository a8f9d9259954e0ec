"""Tables kept in this process and asked with DuckDB: for tests and trials, gone when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from strata.adapters.analytics._sql import arrow, ask, connected, named
from strata.errors import Invalid
from strata.types import Json


@dataclass(frozen=True, slots=True)
class MemoryAnalytics:
    """One Arrow table for each name."""

    connection: Any
    seconds: float = 30.0
    kept: dict[str, pa.Table] = field(default_factory=dict)

    async def append(self, table: str, rows: Sequence[Json]) -> None:
        named(table)
        if not rows:
            return
        fresh = arrow(rows)
        before = self.kept.get(table)
        try:
            both = pa.concat_tables([before, fresh], promote_options="permissive") if before is not None else fresh
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise Invalid(f"the rows do not fit the table {table}: {error}") from error
        self.kept[table] = both

    async def ask(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[Json]:
        return await ask(self.connection, sql, parameters, set(self.kept), self._show, self.seconds)

    async def tables(self) -> set[str]:
        return set(self.kept)

    async def compact(self) -> None:
        """Nothing is scattered in memory."""

    async def close(self) -> None:
        self.connection.close()

    def _show(self, cursor: Any, table: str) -> None:
        cursor.register(table, self.kept[table])


async def make(address: str = "", *, home: Path | None = None, seconds: float = 30.0) -> MemoryAnalytics:
    """New, empty tables; the address is not used. A question may take `seconds`."""
    return MemoryAnalytics(connected(None), seconds)
