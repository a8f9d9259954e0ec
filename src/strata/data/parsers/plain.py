"""Plain text: paragraphs are separated by empty lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from strata.data.decoding import decode
from strata.data.draft import Draft, clean
from strata.data.parser import Parser
from strata.types import ParsedText

MEDIA = ("text/plain",)

_GAP = re.compile(r"\n[ \t]*\n\s*")
_BULLET = re.compile(r"^\s*(?:[-*•–▪]|\d{1,3}[.)])\s+")
_NUMBERED = re.compile(r"^(?P<number>\d+(?:\.\d+)*)\.?\s+\S")


def make() -> Parser:
    return PlainText()


@dataclass(frozen=True, slots=True)
class PlainText:
    """Short lines that stand alone and are numbered or in capitals are taken as headings."""

    def parse(self, data: bytes, name: str) -> ParsedText:  # noqa: ARG002 - the bytes say it all
        draft = Draft()
        for part in _GAP.split(clean(decode(data))):
            level = _heading(part)
            if level:
                draft.heading(part, level)
            elif all(_BULLET.match(line) for line in part.split("\n")):
                draft.add("list", part)
            else:
                draft.paragraph(part)
        return draft.parsed()


def _heading(part: str) -> int:
    line = part.strip()
    if "\n" in line or len(line) > 80 or line.endswith((".", ",", ";", ":", "?", "!")):
        return 0
    numbered = _NUMBERED.match(line)
    if numbered:
        return 1 + numbered["number"].count(".")
    return 1 if line.isupper() and sum(letter.isalpha() for letter in line) >= 3 else 0
