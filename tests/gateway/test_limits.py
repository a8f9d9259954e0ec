"""Limits: requests, tokens and calls at once, whatever the number of workers and replicas; what callers are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.conftest import INES, TENANT, access, budget, doorway, echo, world

from strata.adapters.records.memory import MemoryRecords
from strata.errors import RateLimited, Unavailable
from strata.gateway.build import build
from strata.gateway.money.limits import Entry, Limits
from strata.gateway.money.quota import Store
from strata.gateway.options import LimitRule, Options
from strata.types import ChatRequest, Message, Subject

PAYER = Subject("t", "research", "ines", "", "key_1")


class Clock:
    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


def limits(records: Any, *rules: LimitRule, process: str = "a", clock: Any = None, **more: Any) -> Limits:
    options = {"per_minute": 0, "concurrent": 1000, "patience": 0.0, **more}
    return Limits(Store(records, "t/limits", process, clock or Clock()), rules=rules, **options)


async def enter(one: Limits, payer: Subject = PAYER, model: str = "m", tokens: int = 0) -> Entry:
    entry = await one.enter(payer, payer.key or payer.person, model)
    try:
        await one.reserve(entry, tokens)
    except BaseException:
        one.leave(entry)
        raise
    return entry


async def let_in(one: Limits, tries: int, **more: Any) -> int:
    count = 0
    for _ in range(tries):
        try:
            await enter(one, **more)
        except RateLimited:
            continue
        count += 1
    return count


async def test_a_minutes_requests_may_come_at_once_and_then_no_more_until_it_is_over():
    clock = Clock()
    one = limits(MemoryRecords(), per_minute=60, clock=clock)
    for _ in range(60):
        await enter(one)
    clock.at += 20
    with pytest.raises(RateLimited) as caught:
        await enter(one)
    assert caught.value.retry_after == 40
    await enter(one, Subject("t", "research", "ben"))
    clock.at += 40
    assert await let_in(one, 100) == 60


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.lists(st.tuples(st.integers(0, 2), st.integers(1, 120)), max_size=12))
async def test_a_limit_holds_over_all_replicas_together(limit: int, turns: list[tuple[int, int]]):
    """litellm#40291, bifrost#3547: each replica let its own limit pass."""
    records, clock = MemoryRecords(), Clock()
    rule = LimitRule("department:research", requests=limit)
    fleet = [limits(records, rule, process=f"p{n}", clock=clock) for n in range(3)]
    count = 0
    for who, tries in turns:
        count += await let_in(fleet[who], tries)
    assert count <= limit
    for one in fleet:
        await one.close()
    clock.at += 1
    asked = sum(tries for _, tries in turns)
    count += await let_in(fleet[0], limit)
    assert count == limit or (asked == 0 and count == limit)


async def test_what_one_replica_took_and_did_not_use_serves_the_others():
    records, clock = MemoryRecords(), Clock()
    one, other = (limits(records, LimitRule("tenant", requests=640), process=n, clock=clock) for n in "ab")
    assert await let_in(one, 1) == 1
    assert await let_in(other, 700) == 630
    await one.close()
    clock.at += 1
    assert await let_in(other, 700) == 9


async def test_many_at_once_in_two_replicas_never_pass_a_limit():
    records, clock = MemoryRecords(), Clock()
    fleet = [limits(records, LimitRule("tenant", requests=100), process=n, clock=clock) for n in "ab"]
    done = await asyncio.gather(*(let_in(one, 1) for _ in range(90) for one in fleet))
    assert sum(done) == 100


async def test_tokens_are_held_at_the_most_and_then_counted_as_they_were():
    """litellm#27736: tokens per minute, over two replicas."""
    records, clock = MemoryRecords(), Clock()
    one, other = (limits(records, LimitRule("model:m", tokens=1000), process=n, clock=clock) for n in "ab")
    first = await enter(one, tokens=900)
    with pytest.raises(RateLimited, match="100 are left and this call may need 200"):
        await enter(other, tokens=200)
    one.leave(first, used=300)
    await one.close()
    clock.at += 1
    await enter(other, tokens=650)
    assert await let_in(other, 1, tokens=100) == 0
    assert await let_in(other, 1, tokens=100, model="another") == 1


async def test_a_call_that_used_more_tokens_than_were_held_takes_them_from_those_after_it():
    one = limits(MemoryRecords(), LimitRule("tenant", tokens=1000))
    one.leave(await enter(one, tokens=100), used=500)
    assert await let_in(one, 1, tokens=600) == 0
    assert await let_in(one, 1, tokens=500) == 1


async def test_a_call_that_alone_needs_more_than_a_limit_is_told_what_to_change_and_whose_limit_it_is():
    """tensorzero#3648, #3678: the error did not say whose limit."""
    one = limits(MemoryRecords(), LimitRule("person:*", tokens=100))
    with pytest.raises(RateLimited) as caught:
        await enter(one, tokens=101)
    assert "person:ines may use 100 tokens a minute" in caught.value.detail
    assert "smaller max_tokens" in caught.value.detail


async def test_each_person_has_their_own_where_the_rule_says_so():
    one = limits(MemoryRecords(), LimitRule("person:*", requests=2), LimitRule("department:research", requests=3))
    assert await let_in(one, 5) == 2
    assert await let_in(one, 5, payer=Subject("t", "research", "ben")) == 1
    assert await let_in(one, 5, payer=Subject("t", "finance", "fred")) == 2


async def test_calls_at_once_are_limited_over_all_replicas_and_places_come_back():
    records = MemoryRecords()
    one, other = (limits(records, LimitRule("tenant", concurrent=3), process=n) for n in "ab")
    held = [await enter(one), await enter(one), await enter(other)]
    for each in (one, other):
        with pytest.raises(RateLimited, match="3 calls under way at once"):
            await enter(each)
    one.leave(held[0])
    one.leave(held[0])  # twice is the same as once
    await enter(one)
    one.leave(held[1])
    await one.close()
    await enter(other)
    with pytest.raises(RateLimited):
        await enter(one)


async def test_places_of_a_killed_replica_come_back():
    records = MemoryRecords()
    dead, other = (limits(records, LimitRule("tenant", concurrent=2), process=n) for n in ("dead", "b"))
    await enter(dead)
    await enter(dead)

    async def alive(process: str) -> bool:
        return process != "dead"

    assert await let_in(other, 1) == 0
    await asyncio.gather(other.keep(alive), other.keep(alive))
    assert await let_in(other, 3) == 2


async def test_windows_that_are_over_are_removed():
    records, clock = MemoryRecords(), Clock()
    one = limits(records, LimitRule("person:*", requests=2), LimitRule("tenant", requests=9, period="day"), clock=clock)
    await enter(one)

    async def alive(_: str) -> bool:
        return True

    clock.at += 61
    await one.keep(alive)
    assert [record.key for record in await records.query("t/limits")] == ["window/requests/tenant/day/"]


async def test_who_comes_while_all_places_are_taken_waits_in_turn_with_the_others():
    one = limits(MemoryRecords(), concurrent=1, patience=60.0, waiting=3)
    ben = Subject("t", "research", "ben")
    first = await enter(one)
    order: list[str] = []

    async def call(name: str, payer: Subject) -> None:
        entry = await enter(one, payer)
        order.append(name)
        one.leave(entry)

    crowd = [asyncio.create_task(call(*each)) for each in (("ines 1", PAYER), ("ines 2", PAYER), ("ben", ben))]
    while one.queue.count < 3:
        await asyncio.sleep(0)
    with pytest.raises(Unavailable) as caught:
        await enter(one)
    assert caught.value.retry_after == 1
    one.leave(first)
    await asyncio.gather(*crowd)
    assert order == ["ines 1", "ben", "ines 2"]
    assert one.under_way == 0


async def test_who_leaves_the_queue_does_not_keep_a_place():
    one = limits(MemoryRecords(), concurrent=1, patience=60.0)
    first = await enter(one)
    left, stays = (asyncio.create_task(enter(one)) for _ in range(2))
    while one.queue.count < 2:
        await asyncio.sleep(0)
    one.leave(first)
    left.cancel()
    await asyncio.wait([left])
    one.leave(await stays)
    assert one.under_way == 0


async def test_who_waits_too_long_is_turned_away():
    one = limits(MemoryRecords(), concurrent=1, patience=0.01)
    first = await enter(one)
    with pytest.raises(Unavailable, match="which is the limit"):
        await enter(one)
    one.leave(first)
    await enter(one)


def ask(text: str = "hello", **more: Any) -> ChatRequest:
    return ChatRequest("echo", (Message("user", text),), **more)


async def test_two_gateways_on_one_store_let_through_what_one_would():
    records = MemoryRecords()
    rules = (LimitRule("department:research", requests=5),)
    options = Options(models=(echo(reply="x"),), limits=rules)
    fleet = [await build(options, tenant=TENANT, records=records, access=access()) for _ in range(2)]
    done = await asyncio.gather(
        *(gateway.complete(INES, ask()) for _ in range(5) for gateway in fleet), return_exceptions=True
    )
    assert sum(not isinstance(each, Exception) for each in done) == 5
    assert all(isinstance(each, RateLimited) for each in done if isinstance(each, Exception))
    for gateway in fleet:
        await gateway.close()


async def test_a_call_that_a_budget_refused_holds_no_tokens():
    async with world(echo(reply="x"), budgets=(budget(1),), limits=(LimitRule("tenant", tokens=5000),)) as it:
        for _ in range(20):
            with pytest.raises(Exception, match="budget"):
                await it.gateway.complete(INES, ask(max_tokens=1000))


async def test_answers_say_what_is_left_and_refusals_when_to_come_back():
    rules = (LimitRule("key:*", requests=2, tokens=100_000), LimitRule("department:research", concurrent=5))
    async with doorway(echo(reply="a b"), limits=rules, requests_per_minute=0) as door:
        answer = await door.chat()
        policy = answer.headers["ratelimit-policy"]
        assert policy == '"key:* requests a minute";q=2;w=60, "key:* tokens a minute";q=100000;w=60;qu="tokens"'
        assert answer.headers["ratelimit"].startswith('"key:* requests a minute";r=1;t=')
        assert answer.headers["x-ratelimit-limit-requests"] == "2"
        assert answer.headers["x-ratelimit-remaining-requests"] == "1"
        assert int(answer.headers["x-ratelimit-remaining-tokens"]) < 100_000
        await door.chat(stream=True)
        refused = await door.chat()
        assert refused.status == 429
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
        assert "key:" in (await refused.json())["error"]["message"]
