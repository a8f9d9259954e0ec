"""Everything a vendor can do wrong, whole and streamed, alone and with another model to fall back to: what the caller
gets, and that every call leaves one row which says the truth. `bench/chaos.py` does the same with a real process.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from strata.adapters.records.memory import MemoryRecords
from strata.errors import StrataError, Unavailable, UpstreamBroken
from strata.gateway.build import build
from strata.gateway.caller import Ask
from strata.gateway.gateway import Ended
from strata.gateway.options import Options, RouteOptions, Variant
from strata.testing.vendor import ANSWER, MockVendor
from strata.types import Price

from .conftest import TENANT, World, access, at, budget, echo, world
from .test_routing import INES_CALLS, body, call, timed, under_way

FULL = 12 + 8 * 2
"""What a whole answer costs: the vendor counts 12 and 8 tokens, at 1 and 2 micro-units."""

MENDED = {
    "refuses the connection": "closed",
    "has no address": "nowhere",
    "resets the connection": "mock;reset",
    "hangs up before its answer": "mock;drop=0",
    "takes the request and never answers": "mock;hang",
    "begins too late": "mock;first=5",
    "answers with a web page": "mock;html",
    "fails": "mock;fail=500",
    "is overloaded": "mock;fail=529",
    "is over its limit": "mock;fail=429;retry=60",
    "is over its limit and does not say for how long": "mock;fail=429",
    "does not know our key": "mock;fail=401",
    "does not know the model": "mock;fail=404",
}
CUT = {
    "hangs up in the middle": "mock;drop=2",
    "stumbles in the middle": "mock;error=2",
    "talks nonsense in the middle": "mock;garbage",
    "falls silent in the middle": "mock;silent=2",
}


def deployment(vendor: MockVendor, script: str, name: str) -> Any:
    limits = {"timeout": 0.3, "first_token_timeout": 0.1, "idle_timeout": 0.1}
    if script == "closed":
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        return at(vendor, "mock", name, options={"base_url": f"http://127.0.0.1:{port}/v1"}, **limits)
    if script == "nowhere":
        return at(vendor, "mock", name, options={"base_url": "http://nowhere.invalid/v1"}, **limits)
    return at(vendor, script, name, **limits)


async def asked(it: World, *, streamed: bool) -> tuple[str, StrataError | None]:
    """What the caller got to read, and how it ended."""
    said = ""
    try:
        if not streamed:
            return (await call(it))["choices"][0]["message"]["content"], None
        async for pieces in it.gateway.pieces(INES_CALLS, Ask("chat", body(stream=True), "r1")):
            if not isinstance(pieces, Ended):
                said += "".join(choice["delta"].get("content") or "" for it in pieces for choice in it["choices"])
    except StrataError as error:
        return said, error
    return said, None


async def accounts(it: World) -> Any:
    """The one row of the one call, after nothing is held any longer."""
    (fact,) = await it.facts()
    assert await it.standing() == (fact.cost_micros, 0)
    assert under_way(it) == 0
    return fact


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("how", MENDED)
async def test_when_a_vendor_fails_another_model_answers_and_is_paid_once(vendor: MockVendor, how: str, streamed: bool):
    models = (deployment(vendor, MENDED[how], "bad"), at(vendor, "mock", "good"))
    route = RouteOptions("smart", "chat", (Variant("bad"),), fallbacks=("good",))
    async with world(*models, routes=(route,), budgets=(budget(10_000),)) as it:
        assert await asked(it, streamed=streamed) == (ANSWER, None)
        fact = await accounts(it)
        assert (fact.deployment, fact.outcome, fact.cost_micros, fact.attempts) == ("good", "ok", FULL, 2)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("how", MENDED)
async def test_when_a_vendor_fails_and_there_is_no_other_the_caller_is_told_and_pays_nothing(
    vendor: MockVendor, how: str, streamed: bool
):
    bad = deployment(vendor, MENDED[how], "bad")
    route = RouteOptions("smart", "chat", (Variant("bad"),), retries=1)
    async with world(bad, routes=(route,), budgets=(budget(10_000),)) as it:
        timed(it)
        said, error = await asked(it, streamed=streamed)
        assert said == ""
        assert error is not None
        assert error.status in {429, 502, 503}
        fact = await accounts(it)
        assert (fact.outcome, fact.cost_micros) == ("failed", 0)


@pytest.mark.parametrize("how", CUT)
async def test_a_stream_that_breaks_off_is_told_as_broken_and_what_was_said_is_paid_once(vendor: MockVendor, how: str):
    models = (deployment(vendor, CUT[how], "bad"), at(vendor, "mock", "good"))
    route = RouteOptions("smart", "chat", (Variant("bad"),), fallbacks=("good",))
    async with world(*models, routes=(route,), budgets=(budget(10_000),)) as it:
        said, error = await asked(it, streamed=True)
        assert said
        assert ANSWER.startswith(said), "nothing of another model's answer"
        assert isinstance(error, UpstreamBroken)
        fact = await accounts(it)
        assert (fact.deployment, fact.outcome, fact.estimated) == ("bad", "failed", True)
        assert fact.cost_micros > 0


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_vendor_that_fails_now_and_then_is_not_noticed(vendor: MockVendor, streamed: bool):
    models = (deployment(vendor, "mock;fail=500;every=3", "bad"), at(vendor, "mock", "good"))
    route = RouteOptions("smart", "chat", (Variant("bad"),), fallbacks=("good",))
    async with world(*models, routes=(route,), budgets=(budget(100_000),)) as it:
        for number in range(12):
            ask = Ask("chat", body(stream=streamed), f"r{number}")
            if streamed:
                assert [pieces async for pieces in it.gateway.pieces(INES_CALLS, ask)]
            else:
                assert (await it.gateway.whole(INES_CALLS, ask)).body
        facts = await it.facts()
        assert [fact.outcome for fact in facts] == ["ok"] * 12
        assert sum(fact.cost_micros for fact in facts) == 12 * FULL
        assert sum(fact.deployment == "good" for fact in facts) == 4
        assert sum(received.ended == "whole" and received.status == 200 for received in vendor.requests) == 12


class Store(MemoryRecords):
    """Records that can be away."""

    away = False

    async def commit(self, *changes: Any, **more: Any) -> None:
        if self.away:
            raise Unavailable("the store is away", retry_after=1)
        await super().commit(*changes, **more)


async def test_while_the_store_is_away_callers_are_told_at_once_and_what_was_answered_is_paid_when_it_is_back():
    """A store that was half dead once held up every request (litellm#35273)."""
    store = Store()
    model = echo("echo", Price(input=1_000_000, output=2_000_000), reply="x", delay=0.01)
    options = Options(models=(model,), budgets=(budget(100_000),))
    gateway = await build(options, tenant=TENANT, records=store, access=access())
    ask = {"model": "echo", "messages": [{"role": "user", "content": "a"}]}
    under = asyncio.create_task(gateway.whole(INES_CALLS, Ask("chat", dict(ask), "r1")))
    while not (gateway.router.routes["echo"].provider.calls or under.done()):  # type: ignore[attr-defined]
        await asyncio.sleep(0)
    store.away = True
    with pytest.raises(Unavailable) as told:
        await gateway.whole(INES_CALLS, Ask("chat", dict(ask), "r2"))
    assert told.value.retry_after >= 1
    assert (await under).bill.cost == 3, "a call that was let out is answered"
    assert gateway.router.routes["echo"].provider.calls == 1  # type: ignore[attr-defined]
    store.away = False
    await gateway.settled()
    (status,) = await gateway.till.spend.status()
    assert (status.spent, status.reserved) == (3, 0)
    await gateway.close()
