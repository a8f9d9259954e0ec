"""Write the sample company's PDF, Word, PowerPoint and Excel files from `content/`, byte for byte the same each time.

Run it with `.venv/bin/python examples/cryodyne/make_documents.py`; it needs reportlab, python-docx, python-pptx and openpyxl.
The text formats (.txt .md .html .csv .eml) are written by hand in `documents/` and are left alone.
"""

from __future__ import annotations

import io
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from content import (  # noqa: E402
    Deck,
    Paper,
    Workbook,
    company,
    human_resources,
    product_information,
    regulatory_affairs,
    research,
    safety,
)

MODULES = (research, safety, regulatory_affairs, human_resources, product_information, company)
WRITTEN = datetime(2025, 12, 1, 9, 0, tzinfo=UTC)
INK = "1F3A5F"
TINT = "DCE6F1"


def main(folder: Path = HERE / "documents") -> None:
    for work in works():
        target = folder / work.path
        target.parent.mkdir(parents=True, exist_ok=True)
        content = written(work)
        target.write_bytes(content)
        print(f"{len(content):>8}  {work.path}")


def works() -> Iterator[Paper | Deck | Workbook]:
    for module in MODULES:
        yield from module.WORKS


def written(work: Paper | Deck | Workbook) -> bytes:
    match work:
        case Deck():
            return repacked(deck(work))
        case Workbook():
            return repacked(workbook(work))
        case Paper() if work.path.endswith(".pdf"):
            return pdf(work)
        case Paper():
            return repacked(word(work))


# The small markup ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """One piece of a paper: kind is heading1..3, paragraph, bullet, step, caption, table or page."""

    kind: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


CONTINUED = {"more": ("paragraph", "bullet", "step", "caption"), "table": ("table",)}


def blocks(body: str) -> Iterator[Block]:
    """Read the markup of `Paper.body`; consecutive lines of one piece are joined by a space."""
    kind, lines = "", list[str]()
    for line in [*body.strip().splitlines(), ""]:
        start = opening(line)
        if kind in CONTINUED.get(start, ()):
            lines.append(line.strip())
        else:
            if kind:
                yield block(kind, lines)
            kind, lines = ("paragraph", [line.strip()]) if start == "more" else (start, [stripped(line)])
            if start == "blank":
                kind = ""
    if kind:
        yield block(kind, lines)


def opening(line: str) -> str:
    if not line.strip():
        return "blank"
    if line.strip() == "===":
        return "page"
    if heading := re.match(r"(#{1,3}) ", line):
        return f"heading{len(heading[1])}"
    for mark, kind in (("- ", "bullet"), ("^ ", "caption"), ("|", "table")):
        if line.startswith(mark):
            return kind
    return "step" if re.match(r"\d+\. ", line) else "more"


def stripped(line: str) -> str:
    return re.sub(r"^(#{1,3} |- |\^ )", "", line.strip())


def block(kind: str, lines: list[str]) -> Block:
    if kind == "table":
        rows = tuple(tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines)
        assert len({len(row) for row in rows}) == 1, f"uneven table: {rows}"
        return Block(kind, rows=rows)
    return Block(kind, " ".join(lines))


# PDF ----------------------------------------------------------------------------------------------------------------------


def pdf(paper: Paper) -> bytes:
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import SimpleDocTemplate

    class Pages(Canvas):  # type: ignore[misc]
        """Draws the running header and footer once the number of pages is known."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.kept: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802
            self.kept.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for state in self.kept:
                self.__dict__.update(state)
                running(self, paper, len(self.kept))
                super().showPage()
            super().save()

    out = io.BytesIO()
    template = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=22 * mm, rightMargin=22 * mm, topMargin=28 * mm, bottomMargin=24 * mm, invariant=1,
        pageCompression=0,
        title=paper.title, author="CryoDyne", subject=f"{paper.number}, version {paper.version}", lang=paper.language,
    )  # fmt: skip
    template.build(list(flowables(paper)), canvasmaker=Pages)
    return out.getvalue()


def running(canvas: Any, paper: Paper, pages: int) -> None:
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm

    width, height = A4
    canvas.setFont("Helvetica", 8)
    canvas.setFillColorRGB(0.3, 0.3, 0.3)
    canvas.drawString(22 * mm, height - 16 * mm, f"CryoDyne · {paper.number} · Version {paper.version}")
    canvas.drawRightString(width - 22 * mm, height - 16 * mm, paper.classification)
    canvas.line(22 * mm, height - 18 * mm, width - 22 * mm, height - 18 * mm)
    canvas.line(22 * mm, 17 * mm, width - 22 * mm, 17 * mm)
    canvas.drawString(22 * mm, 12 * mm, f"Effective {paper.effective} · printed copies are not controlled")
    canvas.drawRightString(width - 22 * mm, 12 * mm, f"Page {canvas.getPageNumber()} of {pages}")


def flowables(paper: Paper) -> Iterator[Any]:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import CondPageBreak, PageBreak, Paragraph, Spacer

    ink = HexColor(f"#{INK}")
    text = ParagraphStyle("text", fontName="Helvetica", fontSize=9.6, leading=13.4, spaceAfter=6)
    styles = {
        "heading1": ParagraphStyle("h1", fontName="Helvetica-Bold", fontSize=13, leading=17, spaceBefore=10, spaceAfter=5,
                                   textColor=ink, keepWithNext=1),
        "heading2": ParagraphStyle("h2", fontName="Helvetica-Bold", fontSize=11, leading=14, spaceBefore=7, spaceAfter=4,
                                   textColor=ink, keepWithNext=1),
        "heading3": ParagraphStyle("h3", fontName="Helvetica-BoldOblique", fontSize=9.8, leading=13, spaceBefore=4,
                                   spaceAfter=3, keepWithNext=1),
        "paragraph": text,
        "bullet": ParagraphStyle("bullet", parent=text, leftIndent=14, bulletIndent=4, spaceAfter=3),
        "step": ParagraphStyle("step", parent=text, leftIndent=16, firstLineIndent=-16, spaceAfter=3),
        "caption": ParagraphStyle("caption", parent=text, fontName="Helvetica-Bold", fontSize=9, spaceBefore=4, spaceAfter=3,
                                  keepWithNext=1),
    }  # fmt: skip
    yield Paragraph(marked(paper.title), ParagraphStyle("title", fontName="Helvetica-Bold", fontSize=17, leading=21,
                                                        spaceAfter=8, textColor=ink))  # fmt: skip
    yield pdf_table(tuple(control(paper)), head=False)
    yield Spacer(1, 8)
    for piece in blocks(paper.body):
        if piece.kind == "page":
            yield PageBreak()
        elif piece.kind == "table":
            yield pdf_table(piece.rows, head=True)
            yield Spacer(1, 7)
        else:
            if piece.kind.startswith("heading"):
                yield CondPageBreak(60)
            bullet = "•" if piece.kind == "bullet" else None
            yield Paragraph(marked(piece.text), styles[piece.kind], bulletText=bullet)


def pdf_table(rows: tuple[tuple[str, ...], ...], head: bool) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, Table, TableStyle

    plain = ParagraphStyle("cell", fontName="Helvetica", fontSize=8.4, leading=10.6)
    strong = ParagraphStyle("head", parent=plain, fontName="Helvetica-Bold")
    cells = [
        [
            Paragraph(marked(cell), strong if (head and i == 0) or (not head and j == 0) else plain)
            for j, cell in enumerate(row)
        ]
        for i, row in enumerate(rows)
    ]
    lengths = [max(8, min(48, max(len(row[j]) for row in rows))) for j in range(len(rows[0]))]
    widths = [166 * mm * length / sum(lengths) for length in lengths]
    style = [
        ("GRID", (0, 0), (-1, -1), 0.4, HexColor("#9AA5B1")),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
        ("BACKGROUND", (0, 0), (-1, 0) if head else (0, -1), HexColor(f"#{TINT}")),
    ]
    return Table(cells, colWidths=widths, repeatRows=1 if head else 0, style=TableStyle(style))


def marked(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text))


def control(paper: Paper) -> Iterator[tuple[str, str]]:
    """The rows of the document control table at the top of a paper."""
    yield from zip(
        paper.labels, (paper.number, paper.version, paper.effective, paper.owner, paper.approved), strict=True
    )


# Word ---------------------------------------------------------------------------------------------------------------------


def word(paper: Paper) -> bytes:
    from docx import Document
    from docx.shared import Pt, RGBColor

    document = Document()
    document.styles["Normal"].font.name = "Calibri"
    document.styles["Normal"].font.size = Pt(10.5)
    for level in (1, 2, 3):
        document.styles[f"Heading {level}"].font.color.rgb = RGBColor.from_string(INK)
    properties = document.core_properties
    properties.title, properties.author, properties.subject = (
        paper.title,
        "CryoDyne",
        f"{paper.number} v{paper.version}",
    )
    properties.language, properties.created, properties.modified = paper.language, WRITTEN, WRITTEN
    section = document.sections[0]
    section.header.paragraphs[0].text = f"CryoDyne · {paper.number} · Version {paper.version} · {paper.classification}"
    section.footer.paragraphs[0].text = f"{paper.labels[2]}: {paper.effective}"
    document.add_heading(paper.title, level=0)
    word_table(document, tuple(control(paper)))
    document.add_paragraph()
    names = {"paragraph": "Normal", "bullet": "List Bullet", "step": "Normal", "caption": "Caption"}
    for piece in blocks(paper.body):
        if piece.kind == "page":
            document.add_page_break()
        elif piece.kind == "table":
            word_table(document, piece.rows)
            document.add_paragraph()
        elif piece.kind.startswith("heading"):
            document.add_heading(piece.text, level=int(piece.kind[-1]))
        else:
            paragraph = document.add_paragraph(style=names[piece.kind])
            for i, part in enumerate(piece.text.split("**")):
                paragraph.add_run(part).bold = True if i % 2 else None
    return saved(document)


def word_table(document: Any, rows: tuple[tuple[str, ...], ...]) -> None:
    table = document.add_table(rows=len(rows), cols=len(rows[0]), style="Light Grid Accent 1")
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            table.cell(i, j).text = cell.replace("**", "")


# PowerPoint and Excel -------------------------------------------------------------------------------------------------------


def deck(work: Deck) -> bytes:
    from pptx import Presentation
    from pptx.util import Inches, Pt

    presentation = Presentation()
    properties = presentation.core_properties
    properties.title, properties.author = work.title, "CryoDyne"
    properties.created = properties.modified = WRITTEN
    front = presentation.slides.add_slide(presentation.slide_layouts[0])
    front.shapes.title.text, front.placeholders[1].text = work.title, work.subtitle
    for slide in work.slides:
        page = presentation.slides.add_slide(presentation.slide_layouts[1 if slide.points else 5])
        page.shapes.title.text = slide.title
        if slide.points:
            frame = page.placeholders[1].text_frame
            for i, point in enumerate(slide.points):
                paragraph = frame.paragraphs[0] if i == 0 else frame.add_paragraph()
                paragraph.text, paragraph.font.size = point, Pt(18)
            if slide.table:
                body = page.placeholders[1]
                body.left, body.top, body.width, body.height = Inches(0.5), Inches(1.6), Inches(9), Inches(2.6)
        if slide.table:
            top = Inches(4.4 if slide.points else 1.7)
            rows, columns = len(slide.table), len(slide.table[0])
            table = page.shapes.add_table(rows, columns, Inches(0.5), top, Inches(9), Inches(0.3 * rows)).table
            for i, row in enumerate(slide.table):
                for j, cell in enumerate(row):
                    table.cell(i, j).text = cell
                    table.cell(i, j).text_frame.paragraphs[0].font.size = Pt(12)
        if slide.notes:
            page.notes_slide.notes_text_frame.text = slide.notes
    return saved(presentation)


def workbook(work: Workbook) -> bytes:
    from openpyxl import Workbook as Book
    from openpyxl.styles import Font, PatternFill
    from openpyxl.utils import get_column_letter

    book = Book()
    book.remove(book.active)
    book.properties.title, book.properties.creator, book.properties.created = (
        work.title,
        "CryoDyne",
        WRITTEN.replace(tzinfo=None),
    )
    for sheet in work.sheets:
        page = book.create_sheet(sheet.name)
        page.append([sheet.title])
        page["A1"].font = Font(bold=True, size=13, color=INK)
        for remark in sheet.remarks:
            page.append([remark])
        page.append([])
        page.append(list(sheet.header))
        for cell in page[page.max_row]:
            cell.font, cell.fill = Font(bold=True), PatternFill("solid", start_color=TINT)
        page.freeze_panes = page.cell(row=page.max_row + 1, column=1)
        for row in sheet.rows:
            page.append(list(row))
        for j, name in enumerate(sheet.header):
            longest = max([len(name), *(len(str(row[j])) for row in sheet.rows)])
            page.column_dimensions[get_column_letter(j + 1)].width = min(60, longest + 3)
    return saved(book)


def saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def repacked(content: bytes) -> bytes:
    """The same Office file with fixed dates, so that making it twice gives the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "docProps/core.xml":
                date = WRITTEN.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
                part = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + date, part)
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), part, zipfile.ZIP_DEFLATED)
    return out.getvalue()


if __name__ == "__main__":
    main()
