"""Whom a budget or a limit concerns, its periods and its thresholds: the same for the brake, the ledger and the reader.

A subject is `tenant`, or a field and a value such as `department:research` or `model:smart`; `person:*` means each
person for themselves; several joined with `+` must all hold: `department:research+model:smart`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from urllib.parse import quote, unquote

from strata.types import Budget, BudgetStatus, Period, Subject

KINDS = ("department", "person", "assistant", "key", "model")
PERIODS: tuple[Period, ...] = ("day", "week", "month", "quarter", "year", "total")
EACH = "*"

Terms = tuple[tuple[str, str], ...]


def terms(subject: str) -> Terms:
    """The conditions of a subject: (field, value) each; none for the whole tenant.

    Raises `ValueError` that says what there is.
    """
    if subject == "tenant":
        return ()
    found = []
    for term in subject.split("+"):
        kind, _, value = term.partition(":")
        if kind not in KINDS or not value:
            choices = ", ".join(f"{kind}:NAME" for kind in KINDS)
            raise ValueError(
                f"the subject {subject!r} is none of tenant, {choices}; NAME may be *, and + joins several"
            )
        found.append((kind, value))
    if len({kind for kind, _ in found}) < len(found):
        raise ValueError(f"the subject {subject!r} names a kind twice")
    return tuple(found)


def member(terms: Terms, payer: Subject, model: str) -> str | None:
    """Which counter of a subject a call belongs to: "" where there is one, `person:ines` where each has its own; None
    where the call is none of the subject's.
    """
    own: list[str] = []
    for kind, value in terms:
        actual = model if kind == "model" else getattr(payer, kind)
        if not actual or value not in {EACH, actual}:
            return None
        if value == EACH:
            own.append(f"{kind}:{actual}")
    return "+".join([quote(each, safe=":@ ") for each in own])


def concerned(subject: str, member: str = "") -> Terms:
    """The conditions of one counter of a subject: those that are fixed, and whose it is."""
    fixed = [(kind, value) for kind, value in terms(subject) if value != EACH]
    each = [term.partition(":") for term in member.split("+") if term]
    return (*fixed, *[(kind, unquote(value)) for kind, _, value in each])


def whose(subject: str, member: str = "") -> str:
    """A subject as an error names it: of a counter that each has, whose it is."""
    return "+".join([f"{kind}:{value}" for kind, value in concerned(subject, member)]) or "tenant"


def own(status: BudgetStatus, department: str, person: str) -> bool:
    """Whether a budget is a department's or a person's own: it concerns one of them, and nobody else."""
    found = dict(concerned(status.budget.subject, status.member))
    people = {kind: found[kind] for kind in ("department", "person") if kind in found}
    return bool(people) and people.items() <= {"department": department, "person": person}.items()


def place(id: str, when: str, member: str) -> str:
    """The last part of a counter's key: budgets before periods, so that a budget's counters stand together."""
    return f"{id}/{when}/{member}" if member else f"{id}/{when}"


def period(budget: Budget, at: datetime) -> str:
    """The period that a moment falls in, in UTC: `2026-11-22`, `2026-W47`, `2026-11`, `2026-Q4`, `2026` or `total`."""
    day = at.astimezone(UTC)
    match budget.period:
        case "day":
            return f"{day.year}-{day.month:02}-{day.day:02}"
        case "week":
            year, week, _ = day.isocalendar()
            return f"{year}-W{week:02}"
        case "month":
            return f"{day.year}-{day.month:02}"
        case "quarter":
            return f"{day.year}-Q{(day.month + 2) // 3}"
        case "year":
            return f"{day.year}"
        case _:
            return "total"


def ended(place: str) -> date | None:
    """The last day of the period of a counter, by its key; None where it never ends."""
    _, _, rest = place.partition("/")
    return last_day(rest.partition("/")[0])


def last_day(period: str) -> date | None:
    """The last day of a period as `period` writes them; None for one that never ends, or is none."""
    year, _, part = period.partition("-")
    try:
        if part.startswith("W"):
            return date.fromisocalendar(int(year), int(part[1:]), 7)
        if part.count("-"):
            return date.fromisoformat(period)
        month = int(part[1:]) * 3 if part.startswith("Q") else int(part or 12)
        return (datetime(int(year) + month // 12, month % 12 + 1, 1, tzinfo=UTC) - timedelta(days=1)).date()
    except ValueError:
        return None


def resets_at(budget: Budget, at: datetime) -> datetime | None:
    """When the period of this moment ends and the next begins, in UTC; None for one that never does."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match budget.period:
        case "day":
            return day + timedelta(days=1)
        case "week":
            return day + timedelta(days=7 - day.weekday())
        case "month":
            return _month_after(day, 1)
        case "quarter":
            return _month_after(day, 3 - (day.month - 1) % 3)
        case "year":
            return day.replace(year=day.year + 1, month=1, day=1)
        case _:
            return None


def resets(budget: Budget, at: datetime) -> str:
    """The same in words."""
    when = resets_at(budget, at)
    return f"it resets at {when:%Y-%m-%d %H:%M} UTC" if when else "it never resets"


def thresholds(budget: Budget) -> list[int]:
    """The percentages of the limit at which people are told, ascending; the limit itself is the last."""
    return sorted({budget.alarm_percent, *budget.alarms, 100})


def crossed(budget: Budget, before: int, after: int) -> Iterator[int]:
    """The thresholds, in percent and ascending, that spending passed on its way from `before` to `after` micro-units."""
    for threshold in thresholds(budget):
        line = budget.limit.micros * threshold
        if before * 100 < line <= after * 100:
            yield threshold


def state(budget: Budget, spent: int) -> Literal["ok", "alarm", "exhausted"]:
    """`ok`, `alarm` from the first threshold on, or `exhausted` from the limit on."""
    if spent >= budget.limit.micros:
        return "exhausted"
    return "alarm" if spent * 100 >= budget.limit.micros * thresholds(budget)[0] else "ok"


def mistakes(budget: Budget) -> Iterator[str]:
    """What an operator has to mend in one budget."""
    try:
        terms(budget.subject)
    except ValueError as error:
        yield str(error)
    if budget.limit.micros < 0:
        yield "the limit is below zero"
    if budget.period not in PERIODS:
        yield f"the period {budget.period!r} is none of {', '.join(PERIODS)}"
    if any(not 1 <= threshold <= 100 for threshold in thresholds(budget)):
        given = ", ".join(str(percent) for percent in sorted({budget.alarm_percent, *budget.alarms}))
        yield f"it alarms at {given} percent; each must be 1 to 100"


def _month_after(day: datetime, months: int) -> datetime:
    """The first of the month so many months later."""
    count = day.year * 12 + day.month - 1 + months
    return day.replace(year=count // 12, month=count % 12 + 1, day=1)
