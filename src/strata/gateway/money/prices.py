"""What a call costs: a tariff for each deployment, from the settings or from the published prices that come along.

Sums are whole micro-units, rounded up once per call, so that many small calls never add up to less than the vendor
bills. Each token is priced once: cached and written ones and audio at their own rates instead of the prompt's,
reasoning and audio instead of the completion's. A price holds from one moment until another; a call pays what held
when it was let out. Published prices are those of the `genai-prices` package, read offline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from strata.gateway.options import Dated
from strata.types import Json, Price, Usage, now

MILLION = 1_000_000
HUNDRED = 100
MOST_READ = 100

Tiers = tuple[tuple[int, Price], ...]
"""Prices by the length of the prompt: (from how many prompt tokens on, price of the whole call), ascending from 0.

Vendors with long contexts charge every token of a call at the higher rate once its prompt passes a threshold.
"""


Manner = tuple[tuple[str, str], ...]
"""What a caller may ask of a vendor that changes the price: (`service_tier`, `priority`), (`speed`, `fast`)."""

MANNERS = ("service_tier", "speed")


def manner(body: Json) -> Manner:
    """How a request is to be served, as far as vendors charge by that; or how an answer says that it was."""
    if "service_tier" not in body and "speed" not in body:
        return ()
    return tuple([(name, body[name]) for name in MANNERS if isinstance(body.get(name), str)])


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a deployment costs: always `tiers`, or what `dated` says of a moment and a manner."""

    tiers: Tiers = ((0, Price()),)
    dated: Callable[[datetime, Manner], Tiers] | None = None
    clock: Callable[[], datetime] = now
    free: bool = field(init=False, default=False)
    """Whether it never costs anything; worked out once, because every call asks."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "free", self.dated is None and all(_free(price) for _, price in self.tiers))

    def at(self, moment: datetime | None = None, manner: Manner = ()) -> Tiers:
        """What holds at a moment, now unless it is given."""
        return self.tiers if self.dated is None else self.dated(moment or self.clock(), manner)

    @property
    def currency(self) -> str:
        return self.tiers[0][1].currency

    def cost(self, usage: Usage, moment: datetime | None = None, manner: Manner = ()) -> int:
        """Micro-units for what a call used that was let out at a moment."""
        tiers = self.at(moment, manner)
        price = tiers[0][1]
        for start, dearer in tiers[1:]:
            if usage.prompt_tokens > start:
                price = dearer
        return charge(price, usage)

    def worst(self, prompt: int, completion: int, images: int = 0, manner: Manner = ()) -> int:
        """Micro-units that a call with at most so many tokens and pictures, let out now, cannot exceed; the vendor may
        also serve it in the ordinary manner.
        """
        tiers = self.at(None, manner)
        if manner:
            tiers = (*tiers, *self.at())
        if len(tiers) == 1:
            return _dearest(tiers[0][1], prompt, completion, images)
        return max(_dearest(price, prompt, completion, images) for start, price in tiers if start < max(prompt, 1))


def charge(price: Price, usage: Usage) -> int:
    """The price of a usage, rounded up to a whole micro-unit."""
    prompt = max(usage.prompt_tokens, 0)
    completion = max(usage.completion_tokens, 0)
    cached = _within(usage.cached_tokens, prompt)
    sum_ = (prompt - cached) * price.input + cached * _or(price.cached_input, price.input) + completion * price.output
    if usage.cache_write_tokens:
        written = _within(usage.cache_write_tokens, prompt - cached)
        hour = _within(usage.cache_write_hour_tokens, written)
        rate = _or(price.cache_write, price.input)
        sum_ += (written - hour) * (rate - price.input) + hour * (_or(price.cache_write_hour, rate) - price.input)
        prompt -= written
    if usage.audio_input_tokens and price.audio_input is not None:
        sum_ += _within(usage.audio_input_tokens, prompt - cached) * (price.audio_input - price.input)
    if usage.reasoning_tokens and price.reasoning is not None:
        thought = _within(usage.reasoning_tokens, completion)
        sum_ += thought * (price.reasoning - price.output)
        completion -= thought
    if usage.audio_output_tokens and price.audio_output is not None:
        sum_ += _within(usage.audio_output_tokens, completion) * (price.audio_output - price.output)
    return _less(price, sum_, price.request + max(usage.images, 0) * price.image)


def scheduled(prices: Sequence[Dated], always: Tariff | None) -> Tariff:
    """The tariff of a deployment that has prices of certain dates, and on all other days another, if it has."""

    def at(moment: datetime, manner: Manner) -> Tiers:
        for it in prices:
            if _midnight(it.valid_from, moment) <= moment and (
                it.valid_until is None or moment < _midnight(it.valid_until, moment)
            ):
                return ((0, it.price),)
        return always.at(moment, manner) if always is not None else ((0, prices[0].price),)

    return Tariff(always.tiers if always is not None else ((0, prices[0].price),), at)


def discounted(tariff: Tariff, price: Price) -> Tariff:
    """A tariff with what the contract takes off."""
    if price.discount_percent == 0 and price.batch_percent == HUNDRED:
        return tariff

    def less(tiers: Tiers) -> Tiers:
        off, batch = price.discount_percent, price.batch_percent
        return tuple((start, replace(each, discount_percent=off, batch_percent=batch)) for start, each in tiers)

    dated = tariff.dated
    return Tariff(
        less(tariff.tiers), None if dated is None else lambda moment, manner: less(dated(moment, manner)), tariff.clock
    )


def published(vendor: str, model: str) -> Tariff | None:
    """The vendor's published tariff for a model in US dollars, or None where none is known. Reads no network."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, info = get_snapshot().find_provider_model(model, None, vendor, None)
    except LookupError:
        return None
    today = tiers(info.get_prices(now()))
    if today is None:
        return None
    if not isinstance(info.prices, list) and not info.price_variants:
        return Tariff(today)
    return Tariff(today, _Published(info, today).at)


@dataclass(slots=True)
class _Published:
    """A vendor's prices that depend on the date, the time of day or the manner; each is read once."""

    info: Any
    known: Tiers
    read: dict[tuple[int, Manner], Tiers] = field(default_factory=dict)

    def at(self, moment: datetime, manner: Manner) -> Tiers:
        asked = manner if self.info.price_variants else ()
        standard = self.info.get_prices(moment)
        found = self.read.get((id(standard), asked))
        if found is None:
            if len(self.read) > MOST_READ:
                self.read.clear()
            prices = self.info.get_prices(moment, dict(asked)) if asked else standard
            found = self.read[id(standard), asked] = tiers(prices) or self.known
        return found


def tiers(prices: Any) -> Tiers | None:
    """The tiers of genai-prices' `ModelPrice`: US dollars per million tokens, plain or in tiers."""
    if getattr(prices, "input_mtok", None) is None:
        return None
    parts = {name: getattr(prices, source, None) for name, source in PARTS.items()}
    starts = {0} | {tier.start for part in parts.values() for tier in getattr(part, "tiers", ())}
    return tuple((start, _price(parts, start)) for start in sorted(starts))


PARTS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_hour": "cache_write_1h_mtok",
    "reasoning": "output_reasoning_mtok",
    "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
    "request": "requests_kcount",
}


def _price(parts: dict[str, Any], start: int) -> Price:
    rates: dict[str, Any] = {name: rate for name, part in parts.items() if (rate := _rate(part, start)) is not None}
    return Price(**{**rates, "request": -(-rates.get("request", 0) // 1000)})


def _rate(part: Any, start: int) -> int | None:
    if part is None:
        return None
    rate = getattr(part, "base", part)
    for tier in getattr(part, "tiers", ()):
        if tier.start <= start:
            rate = tier.price
    return -int(-rate * MILLION // 1)


def _dearest(price: Price, prompt: int, completion: int, images: int) -> int:
    heard, said = _rates(price)
    return _less(price, max(prompt, 0) * heard + max(completion, 0) * said, price.request + images * price.image)


@lru_cache(maxsize=4096)
def _rates(price: Price) -> tuple[int, int]:
    """What a token of the prompt and one of the answer can cost at the most."""
    heard = (price.cached_input, price.cache_write, price.cache_write_hour, price.audio_input)
    said = (price.reasoning, price.audio_output)
    return max(price.input, *(rate or 0 for rate in heard)), max(price.output, *(rate or 0 for rate in said))


def _less(price: Price, millionths: int, micros: int) -> int:
    """What is left of a sum when the contract has taken off its share: micro-units, rounded up."""
    share = (HUNDRED - price.discount_percent) * price.batch_percent
    if share == HUNDRED * HUNDRED:
        return -(-millionths // MILLION) + micros
    return -(-(millionths + micros * MILLION) * share // (MILLION * HUNDRED * HUNDRED))


def _free(price: Price) -> bool:
    return charge(price, Usage(1, 1, images=1)) == 0 and _dearest(price, MILLION, MILLION, 1) == 0


def _within(count: int, whole: int) -> int:
    return min(max(count, 0), whole)


def _or(rate: int | None, otherwise: int) -> int:
    return otherwise if rate is None else rate


def _midnight(day: date | None, moment: datetime) -> datetime:
    """The beginning of a day in UTC; the moment itself where none is given."""
    return moment if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)
