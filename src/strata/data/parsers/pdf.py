"""PDF: text in reading order, page by page, with headings, lists and simple tables; running heads are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from strata.data.draft import Draft, one_line
from strata.data.layout import Sheet, compose, without_running_heads
from strata.data.lines import Line
from strata.data.parser import Parser, Unreadable
from strata.types import ParsedText

MEDIA = ("application/pdf",)

_PASSWORD_ERROR = 4
_HYPHENS = frozenset({0x02, 0xAD, 0xFFFE})
_LINE_ENDS = frozenset({0x0A, 0x0D})
_BLANK = frozenset({0x09, 0x20, 0xA0}) | _LINE_ENDS
_JUNK_TITLES = ("microsoft ", "untitled", "powerpoint ", "document", "slide ", "print")


def make() -> Parser:
    return Pdf()


@dataclass(frozen=True, slots=True)
class Pdf:
    """A page's order is the one in which the file draws it, except where two columns are drawn line by line."""

    def parse(self, data: bytes, name: str) -> ParsedText:  # noqa: ARG002 - the bytes say it all
        document = _open(data)
        try:
            pages = [_sheet(document[index]) for index in range(len(document))]
            title = _title(document)
        finally:
            document.close()
        if not any(page.lines for page in pages):
            raise Unreadable(
                "the PDF's pages hold no text (they are images of a scan, or empty); text in images is not recognised"
            )
        draft = Draft(title=title)
        compose(draft, without_running_heads(pages))
        return draft.parsed()


def _open(data: bytes) -> Any:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD_ERROR or "password" in str(error).lower():
            raise Unreadable("the PDF is protected with a password: save it without one") from error
        raise Unreadable("the PDF is broken: its structure cannot be read") from error
    if len(document) == 0:
        document.close()
        raise Unreadable("the PDF has no pages")
    return document


def _title(document: Any) -> str:
    title = one_line(str(document.get_metadata_value("Title") or ""))
    low = title.lower()
    if len(title) < 4 or low.startswith(_JUNK_TITLES) or low.endswith((".doc", ".docx", ".pdf", ".indd", ".tex")):
        return ""
    return title


def _sheet(page: Any) -> Sheet:
    """A page's lines as pdfium finds them, each with the boxes of its characters."""
    import pypdfium2

    try:
        text = page.get_textpage()
    except pypdfium2.PdfiumError:
        return Sheet([])
    try:
        _, bottom, _, top = page.get_mediabox()
        return Sheet(_read(text.raw, text.count_chars()), bottom, top)
    finally:
        text.close()
        page.close()


def _read(handle: Any, count: int) -> list[Line]:
    """Words as pdfium parts them. Only a word's first and last character are asked for their boxes: on long files the
    calls are what takes the time.
    """
    from ctypes import byref

    import pypdfium2.raw as pdfium

    box = pdfium.FS_RECTF()
    place = byref(box)
    code_at, box_at = pdfium.FPDFText_GetUnicode, pdfium.FPDFText_GetLooseCharBox
    codes = [code_at(handle, index) for index in range(count)]
    lines: list[Line] = []
    line = Line()
    for start, end in _words(codes):
        if start == end:
            if line.words:
                lines.append(line)
            line = Line()
            continue
        box_at(handle, start, place)
        left, right, bottom, top = box.left, box.right, box.bottom, box.top
        if line.hyphenated and abs(bottom - line.bottom) > 0.5 * line.height:
            lines.append(line)  # pdfium reads a word that is parted between lines as one
            line = Line()
        if not line.words:
            line.weight = pdfium.FPDFText_GetFontWeight(handle, start)
        if end - start > 1:
            box_at(handle, end - 1, place)
            right, bottom, top = max(right, box.right), min(bottom, box.bottom), max(top, box.top)
        line.put("".join(map(_letter, codes[start:end])), left, right, bottom, top)
    if line.words:
        lines.append(line)
    return lines


def _words(codes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Stretches of visible characters, each ended by a hyphen that may part it; an empty stretch ends a line."""
    start = None
    for index, code in enumerate(codes):
        if code in _HYPHENS:
            yield (index if start is None else start), index + 1
            start = None
        elif code in _BLANK or not _letter(code):
            if start is not None:
                yield start, index
                start = None
            if code in _LINE_ENDS:
                yield index, index
        elif start is None:
            start = index
    if start is not None:
        yield start, len(codes)


@lru_cache(maxsize=4096)
def _letter(code: int) -> str:
    """The character, empty for what is not shown."""
    if code in _HYPHENS:
        return "\u00ad"
    letter = chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""
    return letter if letter.isprintable() and not letter.isspace() else ""
