"""What a sentence is about, as terms that can be compared: word stems, numbers, names and codes.

Questions and documents go through the same reduction, so a light stemmer that errs the same way on both sides is
enough. English and German are known; any other language is compared by whole words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Literal

LANGUAGES = ("en", "de")
TermKind = Literal["word", "light", "name", "code", "number"]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What has to be known of a language: the sections of `lexicon/<language>.txt`."""

    stop: frozenset[str] = frozenset()
    light: frozenset[str] = frozenset()
    negations: frozenset[str] = frozenset()
    pointers: frozenset[str] = frozenset()
    calendar: frozenset[str] = frozenset()
    numbers: Mapping[str, str] = field(default_factory=dict)
    suffixes: tuple[str, ...] = ()


@lru_cache(maxsize=16)
def lexicon(language: str) -> Lexicon:
    """The language's lexicon; an empty one for a language that has no file."""
    file = files("strata.app") / "lexicon" / f"{language}.txt"
    if not language.isalpha() or not file.is_file():
        return Lexicon()
    sections: dict[str, list[str]] = {}
    section = ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif not line.startswith("#"):
            sections.setdefault(section, []).extend(line.split())
    return Lexicon(
        stop=frozenset(sections["stop"]),
        light=frozenset(sections["light"]),
        negations=frozenset(sections["negations"]),
        pointers=frozenset(sections["pointers"]),
        calendar=frozenset(sections["calendar"]),
        numbers=dict(pair.split("=") for pair in sections["numbers"]),
        suffixes=tuple(sections["suffixes"]),
    )


_SEPARATED = re.compile(r"^(ab|an|auf|aus|bei|ein|fest|her|hin|los|mit|nach|um|vor|weg|zu|zuruck)ge(?=[^\W\d_]{3})")
_NUMBER = r"(\d+(?:[.,]\d+)*)"
_UNIT = r"(%|[^\W\d_]+)"
_RANGE = re.compile(
    rf"{_NUMBER}\s?{_UNIT}?\s?(?:-|–|to|up to|and|bis|bis zu|und)\s?(less than |under |below |unter )?{_NUMBER}\s?{_UNIT}",
    re.IGNORECASE,
)
_OR_MORE = re.compile(
    rf"{_NUMBER}\s?{_UNIT} (?:or (?:more|older|above|higher)|and (?:more|older|above)|oder mehr)", re.IGNORECASE
)
_BELOW = re.compile(
    rf"(?<!to )\b(?:less than|under|below|fewer than|younger than|unter|weniger als) {_NUMBER}\s?{_UNIT}", re.IGNORECASE
)
_ABOVE = re.compile(
    rf"\b(?:more than|over|above|longer than|older than|at least|über|mehr als|mindestens) {_NUMBER}\s?{_UNIT}",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?", re.UNICODE)
_CODE = re.compile(r"(?<![\w-])(?=[\w./-]*\d)(?=[\w./-]*[A-Za-z])[A-Za-z0-9]+(?:[-./][A-Za-z0-9]+)*(?!\w)")
_MEASURE = re.compile(r"^\d+(?:[.,]\d+)*(?:[a-zµ%°]+)$")
_WORDS_JOINED = re.compile(r"^[A-Za-z]{3,}(?:-[A-Za-z]{3,})*-\d{1,2}$|^\d{1,4}-[a-z]+(?:-[a-z]+)*$")


@dataclass(frozen=True, slots=True)
class Term:
    """One comparable word: its key, what kind of word it is and how it was written."""

    key: str
    kind: TermKind
    text: str


def terms(text: str, language: str = "en") -> list[Term]:
    """The terms of a text in order, stop words left out."""
    known = lexicon(language)
    found: list[Term] = []
    opening = True
    for written, code in _pieces(unicodedata.normalize("NFKC", text)):
        if written in ".!?:\n":
            opening = True
            continue
        low = written.lower().replace("’", "'")
        if code:
            found.append(Term(re.sub(r"[-./]", "", low), "code", written))
        elif written[0].isdigit():
            found.append(Term(number(written, language), "number", written))
        elif low in known.numbers:
            found.append(Term(known.numbers[low], "number", written))
        elif low in known.calendar and written[0].isupper():
            found.append(Term(stem(low, language), "word", written))
        elif low not in known.stop and len(low) > 1:
            found.append(Term(stem(low, language), _kind(written, low, language, opening=opening), written))
        opening = False
    return found


def keys(text: str, language: str = "en") -> frozenset[str]:
    """The keys of all terms of a text."""
    return frozenset(term.key for term in terms(text, language))


def numbers(text: str, language: str = "en") -> frozenset[str]:
    """The numbers of a text, in one notation: "1,000" and "1000" are the same, and so are "two" and "2"."""
    return frozenset(term.key for term in terms(text, language) if term.kind == "number")


def measures(text: str, language: str = "en", window: int = 1) -> frozenset[tuple[str, str]]:
    """Each number with the word that follows it ("6 hours"), or with each of the next `window` words."""
    stops, counted = lexicon(language).stop, lexicon(language).numbers
    found: set[tuple[str, str]] = set()
    pieces = [piece.lower() for piece in re.findall(r"\d+(?:[.,]\d+)*|[%°]|[^\W\d_]+", text)]
    for place, piece in enumerate(pieces):
        if piece[0].isdigit() or piece in counted:
            value = number(piece, language) if piece[0].isdigit() else counted[piece]
            for following in pieces[place + 1 : place + 1 + window]:
                if following not in stops and not following[0].isdigit():
                    unit = "%" if following in {"percent", "per", "prozent"} else stem(following, language)
                    found.add((value, unit))
    return frozenset(found)


def within(text: str, language: str = "en") -> list[tuple[float, float, str]]:
    """The ranges of a text with what is counted: "15 to 20 kg", "15 kg to less than 20 kg", "45 kg or more"."""
    found: list[tuple[float, float, str]] = []

    def unit(word: str) -> str:
        return "%" if word in {"%", "percent", "prozent"} else stem(word.lower(), language)

    for low, low_unit, under, high, high_unit in _RANGE.findall(text):
        if not low_unit or unit(low_unit) == unit(high_unit):
            top = float(number(high, language))
            found.append((float(number(low, language)), top - 1e-9 if under else top, unit(high_unit)))
    for value, counted in _OR_MORE.findall(text):
        found.append((float(number(value, language)), float("inf"), unit(counted)))
    for value, counted in _BELOW.findall(text):
        found.append((0.0, float(number(value, language)) - 1e-9, unit(counted)))
    for value, counted in _ABOVE.findall(text):
        found.append((float(number(value, language)) + 1e-9, float("inf"), unit(counted)))
    return found


def spelled_out(written: str, text: str) -> bool:
    """Whether an abbreviation stands in a text in full: SAE for "serious adverse event"."""
    if not 2 < len(written) <= 7 or sum(letter.isupper() for letter in written) < 2 or not written.isalpha():
        return False
    initials = "".join(word[0] for word in re.findall(r"[^\W\d_]+", text.casefold()))
    return written.casefold() in initials


def language_of(text: str, otherwise: str) -> str:
    """The language of a text by its common words, of those that have a lexicon; `otherwise` when it is not plain."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    counts = {code: sum(word in lexicon(code).stop for word in words) for code in LANGUAGES}
    best = max(LANGUAGES, key=lambda code: counts[code])
    return best if counts[best] >= 2 and counts[best] > 1.5 * counts.get(otherwise, 0) else otherwise


def negated(text: str, language: str = "en") -> bool:
    """Whether a text says that something is not so."""
    words = {word.lower().replace("’", "'") for word in re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?", text)}
    return bool(words & lexicon(language).negations) or "non-" in text.lower()


def matches(key: str, others: Iterable[str]) -> float:
    """How well a term's key is met among others: 1 for the same, 0.8 for a word that grew from the same root, else 0."""
    pool = others if isinstance(others, frozenset | set) else frozenset(others)
    if key in pool:
        return 1.0
    if len(key) < 5 or any(letter.isdigit() for letter in key):
        return 0.0
    return 0.8 if any(_akin(key, other) for other in pool) else 0.0


def number(written: str, language: str = "en") -> str:
    """A number in one notation: a dot for decimals, nothing for thousands, no idle zeros."""
    thousands, decimal = (".", ",") if language == "de" else (",", ".")
    text = re.sub(rf"{re.escape(thousands)}(?=\d{{3}}(?!\d))", "", written)
    text = text.replace(decimal, ".").replace(",", ".")
    whole, dot, rest = text.partition(".")
    rest = rest.rstrip("0")
    whole = whole.lstrip("0") or "0"
    return f"{whole}.{rest}" if dot and rest else whole


@lru_cache(maxsize=65536)
def stem(word: str, language: str = "en") -> str:
    """The word without its common endings; British and American spellings, and umlauts, fall together."""
    folded = word.removesuffix("'s").replace("ß", "ss")
    folded = unicodedata.normalize("NFD", folded)
    folded = "".join(letter for letter in folded if not unicodedata.combining(letter))
    if language == "de":
        folded = _SEPARATED.sub(r"\1", folded)
    if language == "en":
        folded = folded.replace("ae", "e").replace("oe", "e").replace("our", "or")
    suffixes = lexicon(language).suffixes
    for _ in range(2):
        for suffix in suffixes:
            if folded.endswith(suffix) and len(folded) - len(suffix) >= (4 if len(suffix) > 3 else 3):
                folded = folded[: -len(suffix)]
                break
        else:
            break
    if len(folded) > 3 and folded[-1] == folded[-2] and folded[-1] not in "lsz":
        folded = folded[:-1]
    return folded


def _pieces(text: str) -> Iterable[tuple[str, bool]]:
    """Words, numbers and sentence ends as written; codes such as `AB-12/3` stay whole and are marked."""
    codes = {match.start(): match.group() for match in _CODE.finditer(text) if _is_code(match.group())}
    place = 0
    for match in re.finditer(rf"{_TOKEN.pattern}|[.!?:\n]", text):
        if match.start() < place:
            continue
        code = codes.get(match.start())
        if code:
            place = match.start() + len(code)
            yield code, True
        else:
            yield match.group(), False


def _is_code(written: str) -> bool:
    return not _MEASURE.match(written) and not _WORDS_JOINED.match(written)


def _kind(written: str, low: str, language: str, *, opening: bool) -> TermKind:
    if sum(letter.isupper() for letter in written) > 1:
        return "name"
    if written[0].isupper() and not opening and language != "de":
        return "name"
    return "light" if stem(low, language) in _light(language) else "word"


@lru_cache(maxsize=8)
def _light(language: str) -> frozenset[str]:
    return frozenset(stem(word, language) for word in lexicon(language).light)


@lru_cache(maxsize=65536)
def _akin(one: str, other: str) -> bool:
    """Two stems that share their beginning (five letters, and most of the shorter one), or of which one denies the other."""
    if one == f"un{other}" or other == f"un{one}":
        return True
    shorter = min(len(one), len(other))
    if shorter < 5 or one[:4] != other[:4]:
        return False
    shared = next((i for i in range(shorter) if one[i] != other[i]), shorter)
    return shared >= 5 and shared >= 0.75 * shorter
