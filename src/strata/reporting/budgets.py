"""Budgets as reporting sees them: what was spent in each period, and who is told when a threshold is passed.

The gateway's brake is another matter: it reserves before a call. Here spending is counted from the facts, in
`<tenant>/budgets`, one record for each budget and period.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from strata import budgets as rules
from strata.budgets import crossed, period, resets_at, thresholds
from strata.events import BudgetCrossed, UsageRecorded
from strata.ports.records import MAX_CHANGES, Put, Record, Records
from strata.types import Budget, BudgetStatus, Json, now

UNTOUCHED: Json = {"spent": 0, "terms": [], "told": []}
MOST_MEMBERS = 1000


def payer_of(budget: Budget, event: UsageRecorded) -> str | None:
    """Whose counter of a budget a call counts on ("" where there is one), or None where it counts on none: the payer or
    the model is not its subject, or the currency another.
    """
    if event.currency != budget.limit.currency:
        return None
    return rules.member(rules.terms(budget.subject), event.payer, event.model)


def mistakes(budgets: Sequence[Budget]) -> Iterator[str]:
    """What an operator has to mend."""
    seen: set[str] = set()
    for budget in budgets:
        if budget.id in seen:
            yield f"there are two budgets called {budget.id!r}"
        seen.add(budget.id)
        for mistake in rules.mistakes(budget):
            yield f"budget {budget.id!r}: {mistake}"


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
            own = {_place(budget, *where) for budget in self.budgets if (where := _where(budget, event))}
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
            costs: dict[tuple[str, str], int] = {}
            for event in events:
                if where := _where(budget, event):
                    costs[where] = costs.get(where, 0) + event.cost_micros
            for (when, member), cost in costs.items():
                record = await self._counter(budget, when, member)
                value, passed = tally(budget, record.value if record else UNTOUCHED, cost)
                place = _place(budget, when, member)
                counters.append(Put(self._spent, place, value, version=record.version if record else 0))
                facts.extend(self._fact(budget, when, member, threshold, value["spent"]) for threshold in passed)
        return counters, facts

    async def status(self) -> list[BudgetStatus]:
        """Every budget in its present period; of one that each has for themselves, those that were touched in it, up to
        `MOST_MEMBERS`. Nothing is reserved here: only the gateway knows calls under way.
        """
        moment = now()
        found = await asyncio.gather(*(self._statuses(budget, moment) for budget in self.budgets))
        return [status for each in found for status in each]

    async def _statuses(self, budget: Budget, moment: datetime) -> list[BudgetStatus]:
        when = period(budget, moment)
        if not any(value == rules.EACH for _, value in rules.terms(budget.subject)):
            record = await self._counter(budget, when, "")
            return [_status(budget, record.value["spent"] if record else 0, moment)]
        prefix = f"{_place(budget, when, '')}/"
        records = await self.records.query(self._spent, prefix, limit=MOST_MEMBERS)
        return [_status(budget, each.value["spent"], moment, each.key.removeprefix(prefix)) for each in records]

    async def _counter(self, budget: Budget, when: str, member: str) -> Record | None:
        return await self.records.get(self._spent, _place(budget, when, member))

    def _fact(self, budget: Budget, when: str, member: str, threshold: int, spent: int) -> BudgetCrossed:
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
            member=member,
        )

    @property
    def _spent(self) -> str:
        return f"{self.tenant}/budgets"


def tally(budget: Budget, counter: Json, cost: int) -> tuple[Json, list[int]]:
    """A counter with a cost added, and the thresholds to tell of: each once for a period and limit.

    When the operator changed the limit or the alarm, what was already spent is judged anew.
    """
    spent = counter["spent"] + cost
    terms = [budget.limit.micros, *thresholds(budget)]
    before = counter["spent"] if counter["terms"] == terms else 0
    told = counter["told"] if counter["terms"][:1] == terms[:1] else []
    passed = [threshold for threshold in crossed(budget, before, spent) if threshold not in told]
    return {"spent": spent, "terms": terms, "told": [*told, *passed]}, passed


def _where(budget: Budget, event: UsageRecorded) -> tuple[str, str] | None:
    """The counter of a budget that a call counts on: its period, and whose it is."""
    member = payer_of(budget, event)
    return None if member is None else (period(budget, event.at), member)


def ended(place: str) -> date | None:
    """The last day of the period of a counter, by its key; None where it never ends."""
    return rules.last_day(place.partition("/")[0])


def _place(budget: Budget, when: str, member: str) -> str:
    return f"{when}/{budget.id}/{member}" if member else f"{when}/{budget.id}"


def _status(budget: Budget, spent: int, moment: datetime, member: str = "") -> BudgetStatus:
    when, state = period(budget, moment), rules.state(budget, spent)
    return BudgetStatus(budget, when, spent, 0, state, resets_at(budget, moment), member)
