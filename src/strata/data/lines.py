"""Words and lines as a PDF's page places them. Lengths are in points; y grows upwards."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
BULLET = re.compile(r"^[•‣▪▫●○◦■□➢✓·\uf0b7\uf0a7\uf0d8–—\-*]\s+(?=\S)")
SOFT = "\u00ad"


@dataclass(slots=True)
class Word:
    text: str
    left: float
    right: float


@dataclass(slots=True)
class Line:
    """Words of one baseline. `weight` is the font weight of the first character."""

    words: list[Word] = field(default_factory=list)
    bottom: float = 0.0
    top: float = 0.0
    weight: int = 400

    def put(self, text: str, left: float, right: float, bottom: float, top: float) -> None:
        """Append a word with the box around it; after a hyphen on the same line the word goes on."""
        if not self.words or top - bottom > self.top - self.bottom:
            self.bottom, self.top = bottom, top
        if self.hyphenated:
            self.words[-1] = Word(self.words[-1].text + text, self.words[-1].left, right)
        else:
            self.words.append(Word(text, left, right))

    @property
    def hyphenated(self) -> bool:
        return bool(self.words) and self.words[-1].text.endswith(SOFT)

    @property
    def height(self) -> float:
        return max(self.top - self.bottom, 1.0)

    @property
    def left(self) -> float:
        return self.words[0].left

    @property
    def right(self) -> float:
        return self.words[-1].right

    @property
    def text(self) -> str:
        text = " ".join(word.text for word in self.words).translate(LIGATURES)
        return text[:-1].replace(SOFT, "-") + text[-1:] if text else text

    def segments(self) -> list[Word]:
        """The line's stretches between wide gaps: a table's cells, or the line itself."""
        found: list[Word] = []
        for word in self.words:
            if found and word.left - found[-1].right < self.height * 1.1:
                found[-1] = Word(f"{found[-1].text} {word.text}", found[-1].left, max(word.right, found[-1].right))
            else:
                found.append(Word(word.text, word.left, word.right))
        return found


def join(text: str, more: str) -> str:
    """Two lines as one text; a word that was hyphenated at the line's end is whole again."""
    more = more.lstrip()
    if text.endswith(SOFT):
        return text[:-1] + more if more[:1].islower() else text[:-1] + "-" + more
    if text.endswith("-") and len(text) > 2 and text[-2].islower() and more[:1].islower():
        return text[:-1] + more
    return f"{text} {more}"
