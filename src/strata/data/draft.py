"""A document's text while a parser writes it: each block is appended once, and its offsets are right by construction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from strata.data.parser import Unreadable
from strata.types import Block, BlockKind, Page, ParsedText

_UNWANTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_TRAILING = re.compile(r"[ \t\u00a0]+(?=\n|$)")
_SPACE = re.compile(r"\s+")


def clean(text: str) -> str:
    """Text without control characters, stray surrogates and white space at the ends of lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _TRAILING.sub("", _UNWANTED.sub("", text)).strip("\n")


def one_line(text: str) -> str:
    """The text on one line, with single spaces."""
    return _SPACE.sub(" ", _UNWANTED.sub(" ", text)).strip()


def markdown_rows(rows: Sequence[Sequence[str]]) -> str:
    """A table as Markdown: the first row as its header, a rule, and the others. Empty rows and columns are left out."""
    cells = [[one_line(cell).replace("|", "\\|") for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    width = max((len(row) for row in cells), default=0)
    cells = [row + [""] * (width - len(row)) for row in cells]
    used = [column for column in range(width) if any(row[column] for row in cells)]
    lines = ["| " + " | ".join(row[column] for column in used) + " |" for row in cells]
    if len(lines) > 1:
        lines.insert(1, "|" + " --- |" * len(used))
    return "\n".join(lines)


@dataclass(slots=True)
class Draft:
    """Blocks are separated by an empty line. `page` numbers from 1 are given by `turn`; without it there are none."""

    title: str = ""
    _parts: list[str] = field(default_factory=list)
    _blocks: list[Block] = field(default_factory=list)
    _pages: list[Page] = field(default_factory=list)
    _length: int = 0
    _page: int | None = None
    _page_start: int = 0

    def turn(self, page: int) -> None:
        """What follows stands on this page."""
        self._close_page()
        self._page = page
        self._page_start = self._length

    def add(self, kind: BlockKind, text: str, level: int = 0) -> None:
        """Append a block; one without visible text is left out."""
        text = clean(text)
        if not text.strip():
            return
        if self._length:
            self._write("\n\n")
        start = self._length
        if self._page is not None and not self._blocks_on_page():
            self._page_start = start
        self._write(text)
        self._blocks.append(Block(kind, start, self._length, self._page, level))

    def heading(self, text: str, level: int) -> None:
        self.add("heading", one_line(text), max(1, min(level, 6)))

    def paragraph(self, text: str) -> None:
        self.add("paragraph", text)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """A table of cells; one with a single column is a list of lines, for it has no structure to keep."""
        self.add("table", markdown_rows(rows))

    def items(self, items: Iterable[str]) -> None:
        self.add("list", "\n".join(item for item in items if item.strip()))

    def parsed(self) -> ParsedText:
        """The finished text; raises `Unreadable` when there is none."""
        self._close_page()
        if not self._blocks:
            raise Unreadable("the file holds no text")
        title = one_line(self.title) or next((self._text(b) for b in self._blocks if b.kind == "heading"), "")
        return ParsedText("".join(self._parts), tuple(self._blocks), tuple(self._pages), title[:300])

    def _text(self, block: Block) -> str:
        return "".join(self._parts)[block.start : block.end]

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _blocks_on_page(self) -> bool:
        return bool(self._blocks) and self._blocks[-1].page == self._page

    def _close_page(self) -> None:
        if self._page is not None:
            self._pages.append(Page(self._page, self._page_start, self._length))
