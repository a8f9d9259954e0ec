"""The gateway's parts by themselves: prices, estimates and keys."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata.adapters.records.memory import MemoryRecords
from strata.errors import Forbidden, Invalid, NotFound, Unauthenticated
from strata.gateway.dialects.chat import bound, parse_usage
from strata.gateway.keys import Keys
from strata.gateway.money.estimate import IMAGE, byte_bound, likely_prompt, prompt_bound
from strata.gateway.money.prices import Tariff, published
from strata.types import Price, Usage, now

from .conftest import INES, OPERATOR, TENANT, access

# ------------------------------------------------------------------ prices


def test_a_cost_is_rounded_up_to_a_whole_micro_unit_once():
    tariff = Tariff(((0, Price(input=150_000, output=600_000)),))
    assert tariff.cost(Usage(1, 0)) == 1
    assert tariff.cost(Usage(10, 10)) == 8
    assert tariff.cost(Usage()) == 0


def test_a_price_per_request_is_charged_once():
    assert Tariff(((0, Price(request=7)),)).cost(Usage(5, 5)) == 7
    assert not Tariff(((0, Price(request=7)),)).free


def test_a_long_prompt_makes_the_whole_call_dearer():
    tariff = Tariff(((0, Price(input=1_000_000)), (100, Price(input=2_000_000))))
    assert (tariff.cost(Usage(100)), tariff.cost(Usage(101))) == (100, 202)


price = st.builds(
    Price,
    input=st.integers(0, 10**8),
    output=st.integers(0, 10**8),
    cached_input=st.none() | st.integers(0, 10**8),
    request=st.integers(0, 10**4),
)
tariffs = st.lists(st.tuples(st.integers(1, 10**6), price), max_size=3, unique_by=lambda tier: tier[0]).flatmap(
    lambda tiers: price.map(lambda first: Tariff(((0, first), *sorted(tiers, key=lambda tier: tier[0]))))
)


@given(tariffs, st.integers(0, 10**6), st.integers(0, 10**6), st.data())
def test_the_worst_case_is_never_below_what_a_call_within_its_bounds_costs(
    tariff: Tariff, prompt: int, completion: int, data: st.DataObject
):
    used = data.draw(st.integers(0, prompt))
    cached = data.draw(st.integers(0, used))
    said = data.draw(st.integers(0, completion))
    assert tariff.cost(Usage(used, said, cached)) <= tariff.worst(prompt, completion)


def test_published_prices_are_known_for_common_models_without_a_network():
    tariff = published("openai", "gpt-4o-mini")
    assert tariff is not None
    ((_, found),) = tariff.tiers
    assert (found.input, found.output, found.cached_input) == (150_000, 600_000, 75_000)
    embedder = published("openai", "text-embedding-3-small")
    assert embedder is not None
    assert embedder.cost(Usage(1_000_000)) == 20_000
    assert published("openai", "no-such-model") is None


# ------------------------------------------------------------------ estimates


def chat(*contents: object, **more: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": content} for content in contents], **more}


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_the_bound_covers_every_byte_of_the_prompt(texts: list[str]):
    assert prompt_bound(chat(*texts), byte_bound) >= sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def test_tools_and_fields_of_vendors_count_as_prompt():
    plain = prompt_bound(chat("x"), byte_bound)
    tools = [{"type": "function", "function": {"name": "lookup", "description": "d" * 500}}]
    assert prompt_bound(chat("x", tools=tools), byte_bound) >= plain + 500
    assert prompt_bound(chat("x", documents=["d" * 500]), byte_bound) >= plain + 500


def test_a_picture_counts_as_a_picture_whatever_its_size():
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}]
    assert IMAGE <= prompt_bound(chat(picture), byte_bound) < IMAGE + 100


def test_tokens_to_embed_count_one_each():
    assert prompt_bound({"model": "m", "input": [1] * 100}, byte_bound) < 120
    assert prompt_bound({"model": "m", "input": [[1] * 100, [2] * 100]}, byte_bound) < 220


def test_a_likely_count_is_well_below_the_bound():
    body = chat("The quick brown fox jumps over the lazy dog. " * 20)
    assert likely_prompt(body) < prompt_bound(body, byte_bound) / 3


def test_the_answers_limit_is_for_every_choice():
    assert bound(chat("x", max_tokens=10, n=3), 512) == 30
    assert bound(chat("x", max_tokens=10, max_completion_tokens=20), 512) == 20
    body = chat("x")
    assert bound(body, 512) == 512
    assert body["max_completion_tokens"] == 512
    for wrong in ({"max_tokens": -1}, {"max_tokens": True}, {"n": 1000}, {"max_tokens": 1.5}):
        with pytest.raises(Invalid):
            bound(chat("x", **wrong), 512)


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 3}, Usage(5, 3)),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}, Usage(5, 0, 5)),
        ({"prompt_tokens": 5, "prompt_cache_hit_tokens": 4}, Usage(5, 0, 4)),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 3,
                "total_tokens": 10,
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            Usage(5, 5, 0, 2),
        ),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 3,
                "total_tokens": 8,
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            Usage(5, 3, 0, 2),
        ),
        ({"prompt_tokens": -5, "completion_tokens": "many", "prompt_tokens_details": None}, Usage()),
        ("nonsense", Usage()),
    ],
)
def test_vendors_ways_of_counting_are_understood(told: object, usage: Usage):
    assert parse_usage(told) == usage


# ------------------------------------------------------------------ keys


async def test_a_key_is_shown_once_and_kept_as_a_hash():
    records = MemoryRecords()
    keys = Keys(records, access(), TENANT)
    key, plain = await keys.create(OPERATOR, "ci", owner="ines", department="research")
    assert plain.startswith("sk-strata-")
    assert len(plain) >= len("sk-strata-") + 43
    assert key.hash == hashlib.sha256(plain.encode()).hexdigest()
    caller = await keys.caller(plain)
    principal, payer = caller.principal, caller.payer
    assert (principal.kind, principal.id, principal.roles) == ("service", key.id, {"caller"})
    assert (payer.department, payer.person, payer.key) == ("research", "ines", key.id)
    assert [it.name for it in await keys.list(OPERATOR)] == ["ci"]


async def test_only_who_may_manage_keys_makes_lists_or_revokes_them():
    keys = Keys(MemoryRecords(), access(), TENANT)
    key, _ = await keys.create(OPERATOR, "ci", owner="ines", department="research")
    with pytest.raises(Forbidden):
        await keys.create(INES, "mine", owner="ines", department="research")
    with pytest.raises(Forbidden):
        await keys.list(INES)
    with pytest.raises(Forbidden):
        await keys.revoke(INES, key.id)
    with pytest.raises(NotFound):
        await keys.revoke(OPERATOR, "key_unknown")


async def test_a_revocation_elsewhere_bites_within_seconds():
    records, time = MemoryRecords(), [0.0]
    here = Keys(records, access(), TENANT, clock=lambda: time[0])
    elsewhere = Keys(records, access(), TENANT)
    key, plain = await elsewhere.create(OPERATOR, "ci", owner="ines", department="research")
    await here.caller(plain)
    await elsewhere.revoke(OPERATOR, key.id)
    await elsewhere.revoke(OPERATOR, key.id)
    time[0] = 3.0
    with pytest.raises(Unauthenticated, match="revoked"):
        await here.caller(plain)


async def test_a_key_needs_a_name_a_department_and_an_expiry_to_come():
    keys = Keys(MemoryRecords(), access(), TENANT)
    for wrong in ({"name": " "}, {"department": ""}, {"expires_at": now() - timedelta(1)}):
        arguments = {"name": "ci", "owner": "ines", "department": "research", **wrong}
        with pytest.raises(Invalid):
            await keys.create(OPERATOR, arguments.pop("name"), **arguments)


async def test_keys_of_another_tenant_open_nothing_here():
    records = MemoryRecords()
    other = Keys(records, access(), "other")
    operator = type(OPERATOR)("other", "cli", kind="service", roles=frozenset({"operator"}))
    _, plain = await other.create(operator, "ci", owner="x", department="y")
    with pytest.raises(Unauthenticated):
        await Keys(records, access(), TENANT).caller(plain)
