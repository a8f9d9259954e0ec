"""Budgets: what is counted, when people are told, and what happens when telling fails."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata.adapters.bus import memory as bus_memory
from strata.errors import Misconfigured
from strata.events import BudgetCrossed
from strata.reporting.budgets import crossed, period, resets_at, tally
from strata.reporting.options import Notifier
from strata.types import Budget, Money, now

LAB = Budget("lab", "Laboratory", "department:research", Money(10_000), alarm_percent=80)


async def crossings(bench):
    """Every alarm that the ledger commits, as a listener on the bus gets them."""
    heard = []
    bus = await bus_memory.make(home=bench.home, records=bench.records)

    async def listen(events):
        heard.extend(events)

    bus.subscribe("test", (BudgetCrossed,), listen)
    await bus.start()
    return bus, heard


async def test_each_threshold_is_told_once_in_a_period(opened, people, facts):
    bench = await opened(budgets=(LAB,))
    bus, heard = await crossings(bench)
    for cost in (7_999, 1, 1_000, 1_000, 5_000):
        await bench.ledger.hear(people.layer, facts.told(facts.used(cost)))
    await bus.drain()
    await bus.close()
    assert [(event.threshold_percent, event.spent_micros) for event in heard] == [(80, 8_000), (100, 10_000)]
    assert heard[0].period == now().strftime("%Y-%m")
    assert (heard[0].budget, heard[0].name, heard[0].limit_micros) == ("lab", "Laboratory", 10_000)


async def test_one_dear_call_passes_both_thresholds(opened, people, facts):
    bench = await opened(budgets=(LAB,))
    bus, heard = await crossings(bench)
    event = facts.used(50_000)
    await bench.ledger.hear(people.layer, facts.told(event))
    await bench.ledger.hear(people.layer, facts.told(event))
    await bus.drain()
    await bus.close()
    assert [event.threshold_percent for event in heard] == [80, 100]


async def test_a_budget_counts_only_its_own_subject_currency_and_period(opened, people, facts):
    bench = await opened(
        budgets=(
            Budget("all", "All", "tenant", Money(10**9)),
            replace(LAB, period="day"),
            Budget("rae", "Rae", "person:rae", Money(10**9)),
            Budget("euro", "Euro", "tenant", Money(10**9, "EUR")),
        )
    )
    await bench.ledger.hear(
        people.layer,
        facts.told(
            facts.used(1),
            facts.used(2, person="bob"),
            facts.used(4, department="safety", person="sue"),
            facts.used(8, currency="EUR"),
            facts.used(16, at=now() - timedelta(days=40)),
        ),
    )
    spent = {status.budget.id: status.spent for status in await bench.ledger.budgets(people.finance)}
    assert spent == {"all": 7, "lab": 3, "rae": 1, "euro": 8}


async def test_a_budget_shows_its_state_and_when_it_resets(opened, people, facts):
    bench = await opened(budgets=(LAB,))
    states = []
    for cost in (7_999, 1, 2_000):
        await bench.ledger.hear(people.layer, facts.told(facts.used(cost)))
        (status,) = await bench.ledger.budgets(people.finance)
        states.append(status.state)
    assert states == ["ok", "alarm", "exhausted"]
    assert status.resets_at > now()
    assert (status.resets_at.day, status.resets_at.hour, status.reserved) == (1, 0, 0)


async def test_people_see_the_budgets_of_their_department_and_their_own(opened, people):
    bench = await opened(
        budgets=(
            LAB,
            Budget("all", "All", "tenant", Money(1)),
            Budget("rae", "Rae", "person:rae", Money(1)),
            Budget("bob", "Bob", "person:bob", Money(1)),
            Budget("safety", "Safety", "department:safety", Money(1)),
        )
    )
    assert [status.budget.id for status in await bench.ledger.budgets(people.researcher)] == ["lab", "rae"]
    assert len(await bench.ledger.budgets(people.finance)) == 5
    report = await bench.ledger.usage(people.researcher, "person")
    assert [status.budget.id for status in report.budgets] == ["lab", "rae"]


async def test_two_ledgers_counting_at_once_lose_nothing(opened, people, facts):
    bench = await opened(budgets=(LAB, Budget("all", "All", "tenant", Money(10**9))))
    bus, heard = await crossings(bench)
    other = await bench.again()
    shared = [facts.used(500) for _ in range(10)]

    async def count(ledger):
        for event in shared:
            await ledger.hear(people.layer, facts.told(event, facts.used(500)))

    await asyncio.gather(count(bench.ledger), count(other))
    await other.close()
    await bus.drain()
    await bus.close()
    assert [status.spent for status in await bench.ledger.budgets(people.finance)] == [15_000, 15_000]
    assert [event.threshold_percent for event in heard] == [80, 100]


async def test_a_batch_that_touches_many_budgets_is_counted_whole(opened, people, facts):
    names = [f"p{number}" for number in range(120)]
    bench = await opened(budgets=tuple(Budget(name, name, f"person:{name}", Money(10)) for name in names))
    await bench.ledger.hear(people.layer, facts.told(*(facts.used(10, person=name) for name in names)))
    assert {status.state for status in await bench.ledger.budgets(people.finance)} == {"exhausted"}


async def test_a_raised_limit_is_alarmed_anew_and_a_lowered_one_at_the_next_call(opened, people, facts):
    bench = await opened(budgets=(LAB,))
    bus, heard = await crossings(bench)
    await bench.ledger.hear(people.layer, facts.told(facts.used(9_000)))
    for limit in (20_000, 5_000):
        changed = await bench.again(budgets=(replace(LAB, limit=Money(limit)),))
        await changed.hear(people.layer, facts.told(facts.used(1)))
        await changed.close()
    await bus.drain()
    await bus.close()
    told = [(event.limit_micros, event.threshold_percent) for event in heard]
    assert told == [(10_000, 80), (5_000, 80), (5_000, 100)]


amounts = st.integers(0, 20_000)


@given(st.lists(amounts, max_size=20), st.integers(1, 100))
def test_on_any_way_up_each_threshold_is_passed_at_most_once_and_exactly_at_its_line(costs, alarm):
    budget = replace(LAB, alarm_percent=alarm)
    spent, seen = 0, []
    for cost in costs:
        for threshold in crossed(budget, spent, spent + cost):
            assert spent * 100 < budget.limit.micros * threshold <= (spent + cost) * 100
            seen.append(threshold)
        spent += cost
    assert seen == sorted(set(seen))
    assert set(seen) == {t for t in (alarm, 100) if spent * 100 >= budget.limit.micros * t}


@given(st.lists(st.integers(-20_000, 20_000), max_size=20))
def test_corrections_do_not_make_an_alarm_ring_twice(costs):
    counter, seen = {"spent": 0, "terms": [], "told": []}, []
    for cost in costs:
        counter, passed = tally(LAB, counter, cost)
        seen.extend(passed)
    assert len(seen) == len(set(seen))
    assert counter["spent"] == sum(costs)


@pytest.mark.parametrize(
    ("kind", "at", "name", "reset"),
    [
        ("day", datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("month", datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "2026-12", datetime(2027, 1, 1, tzinfo=UTC)),
        ("month", datetime(2028, 1, 31, tzinfo=UTC), "2028-01", datetime(2028, 2, 1, tzinfo=UTC)),
        ("day", datetime.fromisoformat("2026-11-22T23:30:00-02:00"), "2026-11-23", datetime(2026, 11, 24, tzinfo=UTC)),
    ],
)
def test_periods_are_days_and_months_in_utc(kind, at, name, reset):
    budget = replace(LAB, period=kind)
    assert (period(budget, at), resets_at(budget, at)) == (name, reset)


async def test_every_wrong_setting_is_told_at_once(opened):
    with pytest.raises(Misconfigured) as caught:
        await opened(
            budgets=(
                LAB,
                LAB,
                Budget("b", "B", "team:x", Money(1)),
                Budget("c", "C", "person:", Money(-1), alarm_percent=0),
            ),
            notifiers=(Notifier("pigeon"), Notifier("webhook", {"url": "file:///etc/passwd", "colour": 1})),
            checkpoint_entries=0,
        )
    text = "\n".join(caught.value.mistakes)
    for wanted in (
        "two budgets called 'lab'",
        "'team:x'",
        "'person:'",
        "below zero",
        "0 percent",
        "no notifier called 'pigeon'; there are email, log, webhook",
        "no option 'colour'",
        "begins with https://",
        "checkpoint_entries",
    ):
        assert wanted in text
