"""From the placed lines of a PDF's pages to blocks: columns, tables, headings, lists and paragraphs.

Lengths are in points; y grows upwards. Everything here is a pure function of the lines.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from strata.data.draft import Draft

_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_BULLET = re.compile(r"^[•‣▪▫●○◦■□➢✓·\uf0b7\uf0a7\uf0d8–—\-*]\s+(?=\S)")
_NUMBERED = re.compile(r"^(?P<number>\d+(?:\.\d+)*)\.?\s")
_CAPTION = re.compile(r"^(?:Table|Figure|Tabelle|Abbildung|Tabla|Figura|Tableau)\s+\d+[.:\s]")
_DIGITS = re.compile(r"\d+")
_SOFT = "\u00ad"
_BOLD = 600


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
        return bool(self.words) and self.words[-1].text.endswith(_SOFT)

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
        text = " ".join(word.text for word in self.words).translate(_LIGATURES)
        return text[:-1].replace(_SOFT, "-") + text[-1:] if text else text

    def segments(self) -> list[Word]:
        """The line's stretches between wide gaps: a table's cells, or the line itself."""
        found: list[Word] = []
        for word in self.words:
            if found and word.left - found[-1].right < self.height * 1.1:
                found[-1] = Word(f"{found[-1].text} {word.text}", found[-1].left, max(word.right, found[-1].right))
            else:
                found.append(Word(word.text, word.left, word.right))
        return found


Row = list[Word]


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
    for number, page in enumerate(pages, 1):
        draft.turn(number)
        lines = _in_columns(page)
        for group, rows in _tables(lines):
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
        if len(text) > 120 or not any(letter.isalpha() for letter in text) or _BULLET.match(text):
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
        bullet = _BULLET.match(text.lstrip())
        if before is not None and not bullet and now == level and not _parts(before, line, pitch, bool(level)):
            if items:
                items[-1] = _join(items[-1], text)
            else:
                paragraph = _join(paragraph, text)
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
    if missing > 12 and line.text[:1].isupper() and not before.text.endswith((",", "-", _SOFT)):
        return True  # the line broke off where it did not have to: a small heading, an address
    return ended and (missing > 6 or line.left > before.left + 0.8 * line.height)


def _join(text: str, more: str) -> str:
    """Two lines as one text; a word that was hyphenated at the line's end is whole again."""
    more = more.lstrip()
    if text.endswith(_SOFT):
        return text[:-1] + more if more[:1].islower() else text[:-1] + "-" + more
    if text.endswith("-") and len(text) > 2 and text[-2].islower() and more[:1].islower():
        return text[:-1] + more
    return f"{text} {more}"


# ------------------------------------------------------------------ columns and tables


def _in_columns(lines: Sequence[Line]) -> list[Line]:
    """Lines in reading order: where a page draws two columns line by line, the left one comes first."""
    split = [(line, line.segments()) for line in lines]
    pairs = [segments for _, segments in split if len(segments) == 2 and len(segments[0].text) > 25]
    if len(pairs) < 8 or len(pairs) < 0.5 * len(lines):
        return list(lines)
    edge = median(segments[1].left for segments in pairs)
    if sum(abs(segments[1].left - edge) < 8 for segments in pairs) < 0.8 * len(pairs):
        return list(lines)
    left: list[Line] = []
    right: list[Line] = []
    done: list[Line] = []
    for line, segments in split:
        if len(segments) > 1 or line.right < edge or line.left > edge - 4:
            for segment in segments:
                part = Line([segment], line.bottom, line.top, line.weight)
                (left if segment.left < edge - 4 else right).append(part)
        else:
            done += [*left, *right, line]
            left, right = [], []
    return [*done, *left, *right]


def _tables(lines: Sequence[Line]) -> Iterator[tuple[list[Line], list[list[str]]]]:
    """The lines in groups: either a group of running lines with no rows, or a table's rows."""
    rows = _rows(lines)
    running: list[Line] = []
    index = 0
    while index < len(rows):
        end = _table_end(rows, index)
        cells = _cells([cells for _, cells in rows[index:end]]) if end - index > 1 else []
        if cells:
            if running:
                yield running, []
                running = []
            yield [], cells
            index = end
        else:
            running.extend(rows[index][0])
            index += 1
    if running:
        yield running, []


def _rows(lines: Sequence[Line]) -> list[tuple[list[Line], Row]]:
    """Consecutive lines on one baseline are one row of segments, from left to right."""
    rows: list[tuple[list[Line], Row]] = []
    for line in lines:
        if rows:
            last = rows[-1][0][-1]
            apart = min(abs(line.left - last.right), abs(last.left - line.right))
            if abs(last.bottom - line.bottom) < 0.35 * line.height and apart > 0.2 * line.height:
                rows[-1][0].append(line)
                rows[-1][1].extend(line.segments())
                rows[-1][1].sort(key=lambda word: word.left)
                continue
        rows.append(([line], line.segments()))
    return rows


def _table_end(rows: Sequence[tuple[list[Line], Row]], start: int) -> int:
    """One past the last row of the table that may begin here; `start` where none does."""
    if len(rows[start][1]) < 2 or _BULLET.match(rows[start][0][0].text + " x"):
        return start
    end = start + 1
    columns = [(word.left, word.right) for word in rows[start][1]]
    while end < len(rows):
        before, line = rows[end - 1][0][0], rows[end][0][0]
        step = before.bottom - line.bottom
        if not 0 < step < 3.5 * line.height:
            break
        cells = rows[end][1]
        if len(cells) == 1 and not (step < 1.5 * line.height and _inside(cells[0], columns[1:])):
            break
        if len(cells) > 1:
            columns = [(word.left, word.right) for word in cells]
        end += 1
    return end


def _inside(word: Word, columns: Sequence[tuple[float, float]]) -> bool:
    return any(left - 6 <= word.left <= right for left, right in columns)


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """The rows' segments in columns; empty when they do not line up."""
    counts = Counter(len(row) for row in rows if len(row) > 1)
    common = max((count for count, times in counts.items() if times >= max(2, 0.25 * len(rows))), default=0)
    full = [row for row in rows if len(row) >= common]
    if common < 2 or len(full) < (3 if common == 2 else 2):
        return []
    columns = _columns(full)
    if len(columns) < 2 or sum(len(word.text) for row in full for word in row) > 60 * sum(map(len, full)):
        return []
    table: list[list[str]] = []
    for row in rows:
        cells = [""] * len(columns)
        for word in row:
            place = max(range(len(columns)), key=lambda i: _overlap(word, columns[i]))
            cells[place] = f"{cells[place]} {word.text}".strip().translate(_LIGATURES).replace(_SOFT, "-")
        if table and len(row) == 1 and len(rows) > 2:
            table[-1] = [f"{a} {b}".strip() for a, b in zip(table[-1], cells, strict=True)]
        else:
            table.append(cells)
    return table


def _columns(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """The stretches of the page's width that the segments cover."""
    merged: list[tuple[float, float]] = []
    for left, right in sorted((word.left, word.right) for row in rows for word in row):
        if merged and left <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], right))
        else:
            merged.append((left, right))
    return merged


def _overlap(word: Word, column: tuple[float, float]) -> float:
    shared = min(word.right, column[1]) - max(word.left, column[0])
    return shared if shared > 0 else -min(abs(word.left - column[1]), abs(column[0] - word.right))
