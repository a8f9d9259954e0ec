"""Text to passages: whole sentences under their headings, tables with their header, never more than the model reads.

A passage is exactly a stretch of the document's text. What is embedded (`context`) also says where it stands: the
document's title, the headings above it, and the header row of a table that began before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from strata.data.sentences import sentences
from strata.data.tokens import Counter, Stretch
from strata.types import Block, ParsedText, Place


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage before it has an id: [start, end) of the text, `context` to embed, and where it stands."""

    start: int
    end: int
    context: str
    page: int | None
    headings: tuple[str, ...]
    tokens: int
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is not cut: a sentence, a table's row, a heading, or a part of a sentence that is too long."""

    start: int
    end: int
    tokens: int
    block: int


@dataclass(frozen=True, slots=True)
class Splitter:
    """`size` and `overlap` are tokens of the passage itself; title and headings come on top, up to the model's limit."""

    counter: Counter
    size: int = 220
    overlap: int = 30

    def split(self, parsed: ParsedText, title: str) -> list[Piece]:
        """The passages in order. Together they cover all text that is not white space."""
        blocks = parsed.blocks or (Block("paragraph", 0, len(parsed.text)),)
        text = parsed.text
        words = self.counter.words([text[block.start : block.end] for block in blocks])
        units = [list(_units(text, index, block, words[index], self._most)) for index, block in enumerate(blocks)]
        paths = _paths(text, blocks)
        context = _Context(self.counter, text, blocks, units, paths, title)
        runs = _runs(blocks, units, self._most)
        return [context.piece(group) for run in runs for group in self._groups(run, blocks)]

    @property
    def _most(self) -> int:
        return max(8, min(self.size, self.counter.limit - self.counter.marks))

    def _groups(self, run: Sequence[_Unit], blocks: Sequence[Block]) -> Iterator[list[_Unit]]:
        """A run in passages of about equal length."""
        total = sum(unit.tokens for unit in run)
        parts = ceil(total / self._most)
        room = self._most if parts <= 1 else min(self._most, ceil(total / parts) + self.overlap + 15)
        group: list[_Unit] = []
        held = fresh = 0
        for unit in run:
            if fresh and held + unit.tokens > room:
                moved = _dangling(group, blocks)
                yield group[: len(group) - len(moved)]
                group = moved or self._tail(group, unit, blocks, room)
                held = sum(each.tokens for each in group)
                if held + unit.tokens > room and not moved:
                    group, held = [], 0
                fresh = 0
            group.append(unit)
            held += unit.tokens
            fresh += 1
        if fresh:
            yield group

    def _tail(self, group: Sequence[_Unit], after: _Unit, blocks: Sequence[Block], room: int) -> list[_Unit]:
        """The last sentences of a passage, to be said again at the start of the next."""
        tail: list[_Unit] = []
        if blocks[after.block].kind == "table":
            return tail
        for unit in reversed(group):
            held = sum(each.tokens for each in tail) + unit.tokens
            if held > self.overlap or held + after.tokens > room or blocks[unit.block].kind in {"heading", "table"}:
                break
            tail.insert(0, unit)
        return tail if len(tail) < len(group) else []


def _units(text: str, index: int, block: Block, words: Sequence[Stretch], most: int) -> Iterator[_Unit]:
    inside = text[block.start : block.end]
    if block.kind in {"table", "list", "code"}:
        spans = _lines(inside)
    elif block.kind == "heading":
        spans = [(0, len(inside))]
    else:
        spans = sentences(inside)
    place = 0
    for start, end in spans:
        mine: list[Stretch] = []
        while place < len(words) and words[place].start < end:
            mine.append(words[place])
            place += 1
        for first, last, tokens in _cut(start, end, mine, most):
            stretch = inside[first:last]
            kept = stretch.strip()
            if kept:
                begin = block.start + first + len(stretch) - len(stretch.lstrip())
                yield _Unit(begin, begin + len(kept), tokens, index)


def _lines(text: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    start = 0
    for line in text.splitlines(keepends=True):
        spans.append((start, start + len(line)))
        start += len(line)
    return spans


def _cut(start: int, end: int, words: Sequence[Stretch], most: int) -> Iterator[tuple[int, int, int]]:
    """[start, end) in parts of at most `most` tokens, cut before words."""
    held = 0
    for word in words:
        if held and held + word.tokens > most:
            yield start, word.start, held
            start, held = word.start, 0
        held += word.tokens
    yield start, end, held


def _paths(text: str, blocks: Sequence[Block]) -> list[tuple[tuple[int, str], ...]]:
    """For each block the headings above it, as (index of the block, text); a heading stands in its own path."""
    paths: list[tuple[tuple[int, str], ...]] = []
    stack: list[tuple[int, int, str]] = []
    for index, block in enumerate(blocks):
        if block.kind == "heading":
            while stack and stack[-1][0] >= block.level:
                stack.pop()
            stack.append((block.level, index, " ".join(text[block.start : block.end].split())))
        paths.append(tuple((at, heading) for _, at, heading in stack))
    return paths


def _runs(blocks: Sequence[Block], units: Sequence[list[_Unit]], most: int) -> Iterator[list[_Unit]]:
    """Stretches that passages do not cross: sections, with short ones joined to the next as long as they fit."""
    run: list[_Unit] = []
    held = 0
    for section in _sections(blocks, units):
        tokens = sum(unit.tokens for unit in section)
        if run and (held >= most // 2 or held + tokens > most) and not _only_headings(run, blocks):
            yield run
            run, held = [], 0
        run = [*run, *section]
        held += tokens
    if run:
        yield run


def _sections(blocks: Sequence[Block], units: Sequence[list[_Unit]]) -> Iterator[list[_Unit]]:
    section: list[_Unit] = []
    for block, own in zip(blocks, units, strict=True):
        if block.kind == "heading" and section:
            yield section
            section = []
        section.extend(own)
    if section:
        yield section


def _only_headings(run: Sequence[_Unit], blocks: Sequence[Block]) -> bool:
    return all(blocks[unit.block].kind == "heading" for unit in run)


def _dangling(group: Sequence[_Unit], blocks: Sequence[Block]) -> list[_Unit]:
    """Headings at a passage's end, which belong to what follows; none when the passage holds nothing else."""
    cut = len(group)
    while cut and blocks[group[cut - 1].block].kind == "heading":
        cut -= 1
    return list(group[cut:]) if cut else []


@dataclass(frozen=True, slots=True)
class _Context:
    """What a passage needs to know of its document."""

    counter: Counter
    text: str
    blocks: Sequence[Block]
    units: Sequence[list[_Unit]]
    paths: Sequence[tuple[tuple[int, str], ...]]
    title: str

    def piece(self, group: Sequence[_Unit]) -> Piece:
        first, last = group[0], group[-1]
        body = next((unit for unit in group if self.blocks[unit.block].kind != "heading"), first)
        tokens = sum(unit.tokens for unit in group)
        inside = {unit.block for unit in group}
        above = [heading for at, heading in self.paths[body.block] if at not in inside]
        room = self.counter.limit - self.counter.marks - tokens
        header = self._header(first)
        lead = self._lead([part for part in (self.title, *above) if part], header, room)
        text = self.text[first.start : last.end]
        headings = tuple(heading for _, heading in self.paths[body.block])
        page = self.blocks[body.block].page
        context = f"{lead}\n{text}" if lead else text
        return Piece(first.start, last.end, context, page, headings, tokens, tuple(self._places(group)))

    def _places(self, group: Sequence[_Unit]) -> Iterator[Place]:
        """Where in the passage the page or the headings change."""
        before: tuple[int | None, tuple[str, ...]] | None = None
        for unit in group:
            here = (self.blocks[unit.block].page, tuple(heading for _, heading in self.paths[unit.block]))
            if here != before:
                yield Place(unit.start, *here)
            before = here

    def _header(self, first: _Unit) -> str:
        """The header row of the table in the middle of which a passage begins."""
        block = self.blocks[first.block]
        if block.kind != "table" or first.start == block.start:
            return ""
        rows = self.text[block.start : block.end].split("\n", 2)
        return rows[0] if len(rows) > 2 else ""

    def _lead(self, above: Sequence[str], header: str, room: int) -> str:
        """Title and headings, nearest last, then the table's header: as many of their words as there is room for.

        The header goes first to the table, then the title and the nearest headings; a heading that repeats the one
        above it is said once.
        """
        names = list(dict.fromkeys(above))
        order = [header, *([names[0]] if names else []), *reversed(names[1:])]
        kept: dict[str, str] = {}
        for part in order:
            fitting, used = self._fit(part, room)
            kept[part] = fitting
            room -= used
        lines = [kept[name] for name in names if kept[name]]
        if header and kept[header]:
            lines.append(kept[header])
        return "\n".join(lines)

    def _fit(self, part: str, room: int) -> tuple[str, int]:
        used = end = 0
        for word in self.counter.words([part])[0] if part else ():
            if used + word.tokens > room:
                return part[:end].rstrip(), used
            used, end = used + word.tokens, word.end
        return part, used
