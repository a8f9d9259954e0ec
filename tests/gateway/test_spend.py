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
from strata.budgets import PERIODS, period, resets_at, terms
from strata.errors import BudgetExhausted, Conflict
from strata.gateway.money.lease import Lease, mine, surely_dead
from strata.gateway.money.spend import Bill, Quote, Reservation, Spend
from strata.ports.records import Put
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


def quote(request: str, estimate: int, payer: Subject = PAYER, model: str = "m", *, fresh: bool = False) -> Quote:
    return Quote(request, payer, model, "echo", "chat", estimate, "USD", fresh=fresh)


async def reserve(
    spend: Spend, request: str, estimate: int, payer: Subject = PAYER, model: str = "m", *, fresh: bool = False
) -> Reservation:
    return await spend.reserve(spend.planned(quote(request, estimate, payer, model, fresh=fresh)))


async def pay(spend: Spend, request: str, cost: int, payer: Subject = PAYER, model: str = "m") -> None:
    """A call that costs exactly what was reserved for it."""
    assert await spend.settle(await reserve(spend, request, cost, payer, model, fresh=True), Bill(Usage(), cost, "ok"))


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


@pytest.mark.parametrize(
    ("kind", "name", "reset"),
    [
        ("day", "2026-08-31", datetime(2026, 9, 1, tzinfo=UTC)),
        ("week", "2026-W36", datetime(2026, 9, 7, tzinfo=UTC)),
        ("month", "2026-08", datetime(2026, 9, 1, tzinfo=UTC)),
        ("quarter", "2026-Q3", datetime(2026, 10, 1, tzinfo=UTC)),
        ("year", "2026", datetime(2027, 1, 1, tzinfo=UTC)),
        ("total", "total", None),
    ],
)
def test_periods_begin_at_midnight_in_utc(kind: Any, name: str, reset: datetime | None):
    one = replace(limit(1), period=kind)
    assert (period(one, START), resets_at(one, START)) == (name, reset)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)), st.sampled_from(PERIODS))
def test_a_period_ends_exactly_where_the_next_begins(at: datetime, kind: Any):
    one = replace(limit(1), period=kind)
    end = resets_at(one, at)
    if end is None:
        assert period(one, at) == period(one, at + timedelta(days=10_000))
        return
    assert at < end
    assert period(one, at) == period(one, end - timedelta(microseconds=1)) != period(one, end)


async def test_a_budget_stops_exactly_the_call_that_would_pass_it():
    """bifrost#5770: a rule fired far too early; litellm#26672: another not at all."""
    spend = till(MemoryRecords(), limit(100))
    for number in range(10):
        await pay(spend, f"r{number}", 10)
    with pytest.raises(BudgetExhausted):
        await reserve(spend, "one more", 1)
    assert await standing(spend) == {"all": (100, 0)}


async def test_a_key_is_stopped_at_its_own_budget_and_not_at_three_times_it():
    """litellm#26672: 99 dollars were spent on a key of 30."""
    spend = till(MemoryRecords(), limit(30, "key:*", "keys"))
    await pay(spend, "r1", 30)
    with pytest.raises(BudgetExhausted, match="'keys' of key:key_1 has 0 USD left"):
        await reserve(spend, "r2", 1)
    await pay(spend, "r3", 30, replace(PAYER, key="key_2"))
    assert [(status.member, status.spent) for status in await spend.status()] == [("key:key_1", 30), ("key:key_2", 30)]


async def test_a_model_has_a_budget_whoever_calls_it():
    spend = till(MemoryRecords(), limit(10, "model:dear", "dear"))
    await pay(spend, "r1", 10, model="dear")
    with pytest.raises(BudgetExhausted, match="model:dear"):
        await reserve(spend, "r2", 1, replace(PAYER, person="ben"), "dear")
    await pay(spend, "r3", 1000, model="cheap")


async def test_a_department_has_a_budget_for_one_model_and_each_person_in_it_another():
    spend = till(
        MemoryRecords(),
        limit(50, "department:research+model:dear", "both"),
        limit(20, "department:research+person:*", "each"),
    )
    await pay(spend, "r1", 20, model="dear")
    with pytest.raises(BudgetExhausted, match="'each' of department:research\\+person:ines"):
        await reserve(spend, "r2", 1, model="cheap")
    ben = replace(PAYER, person="ben")
    await pay(spend, "r3", 10, ben, "cheap")
    await pay(spend, "r4", 10, ben, "dear")
    with pytest.raises(BudgetExhausted, match="'both' of department:research\\+model:dear"):
        await reserve(spend, "r5", 21, replace(PAYER, person="eva"), "dear")
    await pay(spend, "r6", 500, replace(PAYER, person="fred", department="finance"), "dear")


async def test_a_soft_budget_counts_and_refuses_nothing():
    soft = replace(limit(10), hard=False)
    spend = till(MemoryRecords(), soft)
    for number in range(3):
        await pay(spend, f"r{number}", 10)
    (status,) = await spend.status()
    assert (status.spent, status.state) == (30, "exhausted")


async def test_a_budget_without_a_period_is_never_full_again_and_says_so():
    clock = Clock()
    spend = till(MemoryRecords(), replace(limit(10), period="total"), clock=clock)
    await pay(spend, "r1", 10)
    clock.at += timedelta(days=4000)
    with pytest.raises(BudgetExhausted, match="it never resets") as caught:
        await reserve(spend, "r2", 1)
    assert caught.value.more == {"budget": "all", "resets_at": None}


async def test_names_that_look_alike_do_not_share_a_budget():
    spend = till(MemoryRecords(), limit(10, "person:*+model:*", "each"))
    for person, model in (("a+model:b", "c"), ("a", "b+model:c"), ("a/b", "c"), ("a", "b/c")):
        await pay(spend, f"{person} {model}", 10, replace(PAYER, person=person), model)
    assert len(await spend.status()) == 4


def test_what_is_no_subject_is_told_with_the_choices():
    for subject in ("", "team:x", "person:", "person:a+person:b", "tenant+person:a"):
        with pytest.raises(ValueError, match="the subject"):
            terms(subject)


async def test_a_call_that_was_settled_twice_under_an_id_made_here_is_charged_once():
    records = MemoryRecords()
    one, other = till(records, limit(1000)), till(records, limit(1000), lease="lease_b")
    reservation = await reserve(one, "r1", 60, fresh=True)
    won = await asyncio.gather(*(each.settle(reservation, Bill(Usage(), 10, "ok")) for each in (one, other, one)))
    assert sorted(won) == [False, False, True]
    await one.settle_all([(reservation, Bill(Usage(), 10, "ok"))])
    assert await standing(one) == {"all": (10, 0)}


async def test_a_large_crowd_is_settled_in_commits_that_the_store_takes():
    spend = till(MemoryRecords(), limit(10**6), limit(10**6, "person:*", "each"), limit(10**6, "key:*", "keys"))
    closed = []
    for number in range(200):
        payer = replace(PAYER, person=f"p{number % 70}", key=f"k{number % 90}")
        closed.append((await reserve(spend, f"r{number}", 10, payer, fresh=number % 2 == 0), Bill(Usage(), 7, "ok")))
    groups = spend.groups(closed)
    assert [one for group in groups for one in group] == closed
    for group in groups:
        await spend.settle_all(group)
    statuses = await spend.status()
    assert sum(status.spent for status in statuses) == 3 * 1400
    assert not any(status.reserved for status in statuses)


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
                    mine_.append(await reserve(spend, f"r{requests}", amount, fresh=requests % 2 == 0))
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
    given = {request: cost for request, cost in billed.items() if int(request[1:]) % 2}
    assert {row.key: row.value["cost"] for row in rows} == given


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


async def test_a_reservation_of_the_first_version_is_settled_after_an_upgrade():
    records = MemoryRecords()
    old = {
        "quote": {
            "request": "r-old", "payer": {"tenant": "t", "department": "research", "person": "ines"}, "model": "m",
            "provider": "openai", "operation": "chat", "estimate": 700, "currency": "USD",
        },
        "counters": [], "at": "2026-08-31T20:00:00Z", "lease": "lease_x|elsewhere|1|2", "seen": 0,
    }  # fmt: skip
    await records.commit(Put("t/reservations", "r-old", old))
    assert await till(records).reconcile(lambda _: False) == 1
    row = await records.get("t/calls/2026-08", "r-old")
    assert row is not None
    assert (row.value["outcome"], row.value["cost"]) == ("reconciled", 700)
    assert await records.get("t/reservations", "r-old") is None
