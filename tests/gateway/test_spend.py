"""Budgets: no interleaving of calls, crashes and reconcilers overshoots one, loses a call or counts it twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata.adapters.records.memory import MemoryRecords
from strata.adapters.records.sqlite import make as sqlite_records
from strata.budgets import period, resets_at
from strata.errors import BudgetExhausted, Conflict
from strata.gateway.lease import Lease, mine, surely_dead
from strata.gateway.spend import Bill, Quote, Reservation, Spend
from strata.types import Budget, Money, Subject, Usage

PAYER = Subject("t", "research", "ines", "helper", "key_1")
START = datetime(2026, 8, 31, 23, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


def till(records: Any, *budgets: Budget, lease: str = "lease_a", clock: Any = None) -> Spend:
    """A process elsewhere: its death is only seen by its lease running out."""
    return Spend(records, "t", budgets, Lease(lease, "elsewhere", 1, "1"), 60.0, clock or Clock())


def limit(micros: int, subject: str = "tenant", id: str = "all") -> Budget:
    return Budget(id, id, subject, Money(micros))


def quote(request: str, estimate: int, payer: Subject = PAYER) -> Quote:
    return Quote(request, payer, "m", "echo", "chat", estimate, "USD")


async def reserve(spend: Spend, request: str, estimate: int, payer: Subject = PAYER) -> Reservation:
    return await spend.reserve(spend.planned(quote(request, estimate, payer)))


async def standing(spend: Spend) -> dict[str, tuple[int, int]]:
    return {status.budget.id: (status.spent, status.reserved) for status in await spend.status()}


async def test_a_call_holds_its_worst_case_and_then_pays_what_it_cost():
    spend = till(MemoryRecords(), limit(100))
    reservation = await reserve(spend, "r1", 60)
    assert await standing(spend) == {"all": (0, 60)}
    assert await spend.settle(reservation, Bill(Usage(1, 1), 13, "ok"))
    assert await standing(spend) == {"all": (13, 0)}


async def test_a_call_that_does_not_fit_is_told_which_budget_and_when_it_resets():
    spend = till(MemoryRecords(), limit(100, id="wide"), limit(50, "department:research", "narrow"))
    with pytest.raises(BudgetExhausted) as caught:
        await reserve(spend, "r1", 60)
    assert caught.value.more == {"budget": "narrow", "resets_at": "2026-09-01T00:00:00Z"}
    assert "narrow" in caught.value.detail
    assert await standing(spend) == {"wide": (0, 0), "narrow": (0, 0)}


async def test_each_kind_of_subject_counts_only_its_own_calls():
    kinds = ("tenant", "department:research", "person:ines", "assistant:helper", "key:key_1", "person:else")
    spend = till(MemoryRecords(), *(limit(100, kind, kind) for kind in kinds))
    await spend.settle(await reserve(spend, "r1", 60), Bill(Usage(), 7, "ok"))
    assert {name: spent for name, (spent, _) in (await standing(spend)).items()} == dict.fromkeys(kinds, 7) | {
        "person:else": 0
    }


async def test_a_request_id_is_charged_once():
    spend = till(MemoryRecords(), limit(1000))
    reservation = await reserve(spend, "r1", 60)
    with pytest.raises(Conflict, match="under way"):
        await reserve(spend, "r1", 60)
    assert await spend.settle(reservation, Bill(Usage(), 10, "ok"))
    assert not await spend.settle(reservation, Bill(Usage(), 10, "ok"))
    with pytest.raises(Conflict, match="paid for"):
        await reserve(spend, "r1", 60)
    assert await standing(spend) == {"all": (10, 0)}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=16))
async def test_calls_settled_together_cost_exactly_what_each_cost_once(calls: list[tuple[int, bool]]):
    """Some of the group may have been settled by another process in the meantime: they are not charged again."""
    records = MemoryRecords()
    spend = till(records, limit(1_000_000), limit(1_000_000, "department:research", "research"))
    group = []
    for number, (cost, earlier) in enumerate(calls):
        reservation = await reserve(spend, f"r{number}", 40)
        bill = Bill(Usage(1, 1), cost, "ok")
        if earlier:
            assert await spend.settle(reservation, bill)
        group.append((reservation, bill))
    for _ in range(2):  # the second time nothing is left to do
        await spend.settle_all(group)
        total = sum(cost for cost, _ in calls)
        assert await standing(spend) == {"all": (total, 0), "research": (total, 0)}


async def test_a_request_id_stays_taken_over_the_end_of_the_month():
    clock = Clock()
    spend = till(MemoryRecords(), limit(1000), clock=clock)
    await spend.settle(await reserve(spend, "r1", 60), Bill(Usage(), 10, "ok"))
    clock.at += timedelta(hours=2)
    with pytest.raises(Conflict):
        await reserve(spend, "r1", 60)


async def test_a_call_that_failed_for_nothing_may_be_tried_again_under_its_id():
    spend = till(MemoryRecords(), limit(1000))
    await spend.settle(await reserve(spend, "r1", 60), Bill(Usage(), 0, "failed"))
    assert await spend.settle(await reserve(spend, "r1", 60), Bill(Usage(), 5, "ok"))
    with pytest.raises(Conflict):
        await reserve(spend, "r1", 60)
    assert await standing(spend) == {"all": (5, 0)}


async def test_a_call_over_the_end_of_a_period_is_paid_from_the_period_in_which_it_began():
    clock = Clock()
    spend = till(MemoryRecords(), limit(100), clock=clock)
    reservation = await reserve(spend, "r1", 60)
    clock.at += timedelta(hours=2)
    await spend.settle(reservation, Bill(Usage(), 30, "ok"))
    assert await standing(spend) == {"all": (0, 0)}
    clock.at -= timedelta(hours=2)
    assert await standing(spend) == {"all": (30, 0)}


async def test_what_a_dead_process_left_is_settled_at_its_estimate_when_its_lease_has_run_out():
    records, clock = MemoryRecords(), Clock()
    dead, living = till(records, limit(100), clock=clock), till(records, limit(100), lease="lease_b", clock=clock)
    await dead.renew()
    await reserve(dead, "r1", 60)
    assert await living.reconcile(lambda _: False) == 0
    clock.at += timedelta(seconds=61)
    assert await living.reconcile(lambda _: False) == 1
    assert await living.reconcile(lambda _: False) == 0
    row = await records.get("t/calls/2026-08", "r1")
    assert row is not None and row.value["outcome"] == "reconciled"
    clock.at = START
    assert await standing(living) == {"all": (60, 0)}


async def test_a_process_that_gave_up_its_lease_is_not_waited_for():
    records, clock = MemoryRecords(), Clock()
    gone, living = till(records, limit(100), clock=clock), till(records, limit(100), lease="lease_b", clock=clock)
    await gone.renew()
    await reserve(gone, "r1", 60)
    await gone.give_up()
    assert await living.reconcile(lambda _: False) == 1


async def test_a_process_comes_back_too_late_and_charges_nothing_more():
    records, clock = MemoryRecords(), Clock()
    slow, other = till(records, limit(100), clock=clock), till(records, limit(100), lease="lease_b", clock=clock)
    reservation = await reserve(slow, "r1", 60)
    assert await other.reconcile(lambda _: False) == 1
    assert not await slow.settle(reservation, Bill(Usage(), 5, "ok"))
    assert await standing(slow) == {"all": (60, 0)}


async def test_what_this_process_knows_of_is_left_alone():
    spend = till(MemoryRecords(), limit(100))
    await spend.renew()
    await reserve(spend, "r1", 60)
    assert await spend.reconcile({"r1"}.__contains__) == 0
    assert await spend.reconcile(set().__contains__) == 1


async def test_a_budget_says_when_it_is_nearly_and_when_it_is_wholly_used():
    spend, states = till(MemoryRecords(), limit(10)), []
    for number, cost in enumerate((7, 1, 2)):
        await spend.settle(await reserve(spend, f"r{number}", cost), Bill(Usage(), cost, "ok"))
        states += [status.state for status in await spend.status()]
    assert states == ["ok", "alarm", "exhausted"]


def test_a_process_of_this_machine_that_ended_is_surely_dead():
    here = mine()
    assert not surely_dead(here.name)
    assert surely_dead(replace(here, started="1").name)
    assert not surely_dead(replace(here, host="elsewhere", started="1").name)


def test_periods_are_days_or_months_in_utc():
    day, month = replace(limit(1), period="day"), limit(1)
    assert (period(day, START), period(month, START)) == ("2026-08-31", "2026-08")
    assert resets_at(day, START) == datetime(2026, 9, 1, tzinfo=UTC)
    assert resets_at(month, datetime(2026, 12, 5, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)


steps = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "again", "crash", "reconcile", "race"]),
        st.integers(0, 2),
        st.integers(1, 40),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(steps)
async def test_no_interleaving_overshoots_a_budget_or_loses_a_call(steps: list[tuple[str, int, int]]):
    """Three processes on one store reserve, settle, settle twice, crash and reconcile in any order.

    Vendors keep to the limit that they were given, so a bill is never above its estimate.
    """
    records, ceiling, requests = MemoryRecords(), 100, 0
    clock = Clock()
    fleet = [till(records, limit(ceiling), lease=f"lease_{n}", clock=clock) for n in range(3)]
    held: list[list[Reservation]] = [[], [], []]
    billed: Counter[str] = Counter()
    for spend in fleet:
        await spend.renew()

    async def settle(spend: Spend, reservation: Reservation, amount: int) -> None:
        cost = min(amount, reservation.quote.estimate)
        if await spend.settle(reservation, Bill(Usage(), cost, "ok")):
            billed[reservation.quote.request] += cost

    for kind, who, amount in steps:
        spend, mine_ = fleet[who], held[who]
        match kind:
            case "reserve":
                requests += 1
                try:
                    mine_.append(await reserve(spend, f"r{requests}", amount))
                except BudgetExhausted:
                    spent, reserved = (await standing(spend))["all"]
                    assert spent + reserved + amount > ceiling
            case "settle" if mine_:
                await settle(spend, mine_.pop(), amount)
            case "again" if mine_:
                reservation = mine_.pop(0)
                await settle(spend, reservation, amount)
                await settle(spend, reservation, amount)
            case "crash":
                await spend.give_up()
                left, held[who] = held[who], []
                settled = await fleet[(who + 1) % 3].reconcile(
                    {it.quote.request for it in held[(who + 1) % 3]}.__contains__
                )
                assert settled == len(left)
                billed.update({it.quote.request: it.quote.estimate for it in left})
                await spend.renew()
            case "reconcile":
                known = {it.quote.request for it in mine_}
                assert await spend.reconcile(known.__contains__) == 0
            case "race" if mine_:
                reservation = mine_.pop()
                cost = min(amount, reservation.quote.estimate)
                won = await asyncio.gather(*(each.settle(reservation, Bill(Usage(), cost, "ok")) for each in fleet))
                assert sum(won) == 1
                billed[reservation.quote.request] += cost
        spent, reserved = (await standing(spend))["all"]
        assert spent + reserved <= ceiling
        assert spent == billed.total()
        assert reserved == sum(it.quote.estimate for each in held for it in each)
    rows = await records.query("t/calls/2026-08")
    assert sum(row.value["cost"] for row in rows) == billed.total()
    assert {row.key for row in rows} == set(billed)


async def test_many_at_once_over_one_sqlite_file_never_pass_the_limit(tmp_path: Path):
    """Four stores on one file, as four processes have it."""
    stores = [await sqlite_records("gateway.db", home=tmp_path) for _ in range(4)]
    fleet = [till(store, limit(500), lease=f"lease_{n}") for n, store in enumerate(stores)]
    let_out = []

    async def one(number: int) -> None:
        spend = fleet[number % 4]
        try:
            reservation = await reserve(spend, f"r{number}", 30)
        except BudgetExhausted:
            return
        let_out.append(number)
        assert await spend.settle(reservation, Bill(Usage(), 25, "ok"))

    try:
        await asyncio.gather(*(one(number) for number in range(100)))
        assert await standing(fleet[0]) == {"all": (25 * len(let_out), 0)}
        assert 25 * len(let_out) <= 500
        assert len(let_out) >= 500 // 30
    finally:
        for store in stores:
            await store.close()
