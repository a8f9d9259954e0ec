"""Budgets as reporting sees them: what was spent in each period, and who is told when a threshold is passed.

The gateway's brake is another matter: it reserves before a call. Here spending is counted from the facts, in
`<tenant>/budgets`, one record for each budget and period.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Literal

from strata.events import BudgetCrossed, UsageRecorded
from strata.ports.records import MAX_CHANGES, Put, Record, Records
from strata.types import Budget, BudgetStatus, Json, Subject, now

SUBJECTS = tuple(field.name for field in fields(Subject) if field.name != "tenant")
UNTOUCHED: Json = {"spent": 0, "terms": [], "told": []}


def crossed(budget: Budget, before: int, after: int) -> Iterator[int]:
    """The thresholds, in percent and ascending, that spending passed on its way from `before` to `after` micro-units."""
    for threshold in sorted({budget.alarm_percent, 100}):
        line = budget.limit.micros * threshold
        if before * 100 < line <= after * 100:
            yield threshold


def period(budget: Budget, at: datetime) -> str:
    """The period that a moment falls in, in UTC: `2026-11-22` or `2026-11`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d" if budget.period == "day" else "%Y-%m")


def resets_at(budget: Budget, at: datetime) -> datetime:
    """When the period of this moment ends and the next begins."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if budget.period == "day":
        return day + timedelta(days=1)
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def pays(budget: Budget, event: UsageRecorded) -> bool:
    """Whether a call counts against a budget: same currency, and the payer is its subject."""
    if event.currency != budget.limit.currency:
        return False
    name, _, value = budget.subject.partition(":")
    return name == "tenant" or getattr(event.payer, name) == value


def mistakes(budgets: Sequence[Budget]) -> Iterator[str]:
    """What an operator has to mend."""
    seen: set[str] = set()
    for budget in budgets:
        name, _, value = budget.subject.partition(":")
        if budget.id in seen:
            yield f"there are two budgets called {budget.id!r}"
        seen.add(budget.id)
        if budget.subject != "tenant" and (name not in SUBJECTS or not value):
            choices = ", ".join(f"{choice}:…" for choice in SUBJECTS)
            yield f"budget {budget.id!r} has the subject {budget.subject!r}; there are tenant, {choices}"
        if budget.limit.micros < 0:
            yield f"budget {budget.id!r} has a limit below zero"
        if not 1 <= budget.alarm_percent <= 100:
            yield f"budget {budget.id!r} alarms at {budget.alarm_percent} percent; it must be 1 to 100"


@dataclass(frozen=True, slots=True)
class Budgets:
    tenant: str
    records: Records
    budgets: tuple[Budget, ...]

    def batches(self, events: Sequence[UsageRecorded]) -> Iterator[list[UsageRecorded]]:
        """The events in runs that fit one commit: a mark each, and for each counter a change and two facts at most."""
        batch: list[UsageRecorded] = []
        places: set[str] = set()
        for event in events:
            own = {_place(budget, period(budget, event.at)) for budget in self.budgets if pays(budget, event)}
            if batch and len(batch) + 1 + 3 * len(places | own) > MAX_CHANGES:
                yield batch
                batch, places = [], set()
            batch.append(event)
            places |= own
        if batch:
            yield batch

    async def after(self, events: Sequence[UsageRecorded]) -> tuple[list[Put], list[BudgetCrossed]]:
        """The counters as these events leave them, each against its version, and the thresholds that they pass."""
        counters: list[Put] = []
        facts: list[BudgetCrossed] = []
        for budget in self.budgets:
            costs: dict[str, int] = {}
            for event in events:
                if pays(budget, event):
                    when = period(budget, event.at)
                    costs[when] = costs.get(when, 0) + event.cost_micros
            for when, cost in costs.items():
                record = await self._counter(budget, when)
                value, passed = tally(budget, record.value if record else UNTOUCHED, cost)
                counters.append(Put(self._spent, _place(budget, when), value, version=record.version if record else 0))
                facts.extend(self._fact(budget, when, threshold, value["spent"]) for threshold in passed)
        return counters, facts

    async def status(self) -> list[BudgetStatus]:
        """Every budget in its present period. Nothing is reserved here: only the gateway knows calls under way."""
        moment = now()
        records = await asyncio.gather(*(self._counter(budget, period(budget, moment)) for budget in self.budgets))
        return [
            _status(budget, record.value["spent"] if record else 0, moment)
            for budget, record in zip(self.budgets, records, strict=True)
        ]

    async def _counter(self, budget: Budget, when: str) -> Record | None:
        return await self.records.get(self._spent, _place(budget, when))

    def _fact(self, budget: Budget, when: str, threshold: int, spent: int) -> BudgetCrossed:
        return BudgetCrossed(
            tenant=self.tenant,
            actor="reporting",
            budget=budget.id,
            name=budget.name,
            period=when,
            threshold_percent=threshold,
            spent_micros=spent,
            limit_micros=budget.limit.micros,
            currency=budget.limit.currency,
        )

    @property
    def _spent(self) -> str:
        return f"{self.tenant}/budgets"


def tally(budget: Budget, counter: Json, cost: int) -> tuple[Json, list[int]]:
    """A counter with a cost added, and the thresholds to tell of: each once for a period and limit.

    When the operator changed the limit or the alarm, what was already spent is judged anew.
    """
    spent = counter["spent"] + cost
    terms = [budget.limit.micros, budget.alarm_percent]
    before = counter["spent"] if counter["terms"] == terms else 0
    told = counter["told"] if counter["terms"][:1] == terms[:1] else []
    passed = [threshold for threshold in crossed(budget, before, spent) if threshold not in told]
    return {"spent": spent, "terms": terms, "told": [*told, *passed]}, passed


def _place(budget: Budget, when: str) -> str:
    return f"{when}/{budget.id}"


def _status(budget: Budget, spent: int, moment: datetime) -> BudgetStatus:
    state: Literal["ok", "alarm", "exhausted"] = "ok"
    if spent >= budget.limit.micros:
        state = "exhausted"
    elif spent * 100 >= budget.limit.micros * budget.alarm_percent:
        state = "alarm"
    return BudgetStatus(budget, period(budget, moment), spent, 0, state, resets_at(budget, moment))
