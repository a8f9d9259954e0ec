"""What a call costs: a tariff for each deployment, from the settings or from the published prices that come along.

Sums are whole micro-units, rounded up once per call, so that many small calls never add up to less than the vendor
bills. Cached tokens are part of the prompt's and are priced once, at their own rate; reasoning tokens are part of the
completion's. Published prices are those of the `genai-prices` package, read at start, offline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from strata.types import Price, Usage, now

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices by the length of the prompt: (from how many prompt tokens on, price of the whole call), ascending from 0.

    Vendors with long contexts charge every token of a call at the higher rate once its prompt passes a threshold.
    """

    tiers: tuple[tuple[int, Price], ...] = ((0, Price()),)

    @property
    def currency(self) -> str:
        return self.tiers[0][1].currency

    @property
    def free(self) -> bool:
        return all(
            price.input == price.output == price.request == 0 and not price.cached_input for _, price in self.tiers
        )

    def cost(self, usage: Usage) -> int:
        """Micro-units for what a call used."""
        price = self.tiers[0][1]
        for start, dearer in self.tiers[1:]:
            if usage.prompt_tokens > start:
                price = dearer
        return charge(price, usage)

    def worst(self, prompt: int, completion: int) -> int:
        """Micro-units that a call with at most so many tokens cannot exceed."""
        usage = Usage(prompt, completion)
        if len(self.tiers) == 1:
            return _dearest(self.tiers[0][1], usage)
        return max(_dearest(price, usage) for start, price in self.tiers if start < max(prompt, 1))


def charge(price: Price, usage: Usage) -> int:
    """The price of a usage, rounded up to a whole micro-unit."""
    prompt = max(usage.prompt_tokens, 0)
    cached = min(max(usage.cached_tokens, 0), prompt)
    rate = price.input if price.cached_input is None else price.cached_input
    sum_ = (prompt - cached) * price.input + cached * rate + max(usage.completion_tokens, 0) * price.output
    return -(-sum_ // MILLION) + price.request


def published(vendor: str, model: str) -> Tariff | None:
    """The vendor's published tariff for a model in US dollars, or None where none is known. Reads no network."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, info = get_snapshot().find_provider_model(model, None, vendor, None)
    except LookupError:
        return None
    return tariff(info.get_prices(now()))


def tariff(prices: Any) -> Tariff | None:
    """A tariff from genai-prices' `ModelPrice`: US dollars per million tokens, plain or in tiers."""
    if prices.input_mtok is None:
        return None
    parts = (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok, prices.requests_kcount)
    starts = {0} | {tier.start for part in parts for tier in getattr(part, "tiers", ())}
    return Tariff(tuple((start, _price(parts, start)) for start in sorted(starts)))


def _price(parts: tuple[Any, ...], start: int) -> Price:
    input_, output, cached, requests = (_rate(part, start) for part in parts)
    return Price(input_ or 0, output or 0, cached, -(-(requests or 0) // 1000))


def _rate(part: Any, start: int) -> int | None:
    if part is None:
        return None
    rate = getattr(part, "base", part)
    for tier in getattr(part, "tiers", ()):
        if tier.start <= start:
            rate = tier.price
    return -int(-rate * MILLION // 1)


def _dearest(price: Price, usage: Usage) -> int:
    if price.cached_input is not None and price.cached_input > price.input:
        usage = Usage(usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens)
    return charge(price, usage)
