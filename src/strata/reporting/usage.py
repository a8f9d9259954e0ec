"""The meter: one analytics row for every model call, and what the rows say when summed.

A call that is told of twice counts once: a mark in the records remembers it for some months, and since a crash can fall
between the row and the mark, the SQL counts distinct ids as well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files

from strata.errors import Conflict, Invalid, StrataError, Unavailable
from strata.events import UsageRecorded
from strata.ports.analytics import Analytics
from strata.ports.months import Months, Periods
from strata.ports.records import Put, Records
from strata.reporting.budgets import Budgets
from strata.reporting.cost import Charge
from strata.types import DayUsage, Json, UsageReport, UsageRow, now

log = logging.getLogger(__name__)

TABLE = "usage"
DIMENSIONS = ("department", "person", "assistant", "model")
NUMBERS = ("requests", "prompt_tokens", "completion_tokens", "cost_micros")
MOST_DAYS = 3660
COMPACT_EVERY = 64
REMEMBERED = 3
"""Months for which it is known that a call has been counted, and what a budget's period that is over came to; no fact is
told again so late."""

ATTEMPTS = 20


@dataclass(slots=True)
class _Files:
    """Appends since the last compaction. The first append after a start compacts what earlier runs left."""

    appends: int = COMPACT_EVERY - 1


@dataclass(frozen=True, slots=True)
class UsageMeter:
    """`currency` is that of all reports: calls in another currency count as calls, and their cost is not summed.

    `heard` marks the calls that have been counted, by the month in which each ended; `counters` are those of `budgets`.
    """

    tenant: str
    records: Records
    analytics: Analytics
    budgets: Budgets
    currency: str
    heard: Months
    counters: Periods
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, compare=False, repr=False)
    _files: _Files = field(default_factory=_Files, compare=False, repr=False)

    async def count(self, events: Sequence[UsageRecorded]) -> None:
        """Enter calls that are not entered yet, in the table and on their budgets. Raises `Unavailable`."""
        unique = list({event.id: event for event in events}.values())
        async with self._lock:
            for batch in self.budgets.batches(unique):
                await self._count(batch)

    async def report(self, by: str, days: int, department: str) -> UsageReport:
        """The last `days` days (UTC, today included); `department` empty means all. Budgets are left out.

        Raises `Invalid` for a dimension or a number of days that there is not.
        """
        if by not in DIMENSIONS:
            raise Invalid(f"usage is reported by {', '.join(DIMENSIONS)}, not by {by!r}")
        if not 1 <= days <= MOST_DAYS:
            raise Invalid(f"usage is reported for 1 to {MOST_DAYS} days, not for {days}")
        till = now()
        first = till.date() - timedelta(days=days - 1)
        asked = (first, till.date(), department)
        rows = [_row(found) for found in await self._ask("usage.sql", *asked, by=by, currency=self.currency)]
        daily = [
            DayUsage(found["day"], int(found["requests"]), int(found["cost_micros"]))
            for found in await self._ask("daily.sql", *asked, currency=self.currency)
        ]
        since = datetime(first.year, first.month, first.day, tzinfo=UTC)
        return UsageReport(by, since, till, self.currency, _total(rows), tuple(rows), tuple(daily), ())

    async def charges(self, since: date, till: date, department: str) -> list[Charge]:
        """What was charged from the day `since` to the day `till`, both included."""
        return [_charge(found) for found in await self._ask("charges.sql", since, till, department)]

    async def _count(self, batch: list[UsageRecorded]) -> None:
        fresh = await self._unheard(batch)
        if not fresh:
            return
        await self.analytics.append(TABLE, [row(event) for event in fresh])
        await self._settle(fresh)
        await self._compact()

    async def _settle(self, fresh: list[UsageRecorded]) -> None:
        for _ in range(ATTEMPTS):
            counters, crossed = await self.budgets.after(fresh)
            marks = [Put(self.heard.place(event.at), event.id, {}, version=0) for event in fresh]
            try:
                await self.records.commit(*marks, *counters, events=crossed)
            except Conflict:
                fresh = await self._unheard(fresh)
                if not fresh:
                    return
                continue
            return
        raise Unavailable(f"usage could not be counted in {ATTEMPTS} attempts: too many count it at once")

    async def _unheard(self, events: list[UsageRecorded]) -> list[UsageRecorded]:
        seen = await asyncio.gather(*(self.records.get(self.heard.place(event.at), event.id) for event in events))
        return [event for event, mark in zip(events, seen, strict=True) if mark is None]

    async def _compact(self) -> None:
        self._files.appends += 1
        if self._files.appends < COMPACT_EVERY:
            return
        self._files.appends = 0
        try:
            await self.analytics.compact()
        except StrataError as error:  # the rows stand; more files only make reports slower
            log.warning("the usage table could not be compacted: %s", error)
        try:
            await self.heard.prune()
            await self.counters.prune()
        except StrataError as error:  # they only take room
            log.warning("marks and counters of long ago could not be removed: %s", error)

    async def _ask(self, name: str, since: date, till: date, department: str, **more: str) -> list[Json]:
        if TABLE not in await self.analytics.tables():
            return []
        parameters = {
            "tenant": self.tenant,
            "since": since.isoformat(),
            "till": till.isoformat(),
            "department": department,
            **more,
        }
        return await self.analytics.ask(_sql(name), parameters)


def row(event: UsageRecorded) -> Json:
    """A call as a row of the table `usage`. `at` is ISO 8601 text in UTC, `day` its date."""
    at = event.at.astimezone(UTC)
    return {
        "id": event.id,
        "request": event.request,
        "at": at.isoformat(),
        "day": at.date().isoformat(),
        "tenant": event.tenant,
        "department": event.payer.department,
        "person": event.payer.person,
        "assistant": event.payer.assistant,
        "key": event.payer.key,
        "model": event.model,
        "provider": event.provider,
        "operation": event.operation,
        "prompt_tokens": event.usage.prompt_tokens,
        "completion_tokens": event.usage.completion_tokens,
        "cached_tokens": event.usage.cached_tokens,
        "reasoning_tokens": event.usage.reasoning_tokens,
        "cost_micros": event.cost_micros,
        "currency": event.currency,
        "outcome": event.outcome,
        "duration_ms": event.duration_ms,
        "streamed": event.streamed,
        "estimated": event.estimated,
    }


def _sql(name: str) -> str:
    return files("strata.reporting").joinpath("sql", name).read_text()


def _row(found: Json) -> UsageRow:
    return UsageRow(found["name"], *(int(found[name]) for name in NUMBERS))


def _charge(found: Json) -> Charge:
    return Charge(**{**found, **{name: int(found[name]) for name in NUMBERS}})


def _total(rows: list[UsageRow]) -> UsageRow:
    return UsageRow(
        "",
        sum(row.requests for row in rows),
        sum(row.prompt_tokens for row in rows),
        sum(row.completion_tokens for row in rows),
        sum(row.cost_micros for row in rows),
    )
