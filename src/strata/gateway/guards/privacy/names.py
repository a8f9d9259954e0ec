"""Names of people, places and organisations: a small learnt tagger over word lists and neighbouring words.

A linear model (an averaged perceptron, Collins 2002) looks at each word that may begin a name and decides between
person, place, organisation and neither. What it looks at is in `clues`; `bench/pii_train.py` learns the weights, and
`lexicon/README.md` says where the lists come from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.resources import files

from strata.gateway.guards.privacy.page import (
    COMMON,
    COUNTRY,
    FAMILY,
    GIVEN,
    NATION,
    PARTICLES,
    PLACE,
    Page,
    Token,
    lexicon,
)
from strata.gateway.guards.privacy.spans import Span

HONORIFIC = re.compile(
    r"(?:\b(?:mr|mrs|ms|miss|mx|dr|dra|drs|prof|sr|sra|srta|don|doña|d|dña|herr|frau|hr|fr|mme|mlle|sir|lady|madam|rev|fr|capt|lt|sgt|judge|dott|sig|ing|lic|phd|md)\b\.?\s?){1,2}$",
    re.IGNORECASE,
)
PLAIN_SURE, ABBREVIATION_SURE, GERMAN_SURE = 0.75, 0.9, 0.98
GERMAN = (
    "der",
    "die",
    "das",
    "und",
    "ist",
    "nicht",
    "mit",
    "ein",
    "eine",
    "für",
    "von",
    "auf",
    "den",
    "dem",
    "des",
    "im",
    "sie",
    "wird",
    "sind",
    "auch",
    "als",
    "wie",
    "bei",
    "ich",
    "wir",
    "zu",
    "zum",
    "zur",
    "sich",
    "dass",
    "es",
    "er",
)
GERMAN_NOUN = re.compile(
    r"(?:ung|heit|keit|schaft|ion|tät|ismus|nis|ling|mittel|zahl|stoff|teil|werk|zeit|kunde|wesen|recht|form|gebiet)(?:e|en|n|s|es|er|ern|se|sen)?$"
)
GERMAN_ARTICLES = frozenset(
    [
        "der",
        "die",
        "das",
        "den",
        "dem",
        "des",
        "ein",
        "eine",
        "einen",
        "einem",
        "einer",
        "eines",
        "im",
        "am",
        "zum",
        "zur",
        "vom",
        "beim",
        "ins",
        "ans",
        "kein",
        "keine",
        "keinen",
        "jeder",
        "jede",
        "jedes",
        "jeden",
        "dieser",
        "diese",
        "dieses",
        "diesem",
        "diesen",
        "welche",
        "viele",
        "alle",
        "manche",
        "andere",
        "beide",
        "mehrere",
    ]
)
PAIR_SURE = 0.6
"""How sure it is that a first name before a surname is a person where the weights saw none."""
LEAN = 1.5
"""How much the tagger leans towards a name: one that is missed leaks, one too many only hides a word."""

TAGS = "OPLG"
TYPES = {"P": "PERSON", "L": "LOCATION", "G": "ORGANISATION"}
HOSPITAL = re.compile(
    r"hospital|cl[íi]nic|klinik|krankenhaus|centro de salud|health cent|medical cent|sanatori|ambulatorio|c\.s\.",
    re.IGNORECASE,
)


@cache
def weights() -> dict[str, tuple[int, ...]]:
    """What each clue speaks for: weights of neither, person, place, organisation, in sixteenths."""
    text = (files("strata.gateway.guards.privacy") / "lexicon" / "weights.txt").read_text("utf-8")
    found = {}
    for line in text.split("\n")[:-1]:
        clue, _, numbers = line.rpartition("\t")
        found[clue] = tuple(map(int, numbers.split(" ")))
    return found


EDGE = Token(0, 0, "", 0, "|")


def candidate(token: Token, small: bool) -> bool:
    """Whether this word may be a part of a name: it has a capital, or the text has none (`small`) and the word is known
    only as a name.
    """
    if token.shape in {"a", "0", ".", "|"}:
        return (
            small
            and token.shape == "a"
            and token.bits & ~COMMON > 0
            and not token.bits & COMMON
            and len(token.lower) > 2
        )
    return True


def without_capitals(line: Sequence[Token]) -> bool:
    words = sum(token.shape not in {"0", "."} for token in line)
    return sum(token.shape not in {"0", ".", "a"} for token in line) <= 1 + words // 25


def german(page: Page) -> bool:
    """Whether a text is German, where a capital says nothing."""
    found = sum(len(page.words.get(word, ())) for word in GERMAN)
    return found >= 2 and found * 8 >= sum(token.shape not in {"0", "."} for token in page.line)


def clues(line: Sequence[Token], at: int, last: str, whole: Sequence[str]) -> list[str]:
    """What the model looks at for the word at `at`, whose last word before had the tag `last`."""
    token = line[at]
    before = line[at - 1] if at else EDGE
    earlier = line[at - 2] if at > 1 else EDGE
    after = line[at + 1] if at + 1 < len(line) else EDGE
    later = line[at + 2] if at + 2 < len(line) else EDGE
    own = f"{token.bits}{token.shape}{whole[at]}"
    return [
        "o" + own,
        "w" + token.lower,
        "e" + token.lower[-3:],
        "b" + before.lower,
        "a" + after.lower,
        f"c{earlier.lower} {before.lower}",
        f"d{after.lower} {later.lower}",
        f"f{before.bits}{before.shape}{after.bits}{after.shape}",
        f"g{last}{own}",
        f"h{before.lower} {own}",
        f"i{after.lower} {own}",
        f"j{last}{before.lower}",
        f"k{earlier.lower}",
        f"l{later.lower}",
        f"m{own}{after.bits}{after.shape}{before.shape}",
    ]


def whole_names(line: Sequence[Token]) -> list[str]:
    """For each word whether it stands in the whole name of a place or country of up to four words."""
    found = [""] * len(line)
    for at, token in enumerate(line):
        if not token.bits & (PLACE | COUNTRY) and token.lower not in {"el", "la", "los", "las", "san", "new", "u"}:
            continue
        name = ""
        for reach in range(4):
            if at + reach >= len(line):
                break
            part = line[at + reach]
            if not part.lower[0].isalpha() and part.lower not in "-'.":
                break
            name += (" " if name and part.start > line[at + reach - 1].end else "") + part.lower
            mark = _mark(name)
            if mark:
                for inside in range(at, at + reach + 1):
                    found[inside] = mark
    return found


@lru_cache(maxsize=16384)
def _mark(name: str) -> str:
    book = lexicon()
    return "L" if book.country(name) else "l" if book.place(name) else ""


def tagged(line: Sequence[Token]) -> list[tuple[str, float]]:
    """The tag of each word and how sure it is, from left to right."""
    look_up = weights().get
    whole = whole_names(line)
    result: list[tuple[str, float]] = []
    last, small = "O", without_capitals(line)
    for at, token in enumerate(line):
        if not candidate(token, small):
            result.append(("O", 1.0))
            if token.shape != "." or token.lower not in "-'’.":
                last = last if token.lower in PARTICLES else "O"
            continue
        o = p = l = g = 0  # noqa: E741 - the four tags
        for weight in filter(None, map(look_up, clues(line, at, last, whole))):
            o += weight[0]
            p += weight[1]
            l += weight[2]  # noqa: E741
            g += weight[3]
        tag, score = max((("P", p), ("L", l), ("G", g)), key=lambda pair: pair[1])
        sure = 1 / (1 + math.exp(min(60.0, max(-60.0, ((o - score) / 16 - LEAN) / 4))))
        last = tag if sure >= 0.5 else "O"
        result.append((last, sure))
    for at in range(len(line) - 1):
        if (result[at][0] == "O" or result[at + 1][0] == "O") and _full_name(line[at], line[at + 1]):
            result[at] = result[at + 1] = ("P", PAIR_SURE)
    return result


def _full_name(first: Token, second: Token) -> bool:
    """Whether two words are a first name and a surname with capitals, and no ordinary words: a person whatever is around."""
    return (
        bool(first.bits & GIVEN and second.bits & FAMILY)
        and not (first.bits | second.bits) & COMMON
        and not first.bits & second.bits & PLACE
        and first.shape in {"Aa", "AA"}
        and second.shape in {"Aa", "AA"}
    )


def look(page: Page) -> Iterator[Span]:
    """People, places (countries apart), organisations and nationalities."""
    text, line = page.text, page.line
    strict = german(page)
    for taken, first, last, score in _runs(line, tagged(line)):
        tag, start, end = taken, line[first].start, line[last].end
        value = text[start:end]
        known = _mark(value.lower())
        if strict and tag == "P" and not known and _german_noun(line, first, last):
            continue
        if strict and not known and score < GERMAN_SURE and not _named(tag, line[first : last + 1]):
            continue
        if not known and score < PLAIN_SURE and _plain(line[first : last + 1]):
            continue
        if not known and score < ABBREVIATION_SURE and first == last and _abbreviation(line[first]):
            continue
        if value.endswith(("'s", "’s")):
            end -= 2
        if tag != "P" and not known and _of_people(line[first : last + 1]):
            tag = "P"
        if tag == "P":
            title = HONORIFIC.search(text, max(0, start - 14), start)
            yield Span(title.start() if title and "\n" not in title.group() else start, end, "PERSON", score)
        elif tag == "L":
            yield Span(start, end, "COUNTRY" if known == "L" else "LOCATION", score)
        else:
            yield Span(start, end, "HOSPITAL" if HOSPITAL.search(value) else "ORGANISATION", score)
    for token in line:
        if token.bits & NATION and (token.shape != "a" or not token.bits & COMMON):
            yield Span(token.start, token.end, "NATIONALITY", 0.5)


def _plain(words: Sequence[Token]) -> bool:
    """Whether all of it are ordinary words, which take more to be a name."""
    return all(token.bits & COMMON or token.shape == "." for token in words)


def _german_noun(line: Sequence[Token], first: int, last: int) -> bool:
    """Whether it is more likely a noun: the lists know no name in it, and it ends like one or stands behind an article."""
    words = [token for token in line[first : last + 1] if token.shape != "." and token.lower not in PARTICLES]
    if not words or any(token.bits & (GIVEN | FAMILY) and not token.bits & COMMON for token in words):
        return False
    behind = first > 0 and line[first - 1].lower in GERMAN_ARTICLES
    return any(GERMAN_NOUN.search(token.lower) for token in words) or (behind and len(words) == 1)


def _named(tag: str, words: Sequence[Token]) -> bool:
    """Whether the lists know one of the words as a name and as nothing else."""
    bits = GIVEN if tag == "P" and len(words) == 1 else GIVEN | FAMILY if tag == "P" else 0
    return any(token.bits & bits and not token.bits & COMMON for token in words)


def _of_people(words: Sequence[Token]) -> bool:
    """Whether each word is known as a first name or surname and none as a place, whatever it was taken for."""
    named = [token for token in words if token.shape != "." and token.lower not in PARTICLES]
    return 0 < len(named) < 4 and all(
        token.bits & (GIVEN | FAMILY) and not token.bits & (PLACE | COUNTRY | COMMON) for token in named
    )


def _abbreviation(token: Token) -> bool:
    return token.shape in {"AA", "A"} and not token.bits & ~COMMON and token.end - token.start < 6


def _runs(line: Sequence[Token], marks: Sequence[tuple[str, float]]) -> Iterator[tuple[str, int, int, float]]:
    """Neighbouring words of one tag as one name, with particles, initials and hyphens between them."""
    at = 0
    while at < len(line):
        tag, score = marks[at]
        if tag == "O":
            at += 1
            continue
        last, ahead = at, at + 1
        while ahead < len(line) and ahead - last <= 4:
            token = line[ahead]
            if marks[ahead][0] == tag:
                last, score = ahead, max(score, marks[ahead][1])
            elif not _joins(token, line[ahead - 1], tag):
                break
            ahead += 1
        yield tag, at, last, score
        at = last + 1


def _joins(token: Token, before: Token, tag: str) -> bool:
    if token.lower in PARTICLES or token.lower in {"-", "'", "’"}:
        return True
    if token.lower == ".":
        return before.end - before.start <= 2 and token.start == before.end
    return (token.lower in {"&", "and", "of", "for", ",", "und"} and tag == "G") or token.shape == "A"
