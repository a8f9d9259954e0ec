"""Asking DuckDB one SELECT, safely: nothing but the given tables can be reached, and answers come as plain JSON values."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from strata.errors import Deadline, Invalid, Unavailable
from strata.types import Json

TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")


def connected(folder: Path | None) -> Any:
    """A DuckDB connection that reads files of this folder only, loads no extension, and cannot be configured anew."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    connection.execute("SET python_enable_replacements = false")
    if folder is not None:
        connection.execute("SET allowed_directories = $folders", {"folders": [f"{folder}/"]})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def named(table: str) -> str:
    """The table's name, or `Invalid` when it is none."""
    if not TABLE.fullmatch(table):
        raise Invalid(f"a table's name has lower-case letters, digits and underscores, not {table!r}")
    return table


def arrow(rows: Sequence[Json]) -> pa.Table:
    """Rows as an Arrow table: the columns are those of all rows, a type for each that fits its values."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if not columns:
        raise Invalid("a row needs at least one column")
    return pa.table({name: _column(name, [row.get(name) for row in rows]) for name in columns})


def _column(name: str, values: list[object]) -> pa.Array:
    kinds = {type(value) for value in values} - {type(None)}
    strange = kinds - {str, int, float, bool, datetime}
    if strange:
        raise Invalid(f"column {name!r} holds {sorted(kind.__name__ for kind in strange)}, which tables do not keep")
    if any(isinstance(value, datetime) and value.tzinfo is None for value in values):
        raise Invalid(f"column {name!r} holds a time without a zone; times are aware UTC")
    if not kinds:
        return pa.nulls(len(values))
    if kinds == {int, float}:
        values = [float(value) if isinstance(value, int) else value for value in values]
        kinds = {float}
    if len(kinds) > 1:
        raise Invalid(f"column {name!r} mixes {sorted(kind.__name__ for kind in kinds)}")
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    try:
        return pa.array(values, types.get(kinds.pop(), pa.timestamp("us", tz="UTC")))
    except (pa.ArrowInvalid, OverflowError, UnicodeError) as error:
        raise Invalid(f"column {name!r} cannot be kept: {error}") from error


async def ask(
    connection: Any,
    sql: str,
    parameters: Mapping[str, object] | None,
    tables: set[str],
    show: Callable[[Any, str], None],
    seconds: float,
) -> list[Json]:
    """The rows of one SELECT, run in a thread on its own cursor and interrupted after `seconds`. `show` makes one of
    the tables visible to that cursor; it is called for those that the question names.
    """
    statement = _checked(connection, sql)
    cursor = connection.cursor()
    task = asyncio.ensure_future(asyncio.to_thread(_run, cursor, statement, dict(parameters or {}), tables, show))
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(task)
    except TimeoutError:
        raise Deadline(f"the question took longer than {seconds:g} s") from None
    finally:
        if not task.done():
            cursor.interrupt()
            await asyncio.gather(task, return_exceptions=True)
        cursor.close()


def _checked(connection: Any, sql: str) -> Any:
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise Invalid(f"not SQL that can be understood: {error}") from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise Invalid("ask one SELECT; nothing else is run here")
    return statements[0]


def _run(
    cursor: Any, statement: Any, parameters: Json, tables: set[str], show: Callable[[Any, str], None]
) -> list[Json]:
    try:
        for table in tables & set(re.findall(r"\w+", statement.query.lower())):
            show(cursor, table)
        found = cursor.sql(statement.query, params={name: parameters[name] for name in statement.named_parameters})
        return _plain(found.to_arrow_table())
    except KeyError as error:
        raise Invalid(f"the question names the parameter ${error.args[0]}, which was not given") from error
    except duckdb.CatalogException as error:
        raise Invalid(f"{_first(error)}; the tables with rows are {sorted(tables)}") from error
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise Unavailable(f"the tables cannot be read: {_first(error)}") from error
    except duckdb.Error as error:
        raise Invalid(f"the question cannot be answered: {_first(error)}") from error


def _first(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _plain(table: pa.Table) -> list[Json]:
    columns = {
        name: [_value(value) for value in table.column(i).to_pylist()] for i, name in enumerate(table.column_names)
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date | time):
        return value.isoformat()
    return value
