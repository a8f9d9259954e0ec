"""A deployment that keeps failing is left alone, tried with one call, and taken back when that is answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from strata.errors import (
    Deadline,
    Forbidden,
    RateLimited,
    StrataError,
    Unavailable,
    UpstreamBroken,
    UpstreamRefused,
)
from strata.gateway.money.prices import Tariff
from strata.gateway.options import Deployment
from strata.gateway.routing import breaker as breaking
from strata.gateway.routing.attempts import Attempts, Chance
from strata.gateway.routing.breaker import Breaker
from strata.gateway.routing.latency import FORGET, Latency
from strata.gateway.routing.retrying import LONGEST_WAIT, SHARE, SPARE, RetryBudget, backoff, mend
from strata.gateway.routing.room import QUEUED_PER_PLACE, Room
from strata.gateway.routing.target import Route, Standing, Target


@dataclass
class Time:
    """A clock that goes when it is told to."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def breaker(time: Time) -> Breaker:
    return Breaker(time)


def fails(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.failed(breaker.begin())


def answers(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.succeeded(breaker.begin())


def test_failures_in_a_row_open_it(breaker: Breaker):
    fails(breaker, breaking.CONSECUTIVE - 1)
    assert (breaker.state, breaker.wait()) == ("closed", 0)
    fails(breaker)
    assert (breaker.state, breaker.opened) == ("open", 1)
    assert breaker.wait() == breaking.FIRST_PAUSE


def test_an_answer_now_and_then_keeps_it_closed_while_calls_are_few(breaker: Breaker):
    for _ in range(3):
        fails(breaker, breaking.CONSECUTIVE - 1)
        answers(breaker)
    assert breaker.state == "closed"


def test_calls_that_hang_are_no_outage_while_others_are_answered(breaker: Breaker, time: Time):
    hanging = [(breaker.begin(), time.now) for _ in range(2 * breaking.CONSECUTIVE)]
    time.now += 1
    answers(breaker, 2 * breaking.CONSECUTIVE + 1)
    time.now += 1
    for probe, begun in hanging:
        breaker.failed(probe, begun)
    assert breaker.state == "closed"
    for _ in range(breaking.CONSECUTIVE):
        breaker.failed(breaker.begin(), time.now)
    assert breaker.state == "open"


def test_streams_that_all_break_off_in_the_middle_are_an_outage(breaker: Breaker):
    for _ in range(breaking.CONSECUTIVE):
        probe = breaker.begin()
        breaker.heard(probe)
        breaker.failed(probe)
    assert breaker.state == "open"


def test_the_first_word_of_a_stream_is_enough_of_a_trial(breaker: Breaker, time: Time):
    fails(breaker, breaking.CONSECUTIVE)
    time.now += breaking.FIRST_PAUSE
    probe = breaker.begin()
    breaker.heard(probe)
    assert (breaker.state, breaker.wait()) == ("closed", 0)
    breaker.succeeded(probe)
    assert breaker.state == "closed"


def test_a_vendor_over_its_limit_that_names_no_time_rests_longer_each_time_in_a_row(breaker: Breaker, time: Time):
    rests = []
    for _ in range(7):
        breaker.limited()
        rests.append(breaker.wait())
        time.now += rests[-1]
    assert rests == [0.25, 0.5, 1, 2, 4, 5, 5]
    answers(breaker)
    breaker.limited()
    assert breaker.wait() == 0.25


def test_half_of_many_calls_failing_opens_it(breaker: Breaker):
    for _ in range(breaking.FEWEST // 2):
        answers(breaker)
        fails(breaker)
    assert breaker.state == "open"


def test_failures_of_long_ago_do_not_count(breaker: Breaker, time: Time):
    for _ in range(breaking.FEWEST // 2 - 1):
        answers(breaker)
        fails(breaker)
    time.now += breaking.WINDOW + breaking.SLOT
    answers(breaker, breaking.FEWEST)
    fails(breaker, 4)
    assert breaker.state == "closed"


def test_many_answers_outweigh_some_failures(breaker: Breaker):
    for _ in range(100):
        answers(breaker, 2)
        fails(breaker)
    assert (breaker.state, breaker.opened) == ("closed", 0)


def test_one_call_tries_it_and_an_answer_closes_it(breaker: Breaker, time: Time):
    fails(breaker, breaking.CONSECUTIVE)
    time.now += breaking.FIRST_PAUSE
    assert (breaker.state, breaker.wait()) == ("half-open", 0)
    probe = breaker.begin()
    assert probe
    assert breaker.wait() > 0, "a second call has to wait for the trial"
    breaker.succeeded(probe)
    assert (breaker.state, breaker.wait()) == ("closed", 0)
    fails(breaker, breaking.CONSECUTIVE - 1)
    assert breaker.state == "closed", "it begins anew"


def test_a_trial_that_fails_leaves_it_alone_for_twice_as_long_up_to_a_minute(breaker: Breaker, time: Time):
    fails(breaker, breaking.CONSECUTIVE)
    waits = []
    for _ in range(6):
        time.now += breaker.wait()
        fails(breaker)
        waits.append(breaker.wait())
    assert waits == [10, 20, 40, 60, 60, 60]
    assert breaker.opened == 7


def test_a_trial_whose_caller_leaves_may_be_made_again_at_once(breaker: Breaker, time: Time):
    fails(breaker, breaking.CONSECUTIVE)
    time.now += breaking.FIRST_PAUSE
    breaker.left(breaker.begin())
    assert (breaker.state, breaker.wait()) == ("half-open", 0)


def test_what_was_begun_before_it_opened_decides_nothing_afterwards(breaker: Breaker, time: Time):
    late = [breaker.begin() for _ in range(3)]
    fails(breaker, breaking.CONSECUTIVE)
    breaker.succeeded(late[0])
    breaker.failed(late[1])
    assert (breaker.state, breaker.opened) == ("open", 1)
    time.now += breaking.FIRST_PAUSE
    probe = breaker.begin()
    breaker.left(late[2])
    breaker.succeeded(late[0])
    assert breaker.state == "half-open"
    assert breaker.wait() > 0, "the trial is still under way"
    breaker.succeeded(probe)
    assert breaker.state == "closed"


def test_a_vendor_that_asks_for_rest_gets_it_and_is_not_taken_for_broken(breaker: Breaker, time: Time):
    breaker.left(breaker.begin())
    breaker.rest(7)
    assert (breaker.state, breaker.rests, breaker.wait()) == ("closed", True, 7)
    time.now += 7
    assert (breaker.rests, breaker.wait(), breaker.opened) == (False, 0, 0)
    assert breaker.untroubled


# ------------------------------------------------------------------ what surrounds it


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (RateLimited("slow down"), "again"),
        (Unavailable("busy"), "again"),
        (UpstreamBroken("reset"), "again"),
        (UpstreamBroken("overloaded", vendor_status=529), "again"),
        (UpstreamBroken("no key", vendor_status=401), "elsewhere"),
        (UpstreamBroken("not paid", vendor_status=402), "elsewhere"),
        (UpstreamBroken("no such model", vendor_status=404), "elsewhere"),
        (UpstreamRefused("This model's maximum context length is 8192 tokens."), "larger"),
        (UpstreamRefused("prompt is too long: 204800 tokens > 200000 maximum"), "larger"),
        (UpstreamRefused("The input token count (1050000) exceeds the maximum number of tokens allowed"), "larger"),
        (UpstreamRefused("Input is too long for requested model."), "larger"),
        (UpstreamRefused("'temperature' must be below 2", vendor_status=400), "never"),
        (UpstreamRefused("max_tokens is too large: 100000", vendor_status=400), "never"),
        (Deadline("over"), "never"),
        (Forbidden("a guardrail says no"), "never"),
    ],
)
def test_it_is_known_what_may_mend_a_failure(error: StrataError, how: str):
    assert mend(error) == how


def test_retries_wait_at_random_up_to_twice_as_long_each_time():
    assert [backoff(retry, lambda: 1.0) for retry in range(6)] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_WAIT])
    assert backoff(3, lambda: 0.25) == pytest.approx(0.4)


def test_an_outage_is_answered_with_a_fifth_more_calls_and_not_with_several_times_as_many(time: Time):
    budget = RetryBudget(time)
    made = 0
    for _ in range(1000):
        budget.called()
        made += sum(budget.take() for _ in range(3))
    assert made <= 1000 * SHARE + SPARE
    assert made >= 1000 * SHARE


def test_a_deployment_with_few_calls_may_be_tried_again_after_a_while(time: Time):
    budget = RetryBudget(time)
    while budget.take():
        pass
    time.now += 10
    assert budget.take()


def test_latency_rises_at_once_falls_slowly_and_is_forgotten(time: Time):
    latency = Latency(time)
    assert latency.seconds is None
    latency.observe(1.0)
    time.now += 1
    latency.observe(0.1)
    assert latency.seconds is not None
    assert 0.8 < latency.seconds < 1.0
    latency.at_least(0.5)
    assert latency.seconds > 0.8, "a shorter wait than is known says nothing"
    latency.at_least(30)
    assert latency.seconds == 30
    time.now += FORGET + 1
    assert latency.seconds is None


async def test_calls_wait_for_room_in_the_order_in_which_they_came():
    room, order = Room(1), []

    async def call(name: int) -> None:
        await room.enter()
        order.append(name)
        room.leave()

    await room.enter()
    calls = [asyncio.create_task(call(name)) for name in range(QUEUED_PER_PLACE)]
    await asyncio.sleep(0)
    assert (room.waiting, room.full) == (QUEUED_PER_PLACE, True)
    with pytest.raises(Unavailable):
        await room.enter()
    room.leave()
    await asyncio.gather(*calls)
    assert order == list(range(QUEUED_PER_PLACE))
    assert (room.under_way, room.waiting) == (0, 0)


async def test_who_leaves_while_a_place_becomes_free_hands_it_on():
    room = Room(1)
    await room.enter()
    leaves = asyncio.create_task(room.enter())
    stays = asyncio.create_task(room.enter())
    await asyncio.sleep(0)
    room.leave()
    leaves.cancel()
    await stays
    assert (room.under_way, room.waiting) == (1, 0)
    room.leave()
    assert room.under_way == 0


async def test_nobody_waits_for_room_longer_than_their_patience():
    room = Room(1)
    await room.enter()
    with pytest.raises(Unavailable):
        await room.enter(0.001)
    room.leave()
    assert (room.under_way, room.waiting) == (0, 0)


# ------------------------------------------------------------------ everything together, in any order


FAILURES: list[Any] = [
    RateLimited("slow down", retry_after=2),
    RateLimited("slow down for long", retry_after=600),
    UpstreamBroken("reset"),
    UpstreamBroken("no key", vendor_status=401),
    UpstreamRefused("wrong", vendor_status=400),
    UpstreamRefused("maximum context length is 10"),
    Deadline("over"),
    Forbidden("a guardrail says no"),
]
LIMITS = (0, 2, 1)


class Calls(RuleBasedStateMachine):
    """Calls begin, are answered, fail, and are left, in any order, on three deployments. Whatever happens, nobody holds
    a place who is not there, a deployment that is open is asked at most once at a time, and nobody waits for ever.
    """

    @initialize(draw=st.floats(0.01, 0.99))
    def begin(self, draw: float) -> None:
        self.runner = asyncio.Runner()
        self.time = Time()
        self.chance = Chance(self.time, lambda: draw, self.time.sleep)
        self.routes = tuple(
            Route(
                Deployment(f"m{number}", "chat", "echo", context=100 * number),
                SimpleNamespace(),  # type: ignore[arg-type]
                Tariff(),
                Standing.of(limit, self.time),
            )
            for number, limit in enumerate(LIMITS)
        )
        self.target = Target("smart", self.routes, 2, (1.0, 1.0))
        self.calls: list[Attempts] = []
        self.tries = dict.fromkeys(self.routes, 0)

    def run(self, work: Any) -> Any:
        """What the work comes to, if it need not wait; None where it has to, and then it is cancelled."""
        return self.runner.run(_at_once(work))

    def entered(self, attempts: Attempts) -> None:
        for standing in (route.standing for route in self.routes):
            assert not standing.room.waiting
        try:
            done = self.run(attempts.enter())
        except (Unavailable, RateLimited) as error:
            assert error.retry_after > 0
            attempts.left()
            return
        if done:
            assert attempts.route.standing.breaker.wait() == 0 or attempts.route.standing.breaker.state != "closed"
            self.calls.append(attempts)
        else:
            attempts.left()

    @rule(first=st.sampled_from([0, 1, 2]), streamed=st.booleans())
    def call(self, first: int, streamed: bool) -> None:
        routes = (*self.routes[first:], *self.routes[:first])
        attempts = Attempts(self.target, routes[0], routes, streamed, chance=self.chance)
        if not attempts.hopeless:
            self.entered(attempts)

    @rule(number=st.sampled_from([0, 1, 2]))
    def outage(self, number: int) -> None:
        route = self.routes[number]
        for _ in range(breaking.CONSECUTIVE):
            if route.standing.ready and route.standing.room.free:
                attempts = Attempts(self.target, route, (route,), chance=self.chance)
                self.entered(attempts)
                self.calls.remove(attempts)
                attempts.ended(UpstreamBroken("down", vendor_status=500))

    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        if self.calls:
            attempts = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
            attempts.answered()
            attempts.ended()
            attempts.left()

    @rule(data=st.data(), error=st.sampled_from(FAILURES))
    def fail(self, data: st.DataObject, error: StrataError) -> None:
        if self.calls:
            attempts = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
            before = attempts.route
            attempts.ended(error)
            if self.run(attempts.after(error)):
                assert attempts.count <= len(self.routes) + self.target.retries
                if mend(error) in {"elsewhere", "larger"}:
                    assert attempts.route is not before
                self.entered(attempts)
            attempts.left()
            if attempts in self.calls:
                assert not attempts._held
                self.calls.remove(attempts)

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.calls:
            states = {route: (route.standing.breaker.state, route.standing.breaker.opened) for route in self.routes}
            self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1))).left()
            assert states == {
                route: (route.standing.breaker.state, route.standing.breaker.opened) for route in self.routes
            }

    @rule(seconds=st.sampled_from([0.1, 3.0, 6.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.time.now += seconds

    @invariant()
    def places_are_held_by_those_who_are_there(self) -> None:
        for route in getattr(self, "routes", ()):
            held = [it for it in self.calls if it.route is route]
            room, breaker = route.standing.room, route.standing.breaker
            assert room.under_way == len(held)
            assert not room.limit or room.under_way <= room.limit
            assert sum(bool(it._probe) and it._probe == breaker._probe for it in held) == bool(breaker._probe)
            assert breaker.state != "closed" or not breaker._probe

    def teardown(self) -> None:
        for attempts in getattr(self, "calls", ()):
            attempts.left()
        for route in getattr(self, "routes", ()):
            assert route.standing.room.under_way == 0
        if hasattr(self, "runner"):
            self.runner.close()


async def _at_once(work: Any) -> Any:
    task = asyncio.ensure_future(work)
    for _ in range(5):
        await asyncio.sleep(0)
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
        return None
    done = task.result()
    return True if done is None else done


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
