"""Excel workbooks: each visible sheet is a page, each block of filled rows a table, with the values last calculated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from strata.data.draft import Draft
from strata.data.office import open_package
from strata.data.parser import Parser, Unreadable
from strata.types import ParsedText

MEDIA = ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",)

_MAX_CELLS = 3_000_000
_EMPTY_ROWS = 2_000
_VALUE = re.compile(r"[-+]?\d[\d.,:%e+ -]*")
_YEAR = re.compile(r"(?:19|20)\d\d")


def make() -> Parser:
    return Workbook()


@dataclass(frozen=True, slots=True)
class Workbook:
    """Empty rows part tables, but not a header from its rows. What stands above a header is a caption or a remark."""

    def parse(self, data: bytes, name: str) -> ParsedText:  # noqa: ARG002 - the bytes say it all
        from openpyxl import load_workbook

        try:
            book = load_workbook(open_package(data), read_only=True, data_only=True)
        except (KeyError, ValueError, TypeError, AttributeError, SyntaxError, OSError) as error:
            raise Unreadable("the file is broken: Excel's parts are missing or not well formed") from error
        draft = Draft(title=book.properties.title or "")
        for number, sheet in enumerate(book.worksheets, 1):
            if sheet.sheet_state == "visible":
                draft.turn(number)
                _write_sheet(draft, sheet)
        return draft.parsed()


def _write_sheet(draft: Draft, sheet: Any) -> None:
    regions = list(_regions(_rows(sheet)))
    if regions:
        draft.heading(sheet.title, 1)
    listed = all(len(_used(region)) == 1 for region in regions)
    for region in _joined(regions):
        start = 0 if listed and len(region) > 1 else _header(region)
        for row in region[:start]:
            draft.paragraph(": ".join(filter(None, row)))
        if start < len(region):
            draft.table(region[start:])


def _rows(sheet: Any) -> Iterator[list[str]]:
    sheet.reset_dimensions()
    cells = empty = 0
    for row in sheet.iter_rows():
        texts = [_text(cell) for cell in row]
        while texts and not texts[-1]:
            texts.pop()
        empty = 0 if texts else empty + 1
        cells += len(texts)
        if cells > _MAX_CELLS:
            raise Unreadable(f"the workbook has more than {_MAX_CELLS:,} filled cells in a sheet; send it in parts")
        if empty > _EMPTY_ROWS:
            return
        yield texts


def _regions(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    region: list[list[str]] = []
    for row in rows:
        if row:
            region.append(row)
        elif region:
            yield region
            region = []
    if region:
        yield region


def _joined(regions: Iterable[list[list[str]]]) -> Iterator[list[list[str]]]:
    """Regions, with those that an empty line parts from the header above them put below it."""
    table: list[list[str]] = []
    columns: list[int] = []
    bare = False
    for region in regions:
        if columns and _continues(region, columns, bare):
            table.extend(region)
            columns, bare = _used(region), False
            continue
        if table:
            yield table
        table, start = region, _header(region)
        columns = _used(region[start:])
        bare = start == len(region) - 1
        if start == len(region) or not _labels(region[start], columns):
            columns = []
    if table:
        yield table


def _continues(region: Sequence[list[str]], columns: Sequence[int], bare: bool) -> bool:
    """Whether the region's rows belong to the table above, of which nothing but the header is there if it is `bare`:
    they do if they fill its columns and bring neither header nor caption along. A bare header may leave the first
    column, which names the rows, without a name.
    """
    used = _used(region)
    if used != columns and not (bare and len(columns) > 1 and used[1:] == columns):
        return False
    if _header(region) > 0 or 2 * sum(map(bool, region[0])) <= len(used):
        return False
    if not _labels(region[0], used):
        return True
    below = [[row[column] for row in region[1:] if column < len(row) and row[column]] for column in used]
    return bare and not any(cells and not any(map(_is_label, cells)) for cells in below)


def _header(region: Sequence[list[str]]) -> int:
    """The index of a region's header: the first row that fills more than half of its columns. Above it stand titles
    and remarks, which begin in the first column; a region of nothing else has no header, and its length is returned.
    """
    columns = _used(region)
    if len(columns) == 1:
        return len(region)
    for index, row in enumerate(region):
        filled = [column for column, cell in enumerate(row) if cell]
        alone = len(filled) == 1 and len(columns) > 2
        if not alone and (2 * len(filled) > len(columns) or filled[0] != columns[0]):
            return index
    return 0


def _used(region: Iterable[list[str]]) -> list[int]:
    return sorted({column for row in region for column, cell in enumerate(row) if cell})


def _labels(row: Sequence[str], columns: Sequence[int]) -> bool:
    """Whether the row names every one of the columns."""
    return all(column < len(row) and _is_label(row[column]) for column in columns)


def _is_label(cell: str) -> bool:
    """Words, or a year: what a column may be called."""
    return bool(_YEAR.fullmatch(cell)) or not (_VALUE.fullmatch(cell) or cell in {"", "TRUE", "FALSE"})


def _text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, (int, float)):
        return _number(value, str(getattr(cell, "number_format", "") or ""))
    return str(value).strip()


def _number(value: float, form: str) -> str:
    if "%" in form:
        return f"{value * 100:.10g}%"
    return str(value) if isinstance(value, int) else f"{value:.12g}"
