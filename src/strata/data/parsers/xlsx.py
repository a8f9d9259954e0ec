"""Excel workbooks: each visible sheet is a page, each block of filled rows a table, with the values last calculated."""

from __future__ import annotations

from collections.abc import Iterator
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


def make() -> Parser:
    return Workbook()


@dataclass(frozen=True, slots=True)
class Workbook:
    """Empty rows part tables. A row of one cell is a paragraph: a caption or a remark."""

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
    for region in regions:
        while region and sum(map(bool, region[0])) == 1 and (len(region) == 1 or sum(map(bool, region[1])) != 1):
            draft.paragraph("".join(region.pop(0)))
        if region:
            draft.table(region)


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
