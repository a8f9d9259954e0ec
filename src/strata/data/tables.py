"""Columns and tables among the placed lines of a page: what order they are read in, and which of them are cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from strata.data.lines import BULLET, LIGATURES, SOFT, Line, Word, join

Row = list[Word]

_MOST_WRAPS = 8


def in_columns(lines: Sequence[Line]) -> list[Line]:
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


def tables(lines: Sequence[Line], words: Container[str]) -> Iterator[tuple[list[Line], list[list[str]]]]:
    """The lines in groups: either a group of running lines with no rows, or a table's rows. `words`
    are those of the document, in lower case.
    """
    rows = _bands(lines, words)
    running: list[Line] = []
    index = 0
    while index < len(rows):
        end = _table_end(rows, index)
        cells = _cells([band.cells for band in rows[index:end]]) if end - index > 1 else []
        if cells:
            if running:
                yield running, []
                running = []
            yield [], cells
            index = end
        else:
            running.extend(rows[index].lines)
            index += 1
    if running:
        yield running, []


@dataclass(slots=True)
class _Band:
    """Lines side by side, as segments from left to right. Of a table that is drawn cell by cell, with `wrapped` cells,
    it also holds the lines below each cell's first; lines are in the order of drawing.
    """

    lines: list[Line]
    cells: Row
    wrapped: bool = False

    @property
    def baseline(self) -> float:
        return self.lines[0].bottom

    @property
    def lowest(self) -> float:
        return min(line.bottom for line in self.lines)

    @property
    def right(self) -> float:
        return max(word.right for word in self.cells)

    def extend(self, line: Line) -> None:
        segments = line.segments()
        if self.wrapped and self.touched(line):
            last, first = self.cells[-1], segments.pop(0)
            self.cells[-1] = Word(last.text + first.text, last.left, first.right)
        self.lines.append(line)
        self.cells.extend(segments)
        self.cells.sort(key=lambda word: word.left)

    def touched(self, line: Line) -> bool:
        """Whether the line goes on where the last one ends, as after a raised figure."""
        return abs(line.left - self.lines[-1].right) <= 0.2 * line.height

    def wrap(self, line: Line, words: Container[str]) -> None:
        """Take a line as the next one of the last cell."""
        last = self.cells[-1]
        above = self.lines[-1].segments()[-1].text
        text = _together(last.text, above, line.text, words)
        self.cells[-1] = Word(text, min(last.left, line.left), max(last.right, line.right))
        self.lines.append(line)
        self.wrapped = True

    def holds(self, line: Line) -> bool:
        """Whether the line can be the next one of the last cell: close below it, and not below another."""
        last, above = self.cells[-1], self.lines[-1]
        return (
            0.5 * line.height < above.bottom - line.bottom < 1.45 * line.height
            and line.left < last.right
            and line.right > last.left
            and (len(self.cells) == 1 or line.left > self.cells[-2].right)
            and len(line.segments()) == 1
        )


def _bands(lines: Sequence[Line], words: Container[str]) -> list[_Band]:
    bands: list[_Band] = []
    for line in lines:
        if bands and _beside(bands, line, words):
            continue
        if bands and bands[-1].wrapped and bands[-1].holds(line):
            bands[-1].wrap(line, words)
        else:
            bands.append(_Band([line], line.segments()))
    return bands


def _beside(bands: list[_Band], line: Line, words: Container[str]) -> bool:
    """Put a line into the band on whose baseline it stands: the last one, or one a few lines up, if what was drawn
    since are the further lines of its last cell.
    """
    near = 0.35 * line.height
    last = bands[-1].lines[-1]
    if not bands[-1].wrapped and abs(last.bottom - line.bottom) < near:
        if min(abs(line.left - last.right), abs(last.left - line.right)) <= 0.2 * line.height:
            return False
        bands[-1].extend(line)
        return True
    for back, band in enumerate(reversed(bands[-_MOST_WRAPS:])):
        if abs(band.baseline - line.bottom) < near:
            wraps = bands[len(bands) - back :]
            free = line.left > max(each.right for each in (band, *wraps)) + 0.2 * line.height
            if not free and (wraps or not band.touched(line)):
                return False
            whole = _Band(list(band.lines), list(band.cells), band.wrapped)
            for wrap in wraps:
                if not whole.holds(wrap.lines[0]):
                    return False
                whole.wrap(wrap.lines[0], words)
            whole.extend(line)
            bands[len(bands) - back - 1 :] = [whole]
            return True
        if band.wrapped or len(band.lines) > 1 or len(band.cells) > 1:
            return False
    return False


def _together(text: str, above: str, more: str, words: Container[str]) -> str:
    """A cell's text with its next line. A cell that is narrower than a word parts it without a hyphen: where the
    document knows the word, it is made whole.
    """
    fragment = more.partition(" ")[0]
    parted = " " not in above and above.isalpha() and fragment.isalpha() and fragment.islower() and len(above) > 3
    if parted and (above + fragment).lower() in words:
        return text + more
    return join(text, more)


def _table_end(rows: Sequence[_Band], start: int) -> int:
    """One past the last row of the table that may begin here; `start` where none does."""
    if len(rows[start].cells) < 2 or BULLET.match(rows[start].lines[0].text + " x"):
        return start
    end = start + 1
    columns = [(word.left, word.right) for word in rows[start].cells]
    while end < len(rows):
        line = rows[end].lines[0]
        step = rows[end - 1].lowest - line.bottom
        if not 0 < step < 3.5 * line.height:
            break
        cells = rows[end].cells
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
            cells[place] = f"{cells[place]} {word.text}".strip().translate(LIGATURES).replace(SOFT, "-")
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
