"""Finds personal data in text: names, contacts, identifiers with their check digits, addresses, dates.

Everything here is pure and offline: text in, spans out. `find` is all that others need.
"""

from __future__ import annotations

from strata.gateway.guards.privacy import addresses, contacts, dates, fields, firms, identifiers, names, whole
from strata.gateway.guards.privacy.page import Page
from strata.gateway.guards.privacy.spans import DIRECT, INDIRECT, TYPES, Span, settle

FINDERS = (names.look, firms.look, contacts.look, fields.look, identifiers.look, addresses.look, dates.look)


def find(text: str, threshold: float = 0.4) -> list[Span]:
    """Spans of personal data in order, none overlapping another, each scored at least `threshold`."""
    page = Page(text)
    spans = settle(span for finder in FINDERS for span in finder(page) if span.score >= threshold)
    more = list(whole.together(page, spans))
    return settle([*spans, *more]) if more else spans


def loaded() -> bool:
    """Whether the word lists are in memory, which the first look takes about half a second for."""
    return names.weights.cache_info().currsize > 0


__all__ = ["DIRECT", "INDIRECT", "TYPES", "Span", "find", "loaded"]
