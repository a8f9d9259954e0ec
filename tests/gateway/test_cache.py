"""The exact cache answers the same request once, and never across the circle, the rules or the tenant."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata.errors import Forbidden
from strata.gateway.cache import AnswerCache
from strata.gateway.caller import Ask, Caller
from strata.types import Principal, Subject

from .conftest import TENANT, echo, world


def caller(name: str, department: str) -> Caller:
    principal = Principal(TENANT, name, department=department, roles=frozenset({"member"}))
    return Caller(principal, Subject(TENANT, department, name))


INES, OMAR, LENA = caller("ines", "research"), caller("omar", "research"), caller("lena", "finance")


def cache(**more) -> AnswerCache:
    return AnswerCache(TENANT, "rules-1", **{"ttl": 60.0, **more})


def ask(text: str = "hi", **more) -> Ask:
    return Ask("chat", {"model": "m", "messages": [{"role": "user", "content": text}], **more}, "r")


async def answer(text: str) -> list[dict]:
    return [{"text": text}]


async def test_the_same_request_is_answered_once():
    it = cache()
    key = it.key(INES, ask(), streamed=False)
    assert await it.once(key, lambda: answer("first")) == ([{"text": "first"}], "miss")
    assert await it.once(key, lambda: answer("second")) == ([{"text": "first"}], "hit")


async def test_an_answer_that_its_reader_changed_is_kept_as_it_was():
    it = cache()
    key = it.key(INES, ask(), streamed=False)
    (first,), _ = await it.once(key, lambda: answer("first"))
    first["text"] = "changed"
    (again,), _ = await it.once(key, lambda: answer("other"))
    assert again == {"text": "first"}


@pytest.mark.parametrize(
    ("circle", "omar", "lena"), [("caller", False, False), ("department", True, False), ("tenant", True, True)]
)
def test_answers_stay_within_their_circle(circle, omar, lena):
    it = cache(circle=circle)
    mine = it.key(INES, ask(), streamed=False)
    assert (it.key(OMAR, ask(), streamed=False) == mine) == omar
    assert (it.key(LENA, ask(), streamed=False) == mine) == lena


def test_another_tenant_other_rules_another_form_and_another_classification_are_other_requests():
    keys = {
        cache().key(INES, ask(), streamed=False),
        cache().key(INES, ask(), streamed=True),
        cache().key(INES, replace(ask(), classification="restricted"), streamed=False),
        AnswerCache("u", "rules-1", 60.0).key(INES, ask(), streamed=False),
        AnswerCache(TENANT, "rules-2", 60.0).key(INES, ask(), streamed=False),
    }
    assert len(keys) == 5


@given(st.dictionaries(st.sampled_from(["temperature", "seed", "top_p", "n", "stop"]), st.integers(0, 3), max_size=3),
       st.dictionaries(st.sampled_from(["temperature", "seed", "top_p", "n", "stop"]), st.integers(0, 3), max_size=3))  # fmt: skip
def test_two_requests_share_an_answer_only_if_they_are_the_same(one, two):
    it = cache()
    assert (it.key(INES, ask(**one), streamed=False) == it.key(INES, ask(**two), streamed=False)) == (one == two)


def test_what_does_not_change_the_answer_does_not_change_the_key():
    it = cache()
    assert it.key(INES, ask(user="x"), streamed=False) == it.key(INES, ask(user="y"), streamed=False)


async def test_requests_under_way_at_once_are_one_call():
    it, calls, go = cache(), 0, asyncio.Event()

    async def make() -> list[dict]:
        nonlocal calls
        calls += 1
        await go.wait()
        return [{"text": "x"}]

    key = it.key(INES, ask(), streamed=False)
    waiting = [asyncio.create_task(it.once(key, make)) for _ in range(5)]
    await asyncio.sleep(0)
    go.set()
    answers = await asyncio.gather(*waiting)
    assert calls == 1
    assert sorted(how for _, how in answers) == ["miss", "shared", "shared", "shared", "shared"]
    answers[0][0][0]["text"] = "changed"
    assert all(found == [{"text": "x"}] for found, _ in answers[1:])


async def test_where_the_first_fails_or_leaves_the_next_makes_the_call_itself():
    it = cache()
    key = it.key(INES, ask(), streamed=False)
    hang = asyncio.create_task(it.once(key, asyncio.Event().wait))
    await asyncio.sleep(0)
    follower = asyncio.create_task(it.once(key, lambda: answer("own")))
    await asyncio.sleep(0)
    hang.cancel()
    assert await follower == ([{"text": "own"}], "miss")


async def test_a_failure_is_not_kept():
    it = cache()
    key = it.key(INES, ask(), streamed=False)

    async def fail() -> list[dict]:
        raise ValueError

    with pytest.raises(ValueError):
        await it.once(key, fail)
    assert (await it.once(key, lambda: answer("x")))[1] == "miss"


async def test_answers_run_out_and_the_oldest_make_room():
    at = 0.0
    it = cache(clock=lambda: at, room=20_000)
    for number in range(20):
        await it.once(it.key(INES, ask(str(number)), streamed=False), lambda: answer("x" * 1000))
    assert it.find(it.key(INES, ask("0"), streamed=False)) is None
    assert it.find(it.key(INES, ask("19"), streamed=False))
    at = 61.0
    assert it.find(it.key(INES, ask("19"), streamed=False)) is None


# ------------------------------------------------------------------ through the gateway


async def test_a_repeated_request_is_answered_without_a_call_and_costs_nothing():
    async with world(echo(reply="x"), cache_seconds=60.0) as it:
        first, again = [await it.gateway.whole(INES, ask_echo(f"r{number}")) for number in range(2)]
        assert (first.reused, again.reused) == ("", "hit")
        assert first.body == again.body
        assert again.bill.cost == 0
        assert it.echo().calls == 1
        facts = {fact.outcome: fact.cost_micros for fact in await it.facts()}
        assert facts == {"ok": first.bill.cost, "cached": 0}


async def test_a_repeated_stream_is_the_same_stream_and_costs_nothing():
    async with world(echo(chunks=["a", "b"]), cache_seconds=60.0) as it:
        streams = []
        for number in range(2):
            async with aclosing(it.gateway.pieces(INES, ask_echo(f"r{number}"))) as pieces:
                streams.append([piece async for piece in pieces])
        (*first, made), (*again, reused) = streams
        assert [piece for some in first for piece in some] == [piece for some in again for piece in some]
        assert (made.reused, reused.reused) == ("", "hit")
        assert reused.closing[0]["usage"]["cost_micros"] == 0
        assert made.closing[0]["usage"]["completion_tokens"] == reused.closing[0]["usage"]["completion_tokens"]
        assert it.echo().calls == 1


async def test_who_wants_a_fresh_answer_gets_one():
    async with world(echo(reply="x"), cache_seconds=60.0) as it:
        for number in range(2):
            await it.gateway.whole(INES, replace(ask_echo(f"r{number}"), reuse=False))
        assert it.echo().calls == 2


async def test_the_cache_is_no_way_around_a_keys_scope():
    async with world(echo(reply="x"), cache_seconds=60.0, cache_circle="tenant") as it:
        await it.gateway.whole(INES, ask_echo("r1"))
        with pytest.raises(Forbidden):
            await it.gateway.whole(replace(OMAR, models=frozenset({"another"})), ask_echo("r2"))


def ask_echo(request: str) -> Ask:
    return Ask("chat", {"model": "echo", "messages": [{"role": "user", "content": "hi"}]}, request)
