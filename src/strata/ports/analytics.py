"""Rows that are only ever added, asked with portable SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from strata.types import Json


class Analytics(Protocol):
    """Append-only tables for reports.

    Appending is at least once: a row may be stored twice after a crash, so every row has an `id` and reports count
    distinct ids. When `append` returns, the rows survive kill -9. A table's columns are those of its first rows;
    later rows may bring new columns, which are null in the old ones.
    """

    async def append(self, table: str, rows: Sequence[Json]) -> None:
        """Rows with text, whole numbers, floats, booleans, aware datetimes or None."""
        ...

    async def ask(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[Json]:
        """One SELECT in portable SQL with named parameters (`$name`) over the tables. A table without rows yet is
        asked for with `Invalid`; `tables()` says which exist. Raises `Invalid` for anything but a SELECT.
        """
        ...

    async def tables(self) -> set[str]: ...

    async def compact(self) -> None:
        """Rewrite small files as few large ones; answers stay the same."""
        ...

    async def close(self) -> None: ...
