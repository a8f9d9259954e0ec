"""What a finder of personal data hands over: a stretch of text, what kind of thing it is and how sure the finder is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

DIRECT = frozenset(
    [
        "PERSON",
        "EMAIL",
        "PHONE",
        "ADDRESS",
        "IBAN",
        "CREDIT_CARD",
        "ACCOUNT",
        "NATIONAL_ID",
        "TAX_ID",
        "PASSPORT",
        "DRIVER_LICENCE",
        "LICENCE",
        "IP_ADDRESS",
        "MAC_ADDRESS",
        "URL",
        "USERNAME",
        "CRYPTO_WALLET",
        "MEDICAL_RECORD",
        "HEALTH_PLAN",
        "VEHICLE",
        "DEVICE",
        "BIRTH_DATE",
        "COORDINATES",
    ]
)
"""Types that point at one person by themselves."""

INDIRECT = frozenset(
    [
        "LOCATION",
        "COUNTRY",
        "POSTCODE",
        "DATE",
        "AGE",
        "OLD_AGE",
        "SEX",
        "ORGANISATION",
        "HOSPITAL",
        "PROFESSION",
        "NATIONALITY",
    ]
)
"""Types that identify together with others: HIPAA's and the GDPR's quasi-identifiers."""

TYPES = DIRECT | INDIRECT

SAFE_HARBOR = frozenset({"LOCATION", "POSTCODE", "DATE", "OLD_AGE", "HOSPITAL"})
"""What 45 CFR 164.514(b)(2) has removed from health data beside the direct identifiers: places smaller than a state,
all dates but the year, ages over 89.
"""


SURE = 0.6


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (exclusive) of a text; `score` between 0 and 1 is how sure it is that this is the
    `type`.
    """

    start: int
    end: int
    type: str
    score: float


def settle(spans: Iterable[Span]) -> list[Span]:
    """Spans in order that do not overlap. Where some did, one covers them all and has the type of the surest (then the
    longest), so that no part of a value stays readable.
    """
    settled: list[Span] = []
    best: tuple[bool, float, int] = (False, 0.0, 0)
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not settled or span.start >= settled[-1].end:
            settled.append(span)
            best = _weight(span, span.end - span.start)
            continue
        last = settled[-1]
        end = max(last.end, span.end)
        weight = _weight(span, end - last.start)
        if weight > best:
            best = weight
            settled[-1] = Span(last.start, end, span.type, span.score)
        elif end > last.end:
            settled[-1] = Span(last.start, end, last.type, last.score)
    return settled


def _weight(span: Span, covered: int) -> tuple[bool, float, int]:
    """What tells most about a stretch: something that covers nearly all of it, then the surest, then the longest."""
    length = span.end - span.start
    return (span.score >= SURE and length * 10 >= covered * 8, span.score, length)
