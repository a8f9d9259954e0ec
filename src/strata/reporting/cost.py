"""Money for bookkeeping: charges, and exact decimal amounts from micro-units."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Charge:
    """What one payer used of one model on one day (UTC, ISO 8601). `cost_micros` is in micro-units of `currency`."""

    day: str
    department: str
    person: str
    assistant: str
    model: str
    provider: str
    operation: str
    currency: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int


def amount(micros: int) -> Decimal:
    """Micro-units as a decimal amount with six places, exact at any size: 1_250_000 is `1.250000`."""
    sign, digits, _ = Decimal(micros).as_tuple()
    return Decimal((sign, digits, -6))
