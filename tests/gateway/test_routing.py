"""What a caller sees when several deployments stand behind a name, and some of them are slow, full, or broken."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import orjson
import pytest

from strata.errors import (
    Deadline,
    Forbidden,
    Invalid,
    Misconfigured,
    RateLimited,
    Unavailable,
    UpstreamBroken,
    UpstreamRefused,
)
from strata.gateway.caller import Ask, Caller
from strata.gateway.guards.guarding import Guards
from strata.gateway.options import Deployment, GuardrailOptions, RouteOptions, Variant
from strata.gateway.providers.echo import Echo
from strata.gateway.routing import breaker as breaking
from strata.gateway.routing.attempts import Chance
from strata.gateway.routing.choosing import ordered
from strata.gateway.routing.latency import FORGET
from strata.gateway.routing.room import QUEUED_PER_PLACE
from strata.gateway.routing.target import Target
from strata.gateway.wire.retry_after import seconds, wanted
from strata.testing.vendor import MockVendor
from strata.types import Price, Principal, Subject

from .conftest import INES, TENANT, World, at, budget, doorway, echo, world

INES_CALLS = Caller(INES, Subject(TENANT, "research", "ines", key="key_1"))


@dataclass
class Time:
    """A clock that goes when it is told to, and when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def timed(it: World, draw: Callable[[], float] = lambda: 0.5) -> Time:
    """Put the gateway's routing under a clock of the test's, and its draws under the test's control."""
    time = Time()
    it.gateway = replace(it.gateway, router=replace(it.gateway.router, chance=Chance(time, draw, time.sleep)))
    for route in it.gateway.router.routes.values():
        standing = route.standing
        standing.clock = time
        for part in (standing.breaker, standing.retries, standing.first_token, standing.total):
            part.clock = time
    return time


def route(*variants: str | Variant, **more: Any) -> RouteOptions:
    those = tuple(it if isinstance(it, Variant) else Variant(it) for it in variants)
    return RouteOptions("smart", more.pop("kind", "chat"), those, **more)


def body(**more: Any) -> Any:
    return {"model": "smart", "messages": [{"role": "user", "content": "one two three"}], "max_tokens": 50, **more}


async def call(it: World, caller: Caller = INES_CALLS, **more: Any) -> Any:
    own = {name: more.pop(name) for name in ("timeout", "session", "request") if name in more}
    ask = Ask("chat", body(**more), own.pop("request", f"req-{random.random()}"), **own)
    return (await it.gateway.whole(caller, ask)).body


async def pieces(it: World, **more: Any) -> list[Any]:
    own = {name: more.pop(name) for name in ("timeout", "session") if name in more}
    ask = Ask("chat", body(**more), f"req-{random.random()}", **own)
    return [piece async for piece in it.gateway.pieces(INES_CALLS, ask)]


def text_of(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])


def calls(it: World, *names: str) -> list[int]:
    return [it.echo(name).calls for name in names]


def under_way(it: World) -> int:
    return sum(route.standing.room.load for route in it.gateway.router.routes.values())


@asynccontextmanager
async def two(one: Any = None, other: Any = None, **more: Any) -> AsyncIterator[World]:
    """Two echoes, `a` and `b`, behind one name."""
    a, b = echo("a", **{"reply": "from a", **(one or {})}), echo("b", **{"reply": "from b", **(other or {})})
    options = more.pop("route", None) or route("a", "b")
    async with world(a, b, routes=(options,), **more) as it:
        yield it
        assert under_way(it) == 0


# ------------------------------------------------------------------ choosing


async def test_calls_are_shared_out_by_weight():
    async with two(route=route(Variant("a", 3), Variant("b", 1))) as it:
        timed(it, random.Random(7).random)
        for _ in range(400):
            await call(it)
        a, b = calls(it, "a", "b")
        assert a + b == 400
        assert 270 < a < 330


async def test_a_variant_without_weight_gets_no_call_not_even_when_the_other_fails():
    async with two({"fail": "broken"}, route=route(Variant("a", 1), Variant("b", 0), retries=0)) as it:
        with pytest.raises(UpstreamBroken):
            await call(it)
        assert calls(it, "a", "b") == [1, 0]


@pytest.mark.parametrize("sticky", ["person", "session", "department"])
async def test_who_is_sticky_meets_the_same_variant_each_time(sticky: Any):
    async with two(route=route("a", "b", sticky=sticky)) as it:
        met: dict[int, set[str]] = {}
        for number in range(40):
            principal = Principal(TENANT, f"p{number}", department=f"d{number}", roles=frozenset({"member"}))
            caller = Caller(principal, Subject(TENANT, f"d{number}", f"p{number}"))
            for _ in range(3):
                answer = await call(it, caller, session=f"s{number}")
                met.setdefault(number, set()).add(text_of(answer))
        assert all(len(variants) == 1 for variants in met.values())
        assert len(set.union(*met.values())) == 2


async def test_a_comparison_of_variants_can_be_read_off_the_records():
    async with two(route=route("a", "b", trial="2027-spring", shadow=Variant("b"))) as it:
        for _ in range(20):
            await call(it)
        facts = await settled(it)
        assert {fact.trial for fact in facts} == {"2027-spring"}
        assert {fact.deployment for fact in facts if fact.operation == "chat"} == {"a", "b"}


async def test_changing_weights_moves_as_few_people_as_it_has_to():
    async with two(route=route("a", "b", sticky="person")) as it:
        target = it.gateway.router.targets["smart"]

        def first(weights: tuple[float, float]) -> list[str]:
            set_ = Target("smart", target.routes, 0, weights, sticky="person")
            found = []
            for number in range(2000):
                caller = Caller(INES, Subject(TENANT, "research", f"p{number}"))
                order = ordered(set_, caller, Ask("chat", {}, "r"), 0, random.random, streamed=False)
                found.append(order[0].deployment.name)
            return found

        before, after = first((9, 1)), first((7, 3))
        moves = Counter((one, other) for one, other in zip(before, after, strict=True) if one != other)
        assert set(moves) == {("a", "b")}, "nobody leaves the variant that grew"
        assert 320 < moves["a", "b"] < 480, "a fifth of the people"
        assert 140 < before.count("b") < 260


async def test_a_sticky_caller_is_answered_by_another_while_theirs_is_down_and_returns_to_it():
    async with two(route=route("a", "b", sticky="person")) as it:
        time = timed(it)
        mine = text_of(await call(it))[-1]
        script = it.echo(mine).script
        script["fail"] = "broken"
        for _ in range(breaking.CONSECUTIVE + 2):
            assert text_of(await call(it))[-1] != mine
        asked = it.echo(mine).calls
        assert asked == breaking.CONSECUTIVE + 1, "an open deployment is not asked"
        del script["fail"]
        time.now += breaking.FIRST_PAUSE
        assert text_of(await call(it))[-1] == mine


async def test_the_less_busy_variant_is_asked():
    async with two({"fail": "hang"}, {"fail": "hang"}, route=route("a", "b", strategy="least-busy")) as it:
        tasks = []
        for number in range(6):
            tasks.append(asyncio.create_task(call(it)))
            while sum(calls(it, "a", "b")) <= number:
                await asyncio.sleep(0)
        assert calls(it, "a", "b") == [3, 3]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_a_variant_with_twice_the_weight_may_be_twice_as_busy():
    options = route(Variant("a", 2), Variant("b", 1), strategy="least-busy")
    async with two({"fail": "hang"}, {"fail": "hang"}, route=options) as it:
        tasks = []
        for number in range(9):
            tasks.append(asyncio.create_task(call(it)))
            while sum(calls(it, "a", "b")) <= number:
                await asyncio.sleep(0)
        assert calls(it, "a", "b") == [6, 3]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_fastest_variant_is_asked_and_the_others_are_tried_again_when_their_figures_are_old(
    streamed: bool, monkeypatch: pytest.MonkeyPatch
):
    async with two(route=route("a", "b", strategy="lowest-latency")) as it:
        time = timed(it)

        async def pause(model: Any) -> None:
            time.now += 2.0 if model.model == "a" else 0.5

        monkeypatch.setattr(Echo, "_pause", pause)
        for _ in range(10):
            await (pieces(it) if streamed else call(it))
        assert calls(it, "a", "b") == [1, 9], "both are tried, then the faster one"
        time.now += FORGET + 1
        for _ in range(3):
            await (pieces(it) if streamed else call(it))
        assert calls(it, "a", "b")[0] == 2


async def test_the_cheapest_variant_for_this_very_call_is_asked():
    reads_dear, writes_dear = Price(input=9_000_000, output=1_000_000), Price(input=1_000_000, output=9_000_000)
    options = route("a", "b", strategy="lowest-cost")
    async with two({"price": reads_dear}, {"price": writes_dear}, route=options) as it:
        long = [{"role": "user", "content": "word " * 2000}]
        assert text_of(await call(it, messages=long, max_tokens=10)) == "from b"
        assert text_of(await call(it, max_tokens=5000)) == "from a"


# ------------------------------------------------------------------ failing over


async def test_the_fallback_that_answered_stands_in_the_row_and_is_what_is_paid():
    cheap = Price(input=1_000_000, output=1_000_000)
    dear = Price(input=5_000_000, output=5_000_000)
    models = (echo("a", cheap, fail="broken"), echo("b", dear, reply="b answers"))
    async with world(*models, routes=(route("a", fallbacks=("b",)),), budgets=(budget(100_000),)) as it:
        time = timed(it)
        assert text_of(await call(it)) == "b answers"
        (fact,) = await it.facts()
        assert (fact.model, fact.deployment, fact.attempts, fact.outcome) == ("smart", "b", 2, "ok")
        assert fact.cost_micros == (3 + 2) * 5
        assert await it.standing() == (fact.cost_micros, 0)
        assert time.slept == [], "going on to another costs no waiting"


@pytest.mark.parametrize(
    ("script", "answered"),
    [
        ("mock;fail=429;retry=60", True),
        ("mock;fail=500", True),
        ("mock;fail=529", True),
        ("mock;fail=401", True),
        ("mock;fail=404", True),
        ("mock;drop=0", True),
        ("mock;html", True),
        ("mock;garbage", True),
        ("mock;fail=400", False),
        ("mock;fail=422", False),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_another_model_answers_unless_the_request_itself_is_at_fault(
    vendor: MockVendor, script: str, answered: bool, streamed: bool
):
    if streamed and script == "mock;garbage":
        script = "mock;role;error=1"
    first, second = at(vendor, script, "a"), at(vendor, "mock", "b")
    async with world(first, second, routes=(route("a", fallbacks=("b",)),), budgets=(budget(10_000),)) as it:
        ask = pieces(it) if streamed else call(it)
        if answered:
            assert await ask
        else:
            with pytest.raises(UpstreamRefused):
                await ask
        (fact,) = await it.facts()
        assert (fact.outcome, fact.deployment) == (("ok", "b") if answered else ("failed", "a"))
        assert await it.standing() == (12 + 8 * 2 if answered else 0, 0)


async def test_a_request_that_is_too_long_goes_to_a_model_with_a_larger_context_only(vendor: MockVendor):
    models = (
        at(vendor, "mock;long=8000", "a", context=8_000),
        at(vendor, "mock;n=1", "b", context=8_000),
        at(vendor, "mock;n=2", "c", context=200_000),
    )
    async with world(*models, routes=(route("a", fallbacks=("b", "c")),)) as it:
        await call(it)
        (fact,) = await it.facts()
        assert fact.deployment == "c"
        assert vendor.seen["mock;n=1"] == 0


async def test_a_request_that_is_too_long_everywhere_is_told_so(vendor: MockVendor):
    models = (at(vendor, "mock;long=8", "a", context=8), at(vendor, "mock", "b"))
    async with world(*models, routes=(route("a", fallbacks=("b",)),)) as it:
        with pytest.raises(UpstreamRefused, match="maximum context length is 8"):
            await call(it)


async def test_a_stream_that_said_nothing_but_its_role_is_taken_over_by_another(vendor: MockVendor):
    first = at(vendor, "mock;role;silent=1", "a", first_token_timeout=0.05)
    async with world(first, at(vendor, "mock", "b"), routes=(route("a", fallbacks=("b",)),)) as it:
        *told, ended = await pieces(it, stream=True)
        said = [choice["delta"].get("content") for some in told for piece in some for choice in piece["choices"]]
        assert "".join(filter(None, said)) == "This is the mock's answer."
        assert (
            sum(choice["delta"].get("role") is not None for some in told for it in some for choice in it["choices"])
            == 1
        )
        assert (ended.bill.deployment, ended.bill.attempts, ended.bill.cost) == ("b", 2, 12 + 16)


async def test_a_stream_that_has_begun_is_not_taken_over_and_ends_with_an_error_event(vendor: MockVendor):
    first, second = at(vendor, "mock;drop=2", "a"), at(vendor, "mock;n=2", "b")
    async with doorway(first, second, routes=(route("a", fallbacks=("b",)),), budgets=(budget(10_000),)) as door:
        answer = await door.post("/v1/chat/completions", body(stream=True))
        lines = [line for line in (await answer.text()).split("\n\n") if line]
        assert answer.status == 200
        events = [orjson.loads(line.removeprefix("data: ")) for line in lines]
        assert [bool(event.get("choices")) for event in events[:-1]] == [True, True]
        assert events[-1]["error"]["code"] == "upstream_broken"
        assert vendor.seen["mock;n=2"] == 0
        (fact,) = await door.world.facts()
        assert (fact.outcome, fact.deployment, fact.estimated) == ("failed", "a", True)
        assert fact.cost_micros > 0, "what was said is paid"


async def test_a_stream_that_falls_silent_in_the_middle_ends_in_an_error(vendor: MockVendor):
    first = at(vendor, "mock;silent=2", "a", idle_timeout=0.05)
    async with world(first, at(vendor, "mock", "b"), routes=(route("a", fallbacks=("b",)),)) as it:
        with pytest.raises(UpstreamBroken, match="next piece"):
            await pieces(it, stream=True)
        assert (await it.facts())[0].deployment == "a"


async def test_a_call_goes_to_a_variant_whose_vendor_can_do_what_is_asked():
    async with two() as it:
        it.echo("a").operations = frozenset({"embeddings"})
        for _ in range(8):
            assert text_of(await call(it)) == "from b"
        it.echo("b").operations = frozenset({"embeddings"})
        with pytest.raises(Invalid, match="does not do chat"):
            await call(it)


async def test_every_variant_streams_whichever_answers(vendor: MockVendor):
    """TensorZero once had a kind of variant that could not stream (tensorzero#1839)."""
    models = (at(vendor, "mock", "a"), echo("b", reply="from b"))
    for strategy in ("weighted", "least-busy", "lowest-latency", "lowest-cost"):
        async with world(*models, routes=(route("a", "b", strategy=strategy),)) as it:
            timed(it, random.Random(1).random)
            for _ in range(6):
                *told, ended = await pieces(it, stream=True)
                assert told
                assert ended.bill.outcome == "ok"


# ------------------------------------------------------------------ trying again


async def test_a_vendor_that_names_a_time_is_not_asked_before_it(vendor: MockVendor):
    async with world(at(vendor, "mock;fail=429;retry=3;times=1", "a"), routes=(route("a"),)) as it:
        time = timed(it)
        await call(it)
        assert len(time.slept) == 1
        assert 3 < time.slept[0] < 4.5, "and not by everybody at the same moment"


async def test_who_would_wait_too_long_is_told_at_once_whose_limit_it_is(vendor: MockVendor):
    """An error of the limits once did not say whose (tensorzero#3678)."""
    async with world(at(vendor, "mock;fail=429;retry=60", "a"), routes=(route("a"),)) as it:
        time = timed(it)
        with pytest.raises(RateLimited, match="the vendor of 'a' is over its limit") as first:
            await call(it)
        time.now += 20
        with pytest.raises(RateLimited, match="the platform's and not yours") as second:
            await call(it)
        assert (first.value.retry_after, second.value.retry_after) == (60, 40)
        assert time.slept == []
        assert len(vendor.requests) == 1, "the vendor is left alone meanwhile"


async def test_who_comes_while_a_vendor_rests_for_a_moment_waits_with_it(vendor: MockVendor):
    async with world(at(vendor, "mock;fail=429;retry=2;times=1", "a"), routes=(route("a", retries=1),)) as it:
        time = timed(it)
        it.gateway.router.routes["a"].standing.breaker.rest(2)
        vendor.seen["mock;fail=429;retry=2;times=1"] = 1
        await call(it)
        assert 2 < time.slept[0] < 3


async def test_retries_wait_longer_each_time_and_end():
    async with world(echo("a", fail="broken"), routes=(route("a", retries=3),)) as it:
        time = timed(it, lambda: 1.0)
        with pytest.raises(UpstreamBroken):
            await call(it)
        assert time.slept == pytest.approx([0.2, 0.4, 0.8])
        (fact,) = await it.facts()
        assert (fact.attempts, fact.cost_micros, it.echo("a").calls) == (4, 0, 4)


async def test_an_outage_is_not_answered_with_many_times_the_calls():
    async with world(echo("a", fail="broken"), routes=(route("a", retries=3),)) as it:
        timed(it)
        refused: Counter[str] = Counter()
        for _ in range(200):
            with pytest.raises((UpstreamBroken, Unavailable)) as caught:
                await call(it)
            refused[type(caught.value).__name__] += 1
        assert it.echo("a").calls <= 40
        assert refused["Unavailable"] > 150


async def test_the_callers_deadline_covers_all_tries_together():
    async with world(echo("a", fail="broken"), routes=(route("a", retries=9),)) as it:
        time = timed(it, lambda: 1.0)
        began = time.now
        with pytest.raises(UpstreamBroken):
            await call(it, timeout=1.0)
        assert time.now - began < 1.0


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_vendor_that_hangs_is_left_when_the_callers_time_is_over_and_is_not_blamed(streamed: bool):
    async with world(echo("a", fail="hang"), routes=(route("a"),), budgets=(budget(10_000),)) as it:
        for _ in range(breaking.CONSECUTIVE + 1):
            with pytest.raises(Deadline, match=r"the 0\.01 s that the caller allows are over"):
                await (pieces(it, timeout=0.01) if streamed else call(it, timeout=0.01))
        assert it.gateway.router.routes["a"].standing.breaker.state == "closed"
        assert it.echo("a").cancelled == breaking.CONSECUTIVE + 1
        assert (await it.standing())[1] == 0


async def test_a_stream_is_cut_when_the_callers_time_is_over():
    chunks = [f"w{number} " for number in range(50)]
    async with world(echo("a", chunks=chunks, delay=0.01), routes=(route("a"),)) as it:
        with pytest.raises(Deadline):
            await pieces(it, timeout=0.1)
        (fact,) = await it.facts()
        assert fact.outcome == "failed"
        assert 0 < fact.usage.completion_tokens < 50


async def test_a_caller_may_say_how_long_a_call_may_take(vendor: MockVendor):
    async with doorway(at(vendor, "mock;hang")) as door:
        answer = await door.chat(headers={"x-strata-timeout": "0.05"})
        assert answer.status == 504
        for wrong in ("soon", "-1", "0", "nan", "1e9"):
            assert (await door.chat(headers={"x-strata-timeout": wrong})).status in {400, 422}


# ------------------------------------------------------------------ deployments that are down


async def test_a_deployment_that_keeps_failing_is_left_alone_and_callers_are_told_at_once():
    async with world(echo("a", fail="broken", reply="back"), routes=(route("a", retries=0),)) as it:
        time = timed(it)
        for _ in range(breaking.CONSECUTIVE):
            with pytest.raises(UpstreamBroken):
                await call(it)
        with pytest.raises(Unavailable, match="left alone for 5 s") as told:
            await call(it)
        assert told.value.retry_after == breaking.FIRST_PAUSE
        assert it.echo("a").calls == breaking.CONSECUTIVE
        assert len(await it.facts()) == breaking.CONSECUTIVE, "who is told at once has reserved nothing"
        time.now += breaking.FIRST_PAUSE
        del it.echo("a").script["fail"]
        assert text_of(await call(it)) == "back"


async def test_one_call_alone_finds_out_whether_a_deployment_is_back():
    async with world(echo("a", fail="broken"), routes=(route("a", retries=0),)) as it:
        time = timed(it)
        for _ in range(breaking.CONSECUTIVE):
            with pytest.raises(UpstreamBroken):
                await call(it)
        time.now += breaking.FIRST_PAUSE
        it.echo("a").script["fail"] = "hang"
        trial = asyncio.create_task(call(it))
        while it.echo("a").calls <= breaking.CONSECUTIVE:
            await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await call(it)
        trial.cancel()
        await asyncio.wait([trial])
        del it.echo("a").script["fail"]
        assert await call(it), "a trial whose caller left may be made again"


async def test_requests_that_are_at_fault_never_close_a_model_to_others(vendor: MockVendor):
    async with world(at(vendor, "mock;fail=400", "a"), routes=(route("a"),)) as it:
        for _ in range(3 * breaking.CONSECUTIVE):
            with pytest.raises(UpstreamRefused):
                await call(it)
        assert it.gateway.router.routes["a"].standing.breaker.state == "closed"


async def test_callers_who_hang_up_never_close_a_model_to_others():
    """Disconnects once left rows unpaid and counters wrong (litellm#14457, #36008)."""
    async with world(echo("a", fail="hang"), routes=(route("a"),)) as it:
        for number in range(3 * breaking.CONSECUTIVE):
            task = asyncio.create_task(call(it))
            while it.echo("a").calls <= number:
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        standing = it.gateway.router.routes["a"].standing
        assert (standing.breaker.state, standing.room.load) == ("closed", 0)
        assert {fact.outcome for fact in await it.facts()} == {"client-gone"}


async def test_a_reader_who_leaves_a_stream_leaves_no_place_taken():
    async with world(echo("a", chunks=["a ", "b ", "c "], max_concurrent=1), routes=(route("a"),)) as it:
        async with aclosing(it.gateway.pieces(INES_CALLS, Ask("chat", body(), "r1"))) as stream:
            await anext(stream)
            assert under_way(it) == 1
        assert under_way(it) == 0


async def test_answers_that_a_guardrail_stops_are_not_the_vendors_failures():
    class Nothing:
        name = "nothing"

        async def piece(self, text: Any) -> str:
            raise Forbidden("nothing may be said")

        async def end(self, channel: str) -> str:
            return ""

        async def request(self, submission: Any) -> None:
            return None

        def answer(self, submission: Any) -> Any:
            return self

    async with two() as it:
        it.gateway = replace(it.gateway, guards=Guards(((GuardrailOptions("nothing"), Nothing()),)))
        for _ in range(2 * breaking.CONSECUTIVE):
            with pytest.raises(Forbidden):
                await call(it)
            with pytest.raises(Forbidden):
                await pieces(it)
        states = {route.standing.breaker.state for route in it.gateway.router.routes.values()}
        assert states == {"closed"}
        assert sum(calls(it, "a", "b")) == 4 * breaking.CONSECUTIVE, "nothing is tried again"


# ------------------------------------------------------------------ room


def narrow(name: str, places: int = 1, **script: Any) -> Deployment:
    return replace(echo(name, **script), max_concurrent=places)


async def test_calls_beyond_what_a_model_takes_at_once_wait_their_turn():
    async with world(narrow("a", 2, reply="x", delay=0.001), routes=(route("a"),)) as it:
        answers = await asyncio.gather(*(call(it) for _ in range(10)))
        assert len(answers) == 10
        assert under_way(it) == 0


async def test_when_the_queue_is_full_another_model_answers_and_without_one_the_caller_is_told():
    models = (narrow("a", fail="hang"), echo("b", reply="from b"))
    alone = RouteOptions("alone", "chat", (Variant("a"),))
    async with world(*models, routes=(route("a", fallbacks=("b",)), alone)) as it:
        waiting = [asyncio.create_task(call(it, model="alone")) for _ in range(1 + QUEUED_PER_PLACE)]
        while under_way(it) < 1 + QUEUED_PER_PLACE:
            await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="try again shortly"):
            await call(it, model="alone")
        assert text_of(await call(it)) == "from b"
        assert it.echo("a").calls == 1
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert under_way(it) == 0


async def test_who_waits_for_room_waits_no_longer_than_their_deadline():
    async with world(narrow("a", fail="hang"), routes=(route("a"),)) as it:
        first = asyncio.create_task(call(it))
        while not it.echo("a").calls:
            await asyncio.sleep(0)
        with pytest.raises(Deadline):
            await call(it, timeout=0.02)
        first.cancel()
        await asyncio.wait([first])
        assert under_way(it) == 0


# ------------------------------------------------------------------ copies


async def settled(it: World) -> list[Any]:
    await it.gateway.shadows.drained()
    return await it.facts()


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_model_on_trial_gets_a_copy_on_the_departments_account(streamed: bool):
    models = (echo("a", reply="from a"), echo("b", reply="three words here"))
    budgets = (budget(10_000, "department:research", "research"), budget(10_000, "person:ines", "ines"))
    async with world(*models, routes=(route("a", shadow=Variant("b")),), budgets=budgets) as it:
        await (pieces(it) if streamed else call(it))
        copy, own = sorted(await settled(it), key=lambda fact: fact.deployment, reverse=True)
        assert (own.operation, own.deployment, own.cost_micros) == ("chat", "a", 3 + 2 * 2)
        assert (copy.operation, copy.deployment, copy.cost_micros) == ("shadow:chat", "b", 3 + 3 * 2)
        assert (copy.model, copy.outcome, copy.streamed) == ("smart", "ok", streamed)
        assert (copy.payer.department, copy.payer.person, copy.payer.key) == ("research", "", "")
        assert await it.standing("research") == (own.cost_micros + copy.cost_micros, 0)
        assert await it.standing("ines") == (own.cost_micros, 0)


async def test_a_copy_has_what_the_guardrails_masked():
    class Mask:
        name = "mask"

        async def request(self, submission: Any) -> None:
            for text in submission.texts:
                text.replace(text.value.replace("two", "***"))

        def answer(self, submission: Any) -> None:
            return None

    async with world(echo("a"), echo("b"), routes=(route("a", shadow=Variant("b")),)) as it:
        it.gateway = replace(it.gateway, guards=Guards(((GuardrailOptions("mask"), Mask()),)))
        await call(it)
        await settled(it)
        assert it.echo("b").requests[0]["messages"][0]["content"] == "one *** three"


async def test_a_copy_that_fails_or_hangs_neither_delays_nor_fails_the_caller():
    for fail in ("broken", "hang"):
        async with world(echo("a"), echo("b", fail=fail), routes=(route("a", shadow=Variant("b")),)) as it:
            assert await call(it)
            if fail == "broken":
                outcomes = {fact.deployment: fact.outcome for fact in await settled(it)}
                assert outcomes == {"a": "ok", "b": "failed"}
        assert under_way(it) == 0


async def test_without_room_in_the_budget_there_is_no_copy_and_nobody_hears_of_it():
    cheap, dear = Price(input=1_000_000), Price(input=1_000_000, request=10**9)
    models = (echo("a", cheap), echo("b", dear))
    async with world(*models, routes=(route("a", shadow=Variant("b")),), budgets=(budget(10_000),)) as it:
        await call(it)
        assert [fact.deployment for fact in await settled(it)] == ["a"]
        assert it.echo("b").calls == 0


async def test_a_share_of_the_calls_is_copied():
    async with world(echo("a"), echo("b"), routes=(route("a", shadow=Variant("b", 0.25)),)) as it:
        timed(it, random.Random(3).random)
        for _ in range(80):
            await call(it)
            await it.gateway.shadows.drained()
        assert 10 < it.echo("b").calls < 30


# ------------------------------------------------------------------ where a call may go


async def test_a_call_goes_only_where_it_may():
    async with two(route=route("a", "b")) as it:
        router, target = it.gateway.router, it.gateway.router.targets["smart"]

        def only(name: str) -> Callable[[Any], str | None]:
            return lambda route: None if route.deployment.name == name else "data of the EU stays in the EU"

        for name in ("a", "b"):
            for _ in range(5):
                begun = router.begin(target, INES_CALLS, Ask("chat", body(), "r"), objection=only(name))
                assert [route.deployment.name for route in begun.routes] == [name]
        with pytest.raises(Forbidden, match="data of the EU stays in the EU"):
            router.begin(target, INES_CALLS, Ask("chat", body(), "r"), objection=only("nowhere"))


async def test_a_copy_goes_only_where_it_may():
    async with world(echo("a"), echo("b"), routes=(route("a", shadow=Variant("b")),)) as it:
        router = it.gateway.router

        def not_b(route: Any) -> str | None:
            return "no agreement" if route.deployment.name == "b" else None

        ask = Ask("chat", body(), "r")
        assert router.begin(router.targets["smart"], INES_CALLS, ask).shadow is router.routes["b"]
        assert router.begin(router.targets["smart"], INES_CALLS, ask, objection=not_b).shadow is None


async def test_room_is_made_for_the_dearest_deployment_that_may_answer():
    models = (echo("a"), echo("b", Price(input=1_000_000, output=100_000_000), fail="broken"))
    async with world(*models, routes=(route("a", fallbacks=("b",)),), budgets=(budget(3000),)) as it:
        with pytest.raises(Exception, match="may cost up to"):
            await call(it)
        assert it.echo("a").calls == 0


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (route("a", "nobody"), "no models \\['nobody'\\]"),
        (route("a", fallbacks=("gone",)), "no models \\['gone'\\]"),
        (route("a", shadow=Variant("gone")), "no models \\['gone'\\]"),
        (route("a", "a"), "twice"),
        (route(Variant("a", 0)), "above 0"),
        (route("a", "b", sticky="person", strategy="least-busy"), "cannot be 'least-busy'"),
        (route("a", shadow=Variant("b", 1.5)), "share of the calls"),
    ],
)
async def test_mistakes_in_a_route_are_told(options: RouteOptions, hint: str):
    with pytest.raises(Misconfigured, match=hint):
        async with world(echo("a"), echo("b"), routes=(options,)):
            pass


# ------------------------------------------------------------------ when to come back


NOW = 1_800_000_000.0
SOON = datetime.fromtimestamp(NOW + 30, UTC)


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("7", 7), ("0", 0), ("1.5", 1.5), ("99999", 3600), ("-4", 1), ("soon", 1), ("", 1), (None, 1), ("nan", 1),
        (format_datetime(SOON, usegmt=True), 30),
        (format_datetime(datetime.fromtimestamp(NOW - 500, UTC), usegmt=True), 0),
        (SOON.isoformat(), 30), (SOON.isoformat().replace("+00:00", "Z"), 30),
        ("6m0s", 360), ("1m30.5s", 90.5), ("120ms", 0.12), ("2h", 3600),
        (str(NOW + 5), 5), (str(int((NOW + 5) * 1000)), 5),
    ],
)  # fmt: skip
def test_retry_after_is_understood_in_every_form(said: str | None, wait: float):
    assert seconds(said, lambda: NOW) == pytest.approx(wait)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({b"retry-after-ms": b"250", b"retry-after": b"1"}, 0.25),
        ({b"retry-after": b"2", b"x-ratelimit-remaining-requests": b"0", b"x-ratelimit-reset-requests": b"9s"}, 2),
        (
            {
                b"x-ratelimit-remaining-requests": b"12", b"x-ratelimit-reset-requests": b"1h",
                b"x-ratelimit-remaining-tokens": b"0", b"x-ratelimit-reset-tokens": b"6s",
            },
            6,
        ),
        (
            {
                b"anthropic-ratelimit-tokens-remaining": b"0",
                b"anthropic-ratelimit-tokens-reset": SOON.isoformat().encode(),
            },
            30,
        ),
        ({b"x-ratelimit-remaining-tokens": b"5", b"x-ratelimit-reset-tokens": b"6s"}, None),
    ],
)  # fmt: skip
def test_a_vendor_that_gives_no_retry_after_is_understood_by_its_limits(headers: Any, wait: float | None):
    assert wanted(headers, lambda: NOW) == (None if wait is None else pytest.approx(wait))
