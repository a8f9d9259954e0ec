"""Word documents, in the order of their body: headings, lists, tables and text, also from text boxes' paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from strata.data.draft import Draft, one_line
from strata.data.office import open_package
from strata.data.parser import Parser, Unreadable
from strata.types import ParsedText

MEDIA = ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",)

_HEADING = re.compile(r"^(?:heading|überschrift|título|titre|titolo)\s*(?P<level>\d)", re.IGNORECASE)


def make() -> Parser:
    return Word()


@dataclass(frozen=True, slots=True)
class Word:
    """Word stores no pages, so there are none; headers and footers are left out."""

    def parse(self, data: bytes, name: str) -> ParsedText:  # noqa: ARG002 - the bytes say it all
        from docx import Document

        try:
            document = Document(open_package(data))
        except (KeyError, ValueError, AttributeError, SyntaxError) as error:
            raise Unreadable("the file is broken: Word's parts are missing or not as Word writes them") from error
        draft = Draft(title=document.core_properties.title or "")
        items: list[str] = []
        for element in _body(document):
            if type(element).__name__ == "Table":
                _flush(draft, items)
                _write_table(draft, element)
            else:
                _write_paragraph(draft, items, element)
        _flush(draft, items)
        return draft.parsed()


def _body(document: Any) -> Iterator[Any]:
    """Paragraphs and tables in their order, also those that content controls wrap."""
    from docx.oxml.ns import qn
    from docx.table import Table
    from docx.text.paragraph import Paragraph

    waiting = list(reversed(list(document.element.body)))
    while waiting:
        element = waiting.pop()
        if element.tag == qn("w:p"):
            yield Paragraph(element, document)
        elif element.tag == qn("w:tbl"):
            yield Table(element, document)
        elif element.tag in {qn("w:sdt"), qn("w:sdtContent"), qn("w:ins"), qn("w:smartTag"), qn("w:customXml")}:
            waiting.extend(reversed(list(element)))


def _write_paragraph(draft: Draft, items: list[str], paragraph: Any) -> None:
    text = _text(paragraph)
    if not text.strip():
        return
    style = _style(paragraph)
    level = _level(paragraph, style)
    depth = _list_depth(paragraph)
    if level:
        _flush(draft, items)
        if style.lower() == "title" and not draft.title:
            draft.title = one_line(text)
        draft.heading(text, level)
    elif depth is not None or style.lower().startswith("list"):
        items.append("  " * (depth or 0) + "- " + one_line(text))
    else:
        _flush(draft, items)
        draft.paragraph(text)


def _flush(draft: Draft, items: list[str]) -> None:
    draft.items(items)
    items.clear()


def _text(paragraph: Any) -> str:
    """A paragraph's text with what tracked insertions and links hold; deletions are left out."""
    from docx.oxml.ns import qn

    names = {qn("w:t"): None, qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
    runs = paragraph._p.iter(*names)  # noqa: SLF001 - the library's own text skips inserted runs
    return "".join(
        names[element.tag] or element.text or "" for element in runs if not _in_properties(element, qn("w:pPr"))
    )


def _in_properties(element: Any, properties: str) -> bool:
    return any(above.tag == properties for above in element.iterancestors())


def _style(paragraph: Any) -> str:
    try:
        return str(paragraph.style.name or "") if paragraph.style is not None else ""
    except (KeyError, AttributeError, ValueError):
        return ""


def _level(paragraph: Any, style: str) -> int:
    from docx.oxml.ns import qn

    if style.lower() == "title":
        return 1
    named = _HEADING.match(style)
    if named:
        return int(named["level"])
    outline = paragraph._p.find(f".//{qn('w:pPr')}/{qn('w:outlineLvl')}")  # noqa: SLF001 - no public access to it
    value = outline.get(qn("w:val")) if outline is not None else None
    return int(value) + 1 if value is not None and value.isdecimal() and int(value) < 9 else 0


def _list_depth(paragraph: Any) -> int | None:
    from docx.oxml.ns import qn

    numbering = paragraph._p.find(f".//{qn('w:pPr')}/{qn('w:numPr')}")  # noqa: SLF001 - no public access to it
    if numbering is None:
        return None
    level = numbering.find(qn("w:ilvl"))
    value = level.get(qn("w:val")) if level is not None else "0"
    return min(int(value), 8) if value is not None and value.isdecimal() else 0


def _write_table(draft: Draft, table: Any) -> None:
    rows = list(_rows(table))
    width = max((len(row) for row in rows), default=0)
    if width < 2 or len(rows) < 2:
        for row in rows:
            for cell in row:
                draft.paragraph(cell)
    else:
        draft.table(rows)


def _rows(table: Any) -> Iterator[list[str]]:
    """Cells' text by row; a merged cell's text stands once, where it begins."""
    from docx.oxml.ns import qn

    for row in table._tbl.tr_lst:  # noqa: SLF001 - the library's rows repeat merged cells and are quadratic
        cells: list[str] = []
        for cell in row.tc_lst:
            merged = cell.find(f"{qn('w:tcPr')}/{qn('w:vMerge')}")
            covered = merged is not None and merged.get(qn("w:val")) != "restart"
            cells.append("" if covered else _cell(cell))
            cells.extend([""] * (min(int(cell.grid_span), 100) - 1))
        yield cells


def _cell(cell: Any) -> str:
    from docx.oxml.ns import qn

    lines = ("".join(part.text or "" for part in p.iter(qn("w:t"))) for p in cell.iter(qn("w:p")))
    return "\n".join(line for line in lines if line.strip())
