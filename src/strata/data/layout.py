"""From the placed lines of a PDF's pages to blocks: headings, lists, paragraphs and tables.

Lengths are in points; y grows upwards. Everything here is a pure function of the lines.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from strata.data.draft import Draft
from strata.data.lines import BULLET, SOFT, Line, join
from strata.data.tables import in_columns, tables

_NUMBERED = re.compile(r"^(?P<number>\d+(?:\.\d+)*)\.?\s")
_CAPTION = re.compile(r"^(?:Table|Figure|Tabelle|Abbildung|Tabla|Figura|Tableau)\s+\d+[.:\s]")
_DIGITS = re.compile(r"\d+")
_COUNTED = re.compile(r"(?:[a-z]|[ivx]{1,5})[.)]\s")
_BOLD = 600
_LONG_BRACKET = 200


# ------------------------------------------------------------------ running heads


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page's lines in the order of drawing, and where its lower and upper edge are."""

    lines: list[Line]
    bottom: float = 0.0
    top: float = 842.0


def without_running_heads(pages: Sequence[Sheet]) -> list[list[Line]]:
    """Pages without the lines at their upper and lower edge that repeat, but for their numbers, on most pages.

    A line in a heading's size goes only if its numbers repeat as well: "Chapter 2" stays.
    """
    if len(pages) < 2:
        return [list(page.lines) for page in pages]
    usual = _Look.of([line for page in pages for line in page.lines]).size
    seen = Counter(key for page in pages for key in {_key(line, usual) for line in _edges(page)})
    often = {key for key, count in seen.items() if count >= max(2, 0.5 * len(pages))}
    kept: list[list[Line]] = []
    for page in pages:
        gone = {id(line) for line in _edges(page) if _key(line, usual) in often}
        kept.append([line for line in page.lines if id(line) not in gone])
    return kept


def _edges(page: Sheet) -> list[Line]:
    margin = 0.09 * (page.top - page.bottom)
    lowest = min((line.bottom for line in page.lines), default=0.0)
    return [
        line
        for line in page.lines
        if line.bottom > page.top - margin
        or line.top < page.bottom + margin
        or (line.bottom == lowest and not _DIGITS.sub("", line.text).strip(" -–|/."))
    ]


def _key(line: Line, usual: float) -> str:
    text = line.text.strip()
    return text if line.height > 1.12 * usual else _DIGITS.sub("#", text)


# ------------------------------------------------------------------ blocks


def compose(draft: Draft, pages: Sequence[list[Line]]) -> None:
    """Write the pages' lines as blocks."""
    look = _Look.of([line for page in pages for line in page])
    words = {word.text.strip(",.;:()").lower() for page in pages for line in page for word in line.words}
    for number, page in enumerate(pages, 1):
        draft.turn(number)
        lines = in_columns(page)
        for group, rows in tables(lines, words):
            if rows:
                draft.table(rows)
            else:
                _write_text(draft, group, look)


@dataclass(frozen=True, slots=True)
class _Look:
    """What a document's running text looks like, and the sizes of its headings, largest first."""

    size: float
    weight: int
    sizes: tuple[float, ...]

    @classmethod
    def of(cls, lines: Sequence[Line]) -> _Look:
        sizes: Counter[float] = Counter()
        weights: Counter[int] = Counter()
        for line in lines:
            sizes[_size(line)] += len(line.text)
            weights[line.weight] += len(line.text)
        size = sizes.most_common(1)[0][0] if sizes else 10.0
        weight = weights.most_common(1)[0][0] if weights else 400
        larger = sorted((each for each in sizes if each >= size * 1.12), reverse=True)
        return cls(size, weight, tuple(larger))

    def level(self, line: Line) -> int:
        """The line's level as a heading, 0 for none."""
        text = line.text.strip()
        if len(text) > 120 or not any(letter.isalpha() for letter in text) or BULLET.match(text):
            return 0
        size = _size(line)
        if size in self.sizes:
            return min(1 + self.sizes.index(size), 3)
        if size < self.size * 0.95 or line.weight < _BOLD or self.weight >= _BOLD or text.endswith((".", ",", ";")):
            return 0
        numbered = _NUMBERED.match(text)
        return min(len(self.sizes), 2) + (min(1 + numbered["number"].count("."), 3) if numbered else 3)


def _size(line: Line) -> float:
    return round(line.height * 2) / 2


def _write_text(draft: Draft, lines: Sequence[Line], look: _Look) -> None:
    pitch = _pitch(lines)
    paragraph = ""
    before: Line | None = None
    level = 0
    items: list[str] = []

    def flush() -> None:
        nonlocal paragraph
        if level:
            draft.heading(paragraph, level)
        elif items:
            draft.items(items)
            items.clear()
        else:
            draft.paragraph(paragraph)
        paragraph = ""

    for line, after in zip(lines, [*lines[1:], None], strict=True):
        text, now = line.text, look.level(line)
        if now and now != level and after is not None and after.text[:1].islower() and not look.level(after):
            now = 0  # a sentence goes on: emphasis, not a heading
        said = items[-1] if items else paragraph
        mid = before is not None and not level and _goes_on(said, line) and _near(before, line, pitch)
        bullet = None if mid and _opened(said) else BULLET.match(text.lstrip())
        now = 0 if mid else now
        if before is not None and not bullet and now == level and (mid or not _parts(before, line, pitch, bool(level))):
            if items:
                items[-1] = join(items[-1], text)
            else:
                paragraph = join(paragraph, text)
        else:
            if before is not None and not (bullet and items):
                flush()
            level = now
            if bullet:
                level = 0
                items.append("- " + text.lstrip()[bullet.end() :])
            else:
                paragraph = text
        before = line
    if before is not None:
        flush()


def _goes_on(said: str, line: Line) -> bool:
    """Whether the line must belong to what was said before it: inside a bracket, or a sentence's next word."""
    if _opened(said):
        return True
    text = line.text.lstrip()
    ended = said.rstrip().endswith((".", "!", "?", ":", ";"))
    return not ended and text[:1].islower() and not _COUNTED.match(text)


def _opened(said: str) -> bool:
    """Whether a bracket was opened not long before, and not closed."""
    tail = said[-_LONG_BRACKET:]
    return any(tail.rfind(opening) > tail.rfind(closing) for opening, closing in ("()", "[]"))


def _near(before: Line, line: Line, pitch: float) -> bool:
    """Whether the line stands where a paragraph's next line may: below, in about the same size. Below what ends in a
    figure, which may be a page's number, no more than the usual distance.
    """
    step = before.bottom - line.bottom
    most = 1.35 if before.text[-1:].isdecimal() else 2.2
    return (
        0.4 * before.height < step < most * max(pitch, before.height * 0.9)
        and 0.75 < before.height / line.height < 1.34
        and line.left < before.right
        and before.left < line.right
        and not _CAPTION.match(line.text)
    )


def _pitch(lines: Sequence[Line]) -> float:
    """The usual distance between baselines."""
    steps = [a.bottom - b.bottom for a, b in itertools.pairwise(lines)]
    near = [step for step, line in zip(steps, lines, strict=False) if 0.3 * line.height < step < 2.2 * line.height]
    return median(near) if near else 12.0


def _parts(before: Line, line: Line, pitch: float, heading: bool) -> bool:
    """Whether a new paragraph begins between these lines."""
    step = before.bottom - line.bottom
    ended = before.text.rstrip().endswith((".", "!", "?", ":", ";"))
    if abs(step) < 0.4 * before.height:
        return False
    if step < 0:
        return ended or heading
    if _CAPTION.match(line.text) or not 0.87 < before.height / line.height < 1.15:
        return True
    if step > 1.35 * max(pitch, before.height * 0.9):
        return True
    if heading:
        return False
    missing = (line.right - before.right) / before.height
    if missing > 12 and line.text[:1].isupper() and not before.text.endswith((",", "-", SOFT)):
        return True  # the line broke off where it did not have to: a small heading, an address
    return ended and (missing > 6 or line.left > before.left + 0.8 * line.height)
