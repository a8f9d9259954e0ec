"""Reads a text as a model would: plain letters without disguise, what is written in code beside it, and windows.

An attack may be written in look-alike letters, with invisible characters, s p a c e d, in base64, hexadecimal, rot13 or
leetspeak. `plain` undoes what changes only the looks; `decoded` gives further readings that a model could follow.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import unquote

WINDOW = 360
"""Characters of a window, about 80 tokens: long enough for an order, short enough that a document does not drown it."""

LONGEST = 2 * WINDOW
"""No window is longer: it ends with a sentence, which is itself at most `WINDOW` long."""

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]|[\U000e0100-\U000e01ef]"
)
_TAGS = re.compile("[\U000e0020-\U000e007e]+")
_LOOKALIKES = str.maketrans(
    "аеорсхуіјѕһԁԛԝьАВЕКМНОРСТУХІЈЅοαενρτυικΑΒΕΖΗΙΚΜΝΟΡΤΥΧɑɡıℓ∕⁄’‘“”",
    "aeopcxyijshdqwbABEKMHOPCTYXIJSoaevptuikABEZHIKMNOPTYXagil//''\"\"",
)
_LEET = str.maketrans("013457@$!|", "oieastasil")
_SPACED = re.compile(r"(?<!\w)(?:[^\W_][ .\-_*·]{1,2}){4,}[^\W_](?!\w)")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}(?![A-Za-z0-9+/_-])")
_HEX = re.compile(r"(?<![0-9A-Fa-f])(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ ,:]?){8,}(?![0-9A-Fa-f])")
_BITS = re.compile(r"(?<![01])(?:[01]{8}[ ,]?){4,}(?![01])")
_ENTITY = re.compile(r"&#(x[0-9A-Fa-f]{1,6}|[0-9]{1,7});")
_MARKS = re.compile(r"(?<=[^\W\d_])[*_`~|]+(?=[^\W\d_])")
_BREAK = re.compile(r"(?<=[.!?。！？;:])\s+|\n+|\s*[|]\s*|(?<=-->)|(?=<!--)")
_COMMON = re.compile(
    r"\b(the|and|you|your|all|to|of|in|is|say|ignore|previous|instructions|reveal|show|print|password|der|die|und|alle"
    r"|les|las|que)\b"
)


def plain(text: str) -> str:
    """The same text without disguise of single letters; hidden tag characters become readable."""
    if text.isascii():
        shown = text
    else:
        shown = _TAGS.sub(lambda found: f" {''.join(chr(ord(mark) - 0xE0000) for mark in found[0])} ", text)
        shown = _INVISIBLE.sub("", unicodedata.normalize("NFKC", shown))
        shown = " ".join(map(_latin, shown.split(" ")))
    if "&#" in shown:
        shown = _ENTITY.sub(_entity, shown)
    return _SPACED.sub(_joined, _MARKS.sub("", shown))


def decoded(text: str) -> Iterator[str]:
    """Further readings of a text whose letters are plain: what is hidden in codes, and the text without leetspeak."""
    for found in _BASE64.finditer(text):
        yield from _words(_base64(found[0]))
    for found in _HEX.finditer(text):
        yield from _words(_bytes(re.sub(r"0x|\\x|[ ,:]", "", found[0])))
    for found in _BITS.finditer(text):
        digits = re.sub(r"[ ,]", "", found[0])
        yield from _words(bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits) - 7, 8)))
    if text.count("%") > 4:
        yield from _words(unquote(text).encode())
    if re.search(r"[A-Za-z][0134578@$!][A-Za-z]|(?<!\w)[0134578@$]+[A-Za-z]{2}", text):
        yield text.translate(_LEET)
    if len(_COMMON.findall(text.lower())) * 12 < len(text.split()):
        for other in (codecs.decode(text, "rot13"), text[::-1]):
            if len(_COMMON.findall(other.lower())) * 12 >= len(text.split()) > 2:
                yield other


def windows(text: str) -> list[tuple[int, int]]:
    """Spans of at most about `WINDOW` characters that cover the text, cut between sentences, each with the last
    sentence of the one before; a text that is shorter is one window.
    """
    if len(text) <= WINDOW:
        return [(0, len(text))] if text.strip() else []
    spans = list(sentences(text))
    found: list[tuple[int, int]] = []
    first = 0
    for index, (start, end) in enumerate(spans):
        last = index == len(spans) - 1
        if last or spans[index + 1][1] - spans[first][0] > WINDOW:
            found.append((spans[first][0], end))
            overlaps = first < index and end - start < WINDOW // 2
            first = index if overlaps else index + 1
            if last:
                break
    return found


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Spans of sentences and lines, those that are too long cut at a space."""
    edges = [0, *(found.end() for found in _BREAK.finditer(text)), len(text)]
    for first, end in pairwise(edges):
        start = first
        while end - start > WINDOW:
            cut = text.rfind(" ", start + WINDOW // 2, start + WINDOW)
            cut = cut + 1 if cut > 0 else start + WINDOW
            yield start, cut
            start = cut
        if text[start:end].strip():
            yield start, end


def _latin(word: str) -> str:
    """A word that mixes alphabets, in Latin letters; one that is all Greek or all Cyrillic stays."""
    if word.isascii() or not any("a" <= letter <= "z" or "A" <= letter <= "Z" for letter in word):
        return word.translate(_LOOKALIKES) if word and not word.isascii() and len(word) < 2 else word
    return word.translate(_LOOKALIKES)


def _joined(found: re.Match[str]) -> str:
    return re.sub(r"[ .\-_*·]", "", found[0]) + " "


def _entity(found: re.Match[str]) -> str:
    code = int(found[1][1:], 16) if found[1][0] == "x" else int(found[1])
    return chr(code) if 31 < code < 0x110000 else " "


def _base64(run: str) -> bytes:
    bare = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare[: len(bare) - (len(bare) % 4 == 1)] + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError):
        return b""


def _bytes(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits[: len(digits) // 2 * 2])
    except ValueError:
        return b""


def _words(data: bytes) -> Iterator[str]:
    """The bytes as a text, when they are one."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    letters = sum(letter.isalpha() or letter in " .,:;!?'\n" for letter in text)
    if len(text) >= 6 and letters > 0.85 * len(text):
        yield text
