"""What a vendor's invoice says beside what we charged, for each day and model: where the two differ, somebody should look.

An invoice is a CSV file with the columns `day`, `model`, `cost` and perhaps `currency`, or in the FOCUS format
(`ChargePeriodStart`, `ResourceName` or `SkuId`, `BilledCost`, `BillingCurrency`). Vendors know a model by another name than
we do, and a route of ours has several behind it, so names that mean the same are compared together.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from strata.errors import Invalid

DAY = ("day", "date", "ChargePeriodStart")
MODEL = ("model", "ResourceName", "ResourceId", "SkuId")
COST = ("cost", "BilledCost")
CURRENCY = ("currency", "BillingCurrency")


@dataclass(frozen=True, slots=True)
class Line:
    """The cost of one model on one day, in units of the currency ("" where the file does not say)."""

    day: str
    model: str
    cost: Decimal
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """What was charged here and what the vendor bills, for models that mean the same."""

    day: str
    models: str
    ours: Decimal
    theirs: Decimal

    @property
    def excess(self) -> Decimal:
        """What the vendor bills above what was charged."""
        return self.theirs - self.ours


def read(lines: Iterable[str]) -> list[Line]:
    """The lines of a CSV file. Raises `Invalid` with the number of the line that cannot be read."""
    rows = csv.DictReader(lines)
    names = rows.fieldnames or ()
    day, model, cost = (_column(names, choices) for choices in (DAY, MODEL, COST))
    currency = next((name for name in CURRENCY if name in names), "")
    return [_line(number, row, day, model, cost, currency) for number, row in enumerate(rows, 2)]


def differences(
    ours: Iterable[Line], theirs: Iterable[Line], alike: Iterable[Iterable[str]] = (), tolerance: Decimal = Decimal(0)
) -> list[Difference]:
    """Where the sums of a day and model differ by more than the tolerance. `alike` are names that mean the same."""
    names = _groups(alike)
    sums: dict[tuple[str, str], list[Decimal]] = {}
    for side, lines in enumerate((ours, theirs)):
        for line in lines:
            both = sums.setdefault((line.day, names.get(line.model, line.model)), [Decimal(0), Decimal(0)])
            both[side] += line.cost
    found = [Difference(day, models, mine, billed) for (day, models), (mine, billed) in sorted(sums.items())]
    return [each for each in found if abs(each.excess) > tolerance]


def _groups(alike: Iterable[Iterable[str]]) -> Mapping[str, str]:
    """Each name's group, called by all of its names."""
    groups: list[set[str]] = []
    for names in alike:
        joined = {name for name in names if name}
        apart = [group for group in groups if not group & joined]
        groups = [*apart, joined.union(*(group for group in groups if group & joined))]
    return {name: " = ".join(sorted(group)) for group in groups for name in group}


def _column(names: Sequence[str], choices: Sequence[str]) -> str:
    for choice in choices:
        if choice in names:
            return choice
    raise Invalid(f"the invoice has none of the columns {', '.join(choices)}; it has {', '.join(names) or 'none'}")


def _line(number: int, row: Mapping[str, str | None], day: str, model: str, cost: str, currency: str) -> Line:
    try:
        when = date.fromisoformat((row[day] or "")[:10])
        sum_ = Decimal(row[cost] or "")
    except (ValueError, InvalidOperation) as error:
        raise Invalid(
            f"line {number} of the invoice: {row[day]!r} and {row[cost]!r} should be a day such as 2026-11-23 and a cost"
        ) from error
    return Line(when.isoformat(), row[model] or "", sum_, (row[currency] or "") if currency else "")
