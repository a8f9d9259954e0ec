"""PDF: text in reading order, page by page, with headings, lists and simple tables; running heads are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from strata.data.draft import Draft, one_line
from strata.data.layout import Line, Sheet, compose, without_running_heads
from strata.data.parser import Parser, Unreadable
from strata.types import ParsedText

MEDIA = ("application/pdf",)

_PASSWORD_ERROR = 4
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
    from ctypes import byref

    import pypdfium2.raw as pdfium

    box = pdfium.FS_RECTF()
    place = byref(box)
    lines: list[Line] = []
    line = Line()
    for index in range(count):
        code = pdfium.FPDFText_GetUnicode(handle, index)
        if code in {10, 13}:
            if line.words:
                lines.append(line)
            line = Line()
            continue
        letter = "\u00ad" if code in {2, 0xFFFE} else chr(code) if code and not 0xD800 <= code < 0xE000 else ""
        if letter.isspace() or (not letter.isprintable() and letter != "\u00ad"):
            line.space()
            continue
        if letter:
            pdfium.FPDFText_GetLooseCharBox(handle, index, place)
            if line.hyphenated and abs(box.bottom - line.bottom) > 0.5 * line.height:
                lines.append(line)  # pdfium reads a word that is parted between lines as one
                line = Line()
            if not line.words:
                line.weight = pdfium.FPDFText_GetFontWeight(handle, index)
            line.put(letter, box.left, box.right, box.bottom, box.top)
    if line.words:
        lines.append(line)
    return lines
