"""Prices: every token once at its own rate, by date and contract, and never more than was reserved."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.conftest import budget, echo, world

from strata.errors import Misconfigured
from strata.gateway.dialects import chat, messages
from strata.gateway.money.prices import Tariff, discounted, manner, published, scheduled
from strata.gateway.options import Dated, Deployment
from strata.types import Price, Usage

rate = st.integers(0, 10**8)
maybe = st.none() | rate
prices = st.builds(
    Price,
    input=rate,
    output=rate,
    cached_input=maybe,
    request=st.integers(0, 10**4),
    cache_write=maybe,
    cache_write_hour=maybe,
    reasoning=maybe,
    audio_input=maybe,
    audio_output=maybe,
    image=st.integers(0, 10**6),
    batch_percent=st.integers(0, 100),
    discount_percent=st.integers(0, 100),
)
counts = st.integers(0, 10**6)


@given(prices, counts, counts, st.lists(counts, min_size=6, max_size=6), st.integers(0, 4))
def test_no_call_costs_more_than_was_reserved_for_it(
    price: Price, prompt: int, completion: int, parts: list[int], images: int
):
    """Whatever a vendor says of its parts, even more of a part than of the whole."""
    cached, written, hour, heard, thought, said = parts
    usage = Usage(prompt, completion, cached, thought, written, heard, said, images, hour)
    assert 0 <= Tariff(((0, price),)).cost(usage) <= Tariff(((0, price),)).worst(prompt, completion, images)


def test_cached_and_written_tokens_are_billed_once():
    """litellm#9812, #5443, #31282, #40016."""
    price = Price(input=1_000_000, output=0, cached_input=100_000, cache_write=1_250_000, cache_write_hour=2_000_000)
    tariff = Tariff(((0, price),))
    assert tariff.cost(Usage(1000, cached_tokens=600)) == 400 + 60
    assert tariff.cost(Usage(1000, cached_tokens=600, cache_write_tokens=200)) == 200 + 60 + 250
    assert tariff.cost(Usage(1000, cache_write_tokens=1000, cache_write_hour_tokens=400)) == 750 + 800


def test_anthropics_counts_are_billed_once_in_either_dialect():
    found = {
        "input_tokens": 100,
        "output_tokens": 10,
        "cache_read_input_tokens": 600,
        "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    }
    begun = messages.usage({"type": "message_start", "message": {"usage": {**found, "output_tokens": 1}}})
    for used in (messages.usage({"usage": found}), messages.usage({"usage": {"output_tokens": 10}}, begun)):
        assert used == Usage(1000, 10, 600, 0, 300, cache_write_hour_tokens=200)


def test_reasoning_and_audio_have_their_own_rates_where_the_vendor_has_them():
    price = Price(
        input=1_000_000, output=2_000_000, reasoning=3_000_000, audio_input=10_000_000, audio_output=20_000_000
    )
    usage = chat.parse_usage(
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "prompt_tokens_details": {"audio_tokens": 40},
            "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 10},
        }
    )
    assert Tariff(((0, price),)).cost(usage) == 60 + 400 + 20 * 3 + 10 * 20 + 20 * 2
    assert Tariff(((0, Price(input=1_000_000, output=2_000_000)),)).cost(usage) == 100 + 100


def test_pictures_and_requests_are_priced_each():
    assert Tariff(((0, Price(image=40_000, request=5)),)).cost(Usage(images=3)) == 120_005


def test_a_contract_takes_off_its_share_and_batches_cost_theirs():
    plain = Tariff(((0, Price(input=1_000_000, request=10)),))
    assert discounted(plain, Price(discount_percent=15)).cost(Usage(1000)) == 859  # 858.5, rounded up
    assert discounted(plain, Price(discount_percent=15, batch_percent=50)).cost(Usage(1000)) == 430
    assert discounted(plain, Price()) is plain


def test_a_price_holds_from_one_day_until_another():
    dated = (
        Dated(Price(input=3_000_000), valid_from=date(2026, 3, 1), valid_until=date(2026, 4, 1)),
        Dated(Price(input=2_000_000), valid_from=date(2026, 4, 1)),
    )
    tariff = scheduled(dated, Tariff(((0, Price(input=1_000_000)),)))
    moments = ((2026, 2, 28, 23, 59), (2026, 3, 1), (2026, 3, 31, 23, 59), (2026, 4, 1))
    assert [tariff.cost(Usage(1), datetime(*each, tzinfo=UTC)) for each in moments] == [1, 3, 3, 2]
    at = datetime(2026, 3, 5, tzinfo=UTC)
    assert scheduled(dated, None).at(at)[0][1].input == 3_000_000


def test_published_prices_change_with_the_date_and_the_time_of_day():
    opus = published("anthropic", "claude-opus-4-6")
    assert opus is not None
    long = Usage(300_000)
    before, after = (opus.cost(long, datetime(2026, month, 1, tzinfo=UTC)) for month in (2, 4))
    assert (before, after) == (3_000_000, 1_500_000)
    deepseek = published("deepseek", "deepseek-chat")
    assert deepseek is not None
    night, noon = (deepseek.cost(Usage(1_000_000), datetime(2025, 6, 1, hour, 0, tzinfo=UTC)) for hour in (20, 12))
    assert night < noon


def test_published_prices_know_what_a_cache_costs():
    sonnet = published("anthropic", "claude-sonnet-4-5")
    assert sonnet is not None
    price = sonnet.at()[0][1]
    assert (price.input, price.cached_input, price.cache_write, price.cache_write_hour) == (
        3_000_000,
        300_000,
        3_750_000,
        6_000_000,
    )


def vendor(**more: object) -> Deployment:
    return Deployment("m", "chat", "openai", **{"model": "gpt-4o-mini", "options": {"api_key": "sk-x"}, **more})  # type: ignore[arg-type]


async def test_a_discount_alone_is_taken_off_the_published_price():
    async with world(vendor(price=Price(discount_percent=50))) as it:
        assert it.gateway.router.routes["m"].tariff.cost(Usage(1_000_000)) == 75_000


async def test_an_unknown_price_is_refused_at_the_start_and_days_without_one_too():
    for wrong in (
        vendor(model="no-such-model"),
        vendor(model="no-such-model", prices=(Dated(Price(input=1), date(2026, 1, 1)),)),
        vendor(prices=(Dated(Price(input=1, currency="EUR")),)),
    ):
        with pytest.raises(Misconfigured, match="price"):
            async with world(wrong):
                pass
    complete = (Dated(Price(input=1), valid_until=date(2026, 1, 1)), Dated(Price(input=2), date(2026, 1, 1)))
    async with world(vendor(model="no-such-model", prices=complete)) as it:
        assert it.gateway.router.routes["m"].tariff.cost(Usage(1_000_000)) == 2


async def test_pictures_priced_each_are_reserved_for_before_they_are_made():
    price = Price(image=40_000)
    async with world(echo(price=price, kind="image"), budgets=(budget(100_000),)) as it:
        target = it.gateway.router.targets["echo"]
        assert target.worst(10, 10, 3) == 120_000


def test_a_call_that_asks_to_be_served_first_is_reserved_and_charged_as_the_vendor_does():
    tariff = published("openai", "gpt-4o-mini")
    assert tariff is not None
    usage, first, later = Usage(10**6, 10**6), (("service_tier", "priority"),), (("service_tier", "batch"),)
    assert tariff.cost(usage, None, first) > tariff.cost(usage)
    assert tariff.worst(1000, 1000, 0, first) >= tariff.cost(Usage(1000, 1000), None, first)
    assert tariff.worst(1000, 1000, 0, later) >= tariff.cost(Usage(1000, 1000))


def test_the_manner_of_a_call_is_read_from_the_request_and_from_the_answer():
    assert manner({"service_tier": "flex", "model": "m", "speed": None}) == (("service_tier", "flex"),)
    assert manner({}) == ()
