"""Stands placeholders in for personal data and puts the data back, also where a model changed a placeholder a little.

A vault lives for one request, in memory only. The same value always has the same placeholder in it. Placeholders that
somebody typed themselves are never given out, so that nobody can ask for another's data by guessing one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from strata.gateway.guards.privacy.spans import TYPES, Span

SIGN = r"[ _\-]"
_WORDS = "|".join(sorted((name.replace("_", rf"(?:\\?{SIGN})") for name in TYPES), key=len, reverse=True))
TYPED = re.compile(rf"(?P<type>{_WORDS})(?:\\?{SIGN})*(?P<number>\d+)", re.IGNORECASE)
PLACEHOLDER = re.compile(
    rf"\\?\[\\? ?(?P<type>{_WORDS})\\?(?:{SIGN})+(?P<number>[0-9]{{1,6}}) ?\\?\]"
    rf"|(?<![\w\\])(?<!\w-)(?P<bare>{_WORDS.replace(SIGN, '[_-]')})\\?[_\-](?P<digits>[0-9]{{1,6}})(?!\w)",
    re.IGNORECASE,
)
UNFINISHED = re.compile(
    r"(?:\\?\[[A-Za-z \\_\-]{0,40}[0-9]{0,6} ?\\?|\\|(?<![\w\\])(?<!\w-)[A-Za-z][A-Za-z\\_\-]{0,40}[0-9]{0,6})\Z"
)
_STARTS = frozenset(name[:length].replace("_", "") for name in TYPES for length in range(1, len(name) + 1))
LONGEST = 64
"""Characters that an unfinished placeholder can have."""


@dataclass(slots=True)
class Vault:
    """What stands for what. Its `repr` shows no data."""

    placeholders: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)
    values: dict[str, str] = field(default_factory=dict, repr=False)
    typed: set[tuple[str, int]] = field(default_factory=set, repr=False)
    counts: dict[str, int] = field(default_factory=dict, repr=False)

    def reserve(self, text: str) -> None:
        """Keep free what looks like a placeholder in a text of the request."""
        for one in TYPED.finditer(text):
            self.typed.add((_plain(one["type"]), int(one["number"][:9])))

    def placeholder(self, type: str, value: str) -> str:
        """`[PERSON_1]`: the same for the same value."""
        known = self.placeholders.get((type, value))
        if known is None:
            number = self.counts.get(type, 0) + 1
            while (_plain(type), number) in self.typed:
                number += 1
            self.counts[type] = number
            known = self.placeholders[type, value] = f"[{type}_{number}]"
            self.values[f"{_plain(type)} {number}"] = value
        return known

    def mask(self, text: str, spans: Iterable[Span]) -> str:
        """The text with a placeholder for each span; spans are in order and do not overlap."""
        parts, at = [], 0
        for span in spans:
            parts += [text[at : span.start], self.placeholder(span.type, text[span.start : span.end])]
            at = span.end
        return "".join([*parts, text[at:]])

    def restore(self, text: str, *, start: int = 0, quoted: bool = False) -> str:
        """The text from `start` on with the data put back; `quoted`: the text is JSON and the data is inside strings."""
        if not self.values:
            return text[start:]

        def value(one: re.Match[str]) -> str:
            name, number = one["type"] or one["bare"], one["number"] or one["digits"]
            found = self.values.get(f"{_plain(name)} {int(number)}")
            if found is None:
                return one.group()
            if not quoted:
                return found
            return ("\\" if one.group()[0] == "\\" else "") + json.dumps(found, ensure_ascii=False)[1:-1]

        if not start:
            return PLACEHOLDER.sub(value, text)
        parts, at = [], start
        for one in PLACEHOLDER.finditer(text, start):
            parts += [text[at : one.start()], value(one)]
            at = one.end()
        return "".join([*parts, text[at:]])


def unfinished(text: str) -> int:
    """Where a placeholder may begin whose end has not come yet; the length of the text if nowhere."""
    at = max(0, len(text) - LONGEST)
    while (tail := UNFINISHED.search(text, at)) is not None:
        letters = re.sub(r"[^A-Z]", "", tail.group().upper())
        if not letters or letters in _STARTS:
            return tail.start()
        at = tail.start() + 1
    return len(text)


def _plain(type: str) -> str:
    return re.sub(r"[^A-Za-z]", "", type).upper()
