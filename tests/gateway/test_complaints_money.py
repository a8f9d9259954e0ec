"""What users of other gateways were charged and let through, and what they must see here: budgets, limits, bills, caches.

`docs/reference/complaints.md` is the list; the numbers in the docstrings are its.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from strata.adapters.records.memory import MemoryRecords
from strata.errors import BudgetExhausted, RateLimited
from strata.events import CallRefused
from strata.gateway.build import build
from strata.gateway.door.asked import OPERATIONS
from strata.gateway.gateway import ModelGateway
from strata.gateway.money import quota
from strata.gateway.options import Deployment, LimitRule, Options
from strata.testing.vendor import MockVendor
from strata.types import ChatRequest, Message, Price

from .conftest import INES, PRICE, TENANT, access, at, budget, doorway, echo
from .test_clients import behind

DOLLAR = 1_000_000
HI = [{"role": "user", "content": "hi"}]
BODIES: dict[str, Any] = {
    "chat": {"messages": HI},
    "responses": {"input": "hi"},
    "messages": {"messages": HI, "max_tokens": 50},
    "embeddings": {"input": "ice"},
    "rerank": {"query": "ice", "documents": ["a"]},
    "images": {"prompt": "ice"},
    "speech": {"input": "ice", "voice": "alloy"},
}
KINDS: dict[str, Any] = {"embeddings": "embedding", "rerank": "rerank", "images": "image", "speech": "speech"}


def ask(text: str = "hi", **more: Any) -> ChatRequest:
    return ChatRequest("echo", (Message("user", text),), **{"max_tokens": 8, **more})


@asynccontextmanager
async def replicas(count: int, *models: Deployment, **more: Any) -> AsyncIterator[list[ModelGateway]]:
    """Several gateways on one store."""
    records = MemoryRecords()
    options = Options(models=models, **more)
    fleet = [await build(options, tenant=TENANT, records=records, access=access()) for _ in range(count)]
    try:
        yield fleet
    finally:
        for gateway in fleet:
            await gateway.close()


# ------------------------------------------------------------------ budgets


async def test_a_budget_of_thirty_dollars_never_pays_for_a_thirty_first(vendor: MockVendor):
    """5: litellm#26672, #11083: 99 dollars were spent on a budget of 30."""
    model = replace(at(vendor), price=Price(request=3 * DOLLAR))
    async with doorway(model, budgets=(budget(30 * DOLLAR),)) as door:
        statuses = [(await door.chat(f"question {number}")).status for number in range(33)]
        assert statuses == [200] * 10 + [429] * 23
        assert len(vendor.requests) == 10
        assert await door.world.standing() == (30 * DOLLAR, 0)


async def test_calls_that_come_at_once_do_not_all_see_the_same_room_in_a_budget(vendor: MockVendor):
    """6: litellm#34732, #40095: each of them passed the check before any was counted."""
    model = replace(at(vendor, "mock;first=0.05"), price=Price(request=DOLLAR))
    async with doorway(model, budgets=(budget(5 * DOLLAR),)) as door:
        answers = await asyncio.gather(*(door.chat(f"question {number}") for number in range(40)))
        assert sorted(answer.status for answer in answers) == [200] * 5 + [429] * 35
        assert len(vendor.requests) == 5
        assert await door.world.standing() == (5 * DOLLAR, 0)


async def test_replicas_share_one_budget_and_none_leaks_past_it():
    """19: bifrost#3547, PR #2467: every replica had the whole budget for itself."""
    async with replicas(4, echo(reply="a b c"), budgets=(budget(1000),)) as fleet:

        async def client(gateway: ModelGateway) -> int:
            paid = 0
            for _ in range(60):
                try:
                    paid += (await gateway.complete(INES, ask())).cost.micros
                except BudgetExhausted:
                    return paid
            return paid

        paid = await asyncio.gather(*(client(gateway) for gateway in fleet for _ in range(4)))
        for gateway in fleet:
            await gateway.settled()
        (status,) = await fleet[0].till.spend.status()
        assert status.spent == sum(paid) <= 1000
        assert status.reserved == 0
        with pytest.raises(BudgetExhausted):
            for _ in range(1000):
                await fleet[-1].complete(INES, ask())


@pytest.mark.parametrize("path", [path for path, operation in OPERATIONS.items() if operation in BODIES])
async def test_no_way_in_passes_by_a_budget_that_is_used_up(vendor: MockVendor, path: str):
    """20: bifrost#2873: pass-through routes were neither checked nor counted."""
    operation = OPERATIONS[path]
    model = replace(at(vendor, kind=KINDS.get(operation, "chat")), price=replace(PRICE, request=DOLLAR))
    async with doorway(model, budgets=(budget(DOLLAR - 1),)) as door:
        answer = await door.post(path, {"model": "echo", **BODIES[operation]})
        assert answer.status == 429
        assert "the all budget" in await answer.text()
        assert not vendor.requests


def test_every_way_in_that_costs_is_among_those_tried_with_a_used_up_budget():
    """20: a route that is added later is either tried above or has no price (counting) or takes a form (sound)."""
    assert set(OPERATIONS.values()) - set(BODIES) == {"count_tokens", "transcriptions"}


async def test_sound_does_not_pass_by_a_budget_that_is_used_up(vendor: MockVendor):
    """20, for the one route that takes a form."""
    model = replace(at(vendor, kind="transcription"), price=replace(PRICE, request=DOLLAR))
    async with doorway(model, budgets=(budget(DOLLAR - 1),)) as door:
        form = aiohttp.FormData({"model": "echo"})
        form.add_field("file", b"x" * 300, filename="a.mp3")
        headers = {"authorization": f"Bearer {door.key}"}
        url = f"{door.url}/v1/audio/transcriptions"
        async with door.session.post(url, data=form, headers=headers) as answer:
            assert answer.status == 429
        assert not vendor.requests


async def test_a_budget_is_used_to_the_last_call_that_fits_and_the_refusal_says_what_is_left(vendor: MockVendor):
    """24: bifrost#5770: the rule refused calls long before the budget was used."""
    async with doorway(at(vendor), budgets=(budget(1000),)) as door:
        for number in range(100):
            answer = await door.chat(f"question {number:02}", max_tokens=8)
            if answer.status != 200:
                break
        message = (await answer.json())["error"]["message"]
        spent, held = await door.world.standing()
        assert (answer.status, held) == (429, 0)
        assert spent == 28 * len(vendor.requests) > 700
        assert f"has {(1000 - spent) / DOLLAR:.6f}".rstrip("0") in message
        worst = float(message.partition("may cost up to ")[2].split()[0]) * DOLLAR
        assert spent + worst > 1000
        (fact,) = await door.world.facts(CallRefused)
        assert fact.budget == "the all budget"


# ------------------------------------------------------------------ limits


async def test_a_limit_of_tokens_is_not_multiplied_by_the_replicas():
    """7: litellm#40291, #27736, #13202: each replica counted from its own memory."""
    rule = LimitRule("department:research", tokens=1000)
    async with replicas(4, echo(reply="a b c"), limits=(rule,), requests_per_minute=0) as fleet:
        used = 0
        for _ in range(200):
            done = await asyncio.gather(*(gateway.complete(INES, ask()) for gateway in fleet), return_exceptions=True)
            answers = [each for each in done if not isinstance(each, BaseException)]
            assert all(isinstance(each, RateLimited) for each in done if isinstance(each, BaseException))
            used += sum(answer.usage.total_tokens for answer in answers)
            if not answers:
                break
        assert 0 < used <= 1000


async def test_a_limit_of_tokens_asks_for_no_max_tokens_and_says_whose_it_is(vendor: MockVendor):
    """28: tensorzero#3648, #3678: every caller had to set max_tokens, and was not told whose limit was reached."""
    rule = LimitRule("department:research", tokens=3000)
    async with doorway(at(vendor), limits=(rule,), requests_per_minute=0) as door:
        statuses = []
        for number in range(200):
            answer = await door.chat(f"question {number}")
            statuses.append(answer.status)
            if answer.status != 200:
                break
        assert statuses[0] == 200
        assert answer.status == 429
        assert "department:research" in (await answer.json())["error"]["message"]
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert answer.headers["x-ratelimit-limit-tokens"] == "3000"


class Counting(MemoryRecords):
    """Counts the commits that touch a partition."""

    commits = 0

    async def commit(self, *changes: Any, **more: Any) -> None:
        self.commits += any(change.partition.startswith(f"{TENANT}/limits") for change in changes)
        await super().commit(*changes, **more)


async def test_many_calls_under_one_limit_do_not_queue_for_one_row(monkeypatch: pytest.MonkeyPatch):
    """29: tensorzero#5548, #5691: every call of a key waited for the same row of the database."""
    monkeypatch.setattr(quota, "IDLE", 3600.0)  # permits go back later than even a slow test takes
    records = Counting()
    options = Options(models=(echo(reply="x"),), limits=(LimitRule("tenant", requests=6400),), requests_per_minute=0)
    gateway = await build(options, tenant=TENANT, records=records, access=access())
    for start in range(0, 640, 64):
        await asyncio.gather(*(gateway.complete(INES, ask(f"question {start}")) for _ in range(64)))
    assert 0 < records.commits <= 20
    await gateway.close()


# ------------------------------------------------------------------ bills


@pytest.mark.parametrize("kind", ["openai", "plain", "anthropic"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
@pytest.mark.parametrize("stream", [False, True])
async def test_cached_tokens_are_billed_once_at_their_own_price(vendor: MockVendor, path: str, kind: str, stream: bool):
    """9: litellm#9812, #5443, #31282, #40016: they were billed as prompt and again as cached prompt."""
    price = Price(input=10_000_000, output=20_000_000, cached_input=1_000_000)
    model = replace(behind(kind, vendor, "mock;cached=5"), price=price)
    async with doorway(model, budgets=(budget(DOLLAR),)) as door:
        answer = await door.post(path, {"model": "echo", **BODIES[OPERATIONS[path]], "stream": stream})
        assert answer.status == 200
        (fact,) = await door.world.facts()
        assert (fact.usage.prompt_tokens, fact.usage.cached_tokens, fact.usage.completion_tokens) == (12, 5, 8)
        assert fact.cost_micros == 7 * 10 + 5 * 1 + 8 * 20
        assert await door.world.standing() == (fact.cost_micros, 0)


# ------------------------------------------------------------------ the cache


async def test_another_teams_answer_is_neither_given_nor_betrayed_by_the_cache(vendor: MockVendor):
    """11: litellm#29955, #19575: a team could find out what another had asked."""
    async with doorway(at(vendor), cache_seconds=60.0) as door:
        other = await door.world.key(owner="fred", department="finance")
        assert (await door.chat("what will we acquire?")).status == 200
        probe = await door.chat("what will we acquire?", key=other)
        assert probe.status == 200
        assert "x-strata-cache" not in probe.headers
        assert int(probe.headers["x-strata-cost-micros"]) > 0
        assert len(vendor.requests) == 2


@pytest.mark.parametrize("circle", ["caller", "department", "tenant"])
async def test_a_cache_that_keeps_its_callers_apart_still_answers_each_from_memory(vendor: MockVendor, circle: str):
    """12: litellm#29086: after teams were kept apart, nothing was ever found."""
    async with doorway(at(vendor), cache_seconds=60.0, cache_circle=circle) as door:
        same, colleague = door.key, await door.world.key(owner="omar")
        stranger = await door.world.key(owner="fred", department="finance")
        await door.chat(key=same)
        found = [(await door.chat(key=key)).headers.get("x-strata-cache") for key in (same, colleague, stranger)]
        within = {"caller": 1, "department": 2, "tenant": 3}[circle]
        assert found == ["hit"] * within + [None] * (3 - within)
        again = [(await door.chat(key=key)).headers.get("x-strata-cache") for key in (same, colleague, stranger)]
        assert again == ["hit"] * 3
