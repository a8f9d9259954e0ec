"""A text cut into words once, with an index of them, so that each finder looks only where one of its words stands."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

TOKEN = re.compile(r"[^\W\d_]++(?:['’][^\W\d_]++)?+(?![\d_])|\w+|\n\s*|[^\w\s]")
GIVEN, FAMILY, PLACE, COMMON, COUNTRY, NATION = 1, 2, 4, 8, 16, 32
PARTICLES = frozenset(
    [
        "de",
        "del",
        "la",
        "las",
        "los",
        "el",
        "y",
        "e",
        "da",
        "do",
        "dos",
        "das",
        "di",
        "du",
        "des",
        "le",
        "der",
        "den",
        "van",
        "von",
        "zu",
        "zum",
        "zur",
        "ten",
        "ter",
        "bin",
        "ibn",
        "al",
        "st",
        "i",
        "af",
        "av",
    ]
)


_ROLES: list[Callable[[str], bool]] = []


def role(fits: Callable[[str], bool]) -> int:
    """A number for the words that fit, with which a page finds them again: each word is judged once, not in each text."""
    _ROLES.append(fits)
    return len(_ROLES) - 1


@lru_cache(maxsize=32768)
def _roles(word: str) -> tuple[int, ...]:
    return tuple(number for number, fits in enumerate(_ROLES) if fits(word))


class Token(NamedTuple):
    """A word or sign at `start`; `bits` is what the lists know of it, `shape` how it is written."""

    start: int
    end: int
    lower: str
    bits: int
    shape: str


_WHOLE_PLACE, _WHOLE_COUNTRY, _WORD_BITS, _BITS = 64, 128, 63, 8
_HASH = (1 << (64 - _BITS)) - 1


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What the lists say about words and whole names in small letters: `rows` has for each, in order, 56 bits of its
    hash and what is known of it. The words themselves would take ten times the memory.
    """

    rows: array[int]

    def bits(self, word: str) -> int:
        return self._find(word) & _WORD_BITS

    def place(self, name: str) -> bool:
        return bool(self._find(name) & _WHOLE_PLACE)

    def country(self, name: str) -> bool:
        return bool(self._find(name) & _WHOLE_COUNTRY)

    def _find(self, name: str) -> int:
        key = (hash(name) & _HASH) << _BITS
        at = bisect_left(self.rows, key)
        return self.rows[at] ^ key if at < len(self.rows) and self.rows[at] >> _BITS == key >> _BITS else 0


@cache
def lexicon() -> Lexicon:
    noted = sorted(row for names, bit in _noted() for row in [(hash(name) & _HASH) << _BITS | bit for name in names])
    rows = array("Q")
    for row in noted:
        if rows and rows[-1] >> _BITS == row >> _BITS:
            rows[-1] |= row
        else:
            rows.append(row)
    return Lexicon(rows)


def _noted() -> Iterator[tuple[list[str], int]]:
    for kind, bit in (("given", GIVEN), ("family", FAMILY), ("words", COMMON), ("nationalities", NATION)):
        yield words_of(kind), bit
    people = words_of("nationalities")
    yield [f"{word}s" for word in people], NATION
    yield (
        [word.removesuffix("man") + end for word in people if word.endswith("man") for end in ("men", "woman")],
        NATION,
    )
    for kind, bit, whole in (("places", PLACE, _WHOLE_PLACE), ("countries", COUNTRY, _WHOLE_COUNTRY)):
        names = words_of(kind)
        yield names, whole
        yield [word for word in re.findall(r"[^\W\d_]{2,}", "\n".join(names)) if word not in PARTICLES], bit


def words_of(name: str) -> list[str]:
    """A list of the folder `lexicon`, one entry a line."""
    return (files("strata.gateway.guards.privacy") / "lexicon" / f"{name}.txt").read_text("utf-8").split("\n")[:-1]


class Page:
    """A text with its words in order and, for each word, where it stands."""

    __slots__ = ("line", "marked", "numbered", "text", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        self.line = tokens(text)
        self.words: dict[str, list[int]] = {}
        for at, token in enumerate(self.line):
            if token.shape != ".":
                self.words.setdefault(token.lower, []).append(at)
        self.numbered = "0" in self.words
        self.marked: dict[int, list[int]] = {}
        for word, places in self.words.items():
            for number in _roles(word):
                self.marked.setdefault(number, []).extend(places)

    def around(
        self, number: int, before: int, after: int, beside: Collection[int] | None = None, reach: range = range(0)
    ) -> list[tuple[int, int]]:
        """Stretches of the text around words of a role, merged where they touch. `beside`: only words that have one of
        these words and signs so far away.
        """
        marked = self.marked.get(number, ())
        if beside is not None:
            near = {other - away for other in beside for away in reach} if marked else set()
            marked = [at for at in marked if at in near]
        return self.merged([self.line[at].start for at in marked], before, after) if marked else []

    def merged(self, spots: Iterable[int], before: int, after: int) -> list[tuple[int, int]]:
        stretches: list[tuple[int, int]] = []
        for spot in sorted(spots):
            start, end = self.edge(max(0, spot - before)), self.edge(min(len(self.text), spot + after))
            if stretches and start <= stretches[-1][1]:
                stretches[-1] = (stretches[-1][0], max(end, stretches[-1][1]))
            else:
                stretches.append((start, end))
        return stretches

    def edge(self, at: int) -> int:
        """The next place that is not inside a word."""
        while 0 < at < len(self.text) and self.text[at].isalnum():
            at += 1
        return at


def tokens(text: str) -> list[Token]:
    new = tuple.__new__
    return [new(Token, (*one.span(), *_read(one.group()))) for one in TOKEN.finditer(text)]


@lru_cache(maxsize=32768)
def _read(word: str) -> tuple[str, int, str]:
    """A word in small letters, what the lists know of it, and its shape."""
    if not (word.isalpha() or (word[0].isalpha() and ("'" in word or "’" in word))):
        if word[0].isalnum() or word[0] == "_":
            return "0", 0, "0"
        return "¶" if word[0] == "\n" else word[0], 0, "."
    lower = word.lower()
    known = lexicon()
    bits = known.bits(lower)
    if not bits and lower[-2:] in {"'s", "’s"}:
        bits = known.bits(lower[:-2])
    if word.islower():
        return lower, bits, "a"
    if len(word) == 1:
        return lower, bits, "A"
    if word.isupper():
        return lower, bits, "AA"
    return lower, bits, "Aa" if word[0].isupper() else "aA"
