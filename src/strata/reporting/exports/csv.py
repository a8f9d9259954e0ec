"""Charges as plain comma-separated values, one line for each payer, model and day."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from strata.reporting.cost import Charge, amount

COLUMNS = [field.name for field in fields(Charge) if field.name != "cost_micros"] + ["cost"]


@dataclass(frozen=True, slots=True)
class CsvExport:
    media: str = "text/csv"

    def write(self, charges: Iterable[Charge]) -> Iterator[str]:
        yield line(COLUMNS)
        for charge in charges:
            cells = [str(getattr(charge, name)) for name in COLUMNS[:-1]]
            yield line([*cells, format(amount(charge.cost_micros), "f")])


def line(cells: Iterable[str]) -> str:
    """One CSV line. A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    written = io.StringIO()
    csv.writer(written).writerow([f"'{cell}" if cell[:1] in {"=", "+", "@", "\t", "\r"} else cell for cell in cells])
    return written.getvalue()


def make(tenant: str) -> CsvExport:  # noqa: ARG001 - a tenant exports its own charges: no column names it
    return CsvExport()
