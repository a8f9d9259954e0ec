"""Each family of formats: structure is kept, rubbish is refused with a reason that its sender understands."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime

import pytest

from strata.data.media import sniff
from strata.data.parser import Unreadable
from strata.data.registry import parser, registry
from strata.data.worker import Job, read
from strata.testing.parser import ParserPromise
from strata.types import ParsedText


def blocks(parsed: ParsedText) -> list[tuple[str, str]]:
    return [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]


def parse(data: bytes, name: str) -> ParsedText:
    return parser(sniff(data, name)).parse(data, name)


# ------------------------------------------------------------------ samples


def make_docx() -> bytes:
    from docx import Document

    document = Document()
    document.add_heading("Storage", 1)
    document.add_paragraph("Keep cold.")
    document.add_heading("Limits", 2)
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [c for row in table.rows for c in row.cells], ["Drug", "Limit", "Algen", "8 °C"], strict=True
    ):
        cell.text = text
    document.add_paragraph("first", style="List Bullet")
    document.add_paragraph("second", style="List Bullet")
    return saved(document)


def make_pptx() -> bytes:
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    for title in ("Opening", "Figures"):
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = title
    table = slide.shapes.add_table(2, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    for row, cells in enumerate((("Site", "Patients"), ("Basel", "24"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    slide.notes_slide.notes_text_frame.text = "Mention Basel first."
    return saved(deck)


def make_xlsx() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = "Sites"
    for row in (
        ("site", "opened", "share"),
        ("Basel", date(2024, 1, 22), 0.25),
        ("Porto", datetime(2024, 3, 11, 9), 1),
    ):
        sheet.append(row)
    sheet["C2"].number_format = "0.0%"
    book.create_sheet("Empty")
    hidden = book.create_sheet("Salaries")
    hidden.append(("secret", 1))
    hidden.sheet_state = "hidden"
    return saved(book)


def make_pdf(pages: int = 3) -> bytes:
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for number in range(1, pages + 1):
        canvas.setFont("Helvetica", 8)
        canvas.drawString(50, 820, "Confidential")
        canvas.drawString(50, 20, f"Page {number} of {pages}")
        canvas.setFont("Helvetica-Bold", 16)
        canvas.drawString(50, 780, f"Chapter {number}")
        canvas.setFont("Helvetica", 11)
        canvas.drawString(50, 750, "The samples are kept in the deep-freezer and the tempe-")
        canvas.drawString(50, 736, f"rature is written down {number} times a day by the nurse.")
        for row, cells in enumerate(
            (("Drug", "Dose", "Route"), ("Algen", "5 mg", "oral"), ("Brumo", "12 mg", "nasal"))
        ):
            for column, cell in enumerate(cells):
                canvas.drawString(50 + 120 * column, 690 - 16 * row, cell)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def saved(document) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


MARKDOWN = b"""---
title: Cold chain
owner: Ines
---
# Cold *chain*

Keep [it](http://x.example) cold.

| drug | limit |
|------|-------|
| A \\| B | 8 |

1. first
   - inner
2. second

```
code here
```
"""
HTML = b"""<html><head><title>Cold chain</title><script>alert('x')</script></head><body><nav>Home About</nav>
<main><h1>Cold chain</h1><p>Keep <b>it</b>
cold.<br>Always.</p><table><tr><th>drug</th><th>limit</th></tr><tr><td rowspan=2>A</td><td>8</td></tr>
<tr><td>9</td></tr></table><ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul></main><footer>Imprint</footer></body></html>"""
EMAIL = (
    b"From: =?utf-8?q?J=C3=BCrg?= <j@acme.example>\r\nTo: ines@acme.example\r\nDate: Mon, 24 Nov 2025 08:00:00 +0100\r\n"
    b"Subject: Cold chain\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    b"--c\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nKeep it cold.\r\n\r\nBye\r\n"
    b"--c\r\nContent-Type: text/html\r\n\r\n<p>Keep it <b>very</b> cold.</p>\r\n--c--\r\n"
    b"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=limits.pdf\r\n\r\nxx\r\n--b--\r\n"
)
CSV = "name;city\nJörg;Köln\nAna;Porto\n".encode("cp1252")
TEXT = b"STORAGE\n\nKeep cold.\nAlways.\n\n- one\n- two\n"


# ------------------------------------------------------------------ the promise, for each


def promise(media: str, data: bytes, name: str) -> type[ParserPromise]:
    class Kept(ParserPromise):
        @pytest.fixture
        def parser(self):
            return parser(media)

        @pytest.fixture
        def sample(self):
            return data, name

    return Kept


TestText = promise("text/plain", TEXT, "a.txt")
TestMarkdown = promise("text/markdown", MARKDOWN, "a.md")
TestHtml = promise("text/html", HTML, "a.html")
TestEmail = promise("message/rfc822", EMAIL, "a.eml")
TestCsv = promise("text/csv", CSV, "a.csv")
TestPdf = promise("application/pdf", make_pdf(), "a.pdf")
TestDocx = promise(sniff(make_docx(), "a.docx"), make_docx(), "a.docx")
TestPptx = promise(sniff(make_pptx(), "a.pptx"), make_pptx(), "a.pptx")
TestXlsx = promise(sniff(make_xlsx(), "a.xlsx"), make_xlsx(), "a.xlsx")


def test_every_parser_file_can_be_made():
    assert len(registry()) >= 9
    for media in registry():
        assert callable(parser(media).parse)


# ------------------------------------------------------------------ what each keeps


def test_text_keeps_paragraphs_lists_and_headings():
    assert blocks(parse(TEXT, "a.txt")) == [
        ("heading", "STORAGE"),
        ("paragraph", "Keep cold.\nAlways."),
        ("list", "- one\n- two"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_text_is_read_in_its_encoding(encoding):
    data = "Die Kühlkette für Präparate wird täglich geprüft, außer an Feiertagen.".encode(encoding)
    assert "Kühlkette für Präparate" in parse(data, "a.txt").text


def test_markdown_keeps_structure_without_markup():
    parsed = parse(MARKDOWN, "a.md")
    assert parsed.title == "Cold chain"
    assert blocks(parsed) == [
        ("heading", "Cold chain"),
        ("paragraph", "Keep it cold."),
        ("table", "| drug | limit |\n| --- | --- |\n| A \\| B | 8 |"),
        ("list", "1. first\n  - inner\n2. second"),
        ("code", "code here"),
    ]


def test_html_keeps_the_main_content_only():
    parsed = parse(HTML, "a.html")
    assert blocks(parsed) == [
        ("heading", "Cold chain"),
        ("paragraph", "Keep it cold.\nAlways."),
        ("table", "| drug | limit |\n| --- | --- |\n| A | 8 |\n|  | 9 |"),
        ("list", "- one\n  - inner\n- two"),
    ]


def test_html_nested_without_end_is_read_or_refused():
    answer = read(Job("a.html", b"<div>" * 20_000 + b"deep inside" + b"</div>" * 20_000))
    assert answer.parsed is None or "deep inside" in answer.parsed.text


def test_email_prefers_plain_text_and_names_attachments():
    parsed = parse(EMAIL, "mail.eml")
    assert parsed.title == "Cold chain"
    assert "Jürg <j@acme.example>" in parsed.text
    assert "Keep it cold." in parsed.text
    assert "very" not in parsed.text
    assert "Attachments: limits.pdf" in parsed.text


def test_csv_finds_separator_and_encoding():
    parsed = parse(CSV, "a.csv")
    assert parsed.text.splitlines() == ["| name | city |", "| --- | --- |", "| Jörg | Köln |", "| Ana | Porto |"]


def test_docx_keeps_the_order_of_its_body():
    assert blocks(parse(make_docx(), "a.docx")) == [
        ("heading", "Storage"),
        ("paragraph", "Keep cold."),
        ("heading", "Limits"),
        ("table", "| Drug | Limit |\n| --- | --- |\n| Algen | 8 °C |"),
        ("list", "- first\n- second"),
    ]


def test_pptx_has_a_page_for_each_slide_with_its_notes():
    parsed = parse(make_pptx(), "a.pptx")
    assert [page.page for page in parsed.pages] == [1, 2]
    assert blocks(parsed) == [
        ("heading", "Opening"),
        ("heading", "Figures"),
        ("table", "| Site | Patients |\n| --- | --- |\n| Basel | 24 |"),
        ("paragraph", "Notes: Mention Basel first."),
    ]
    assert parsed.blocks[-1].page == 2


def test_xlsx_shows_values_as_a_reader_sees_them_and_no_hidden_sheet():
    parsed = parse(make_xlsx(), "a.xlsx")
    assert blocks(parsed) == [
        ("heading", "Sites"),
        (
            "table",
            (
                "| site | opened | share |\n| --- | --- | --- |\n| Basel | 2024-01-22 | 25% |\n"
                "| Porto | 2024-03-11 09:00 | 1 |"
            ),
        ),
    ]


def sheet_book(*rows: tuple) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    for row in rows:
        book.active.append(row)
    return saved(book)


def sheet_of(*rows: tuple) -> list[tuple[str, str]]:
    """The blocks of a sheet of these rows, without its name."""
    return blocks(parse(sheet_book(*rows), "a.xlsx"))[1:]


def test_xlsx_finds_the_header_below_title_and_remarks_and_an_empty_line():
    assert sheet_of(
        ("Who trains whom",),
        ("R is required",),
        (),
        ("Course", "Lab", "Office"),
        (),
        ("Glass", "R", "-"),
        ("Paper", "-", "R"),
    ) == [
        ("paragraph", "Who trains whom"),
        ("paragraph", "R is required"),
        ("table", "| Course | Lab | Office |\n| --- | --- | --- |\n| Glass | R | - |\n| Paper | - | R |"),
    ]


def test_xlsx_puts_groups_of_rows_below_their_one_header():
    assert sheet_of(("Site", "Cases"), ("Basel", 3), (), ("Porto", 4), (), ("Total", 7)) == [
        ("table", "| Site | Cases |\n| --- | --- |\n| Basel | 3 |\n| Porto | 4 |\n| Total | 7 |"),
    ]


def test_xlsx_keeps_tables_with_headers_of_their_own_apart():
    assert sheet_of(("Site", "Cases"), ("Basel", 3), (), ("Site", "Deaths"), ("Basel", 1), (), ("See note 1",)) == [
        ("table", "| Site | Cases |\n| --- | --- |\n| Basel | 3 |"),
        ("table", "| Site | Deaths |\n| --- | --- |\n| Basel | 1 |"),
        ("paragraph", "See note 1"),
    ]


def test_xlsx_keeps_a_table_with_a_caption_of_its_own_apart():
    assert sheet_of(("Topic", "Page"), ("Tides", 3), (), ("Other",), ("Topic", "Page"), ("Wind", 4)) == [
        ("table", "| Topic | Page |\n| --- | --- |\n| Tides | 3 |"),
        ("paragraph", "Other"),
        ("table", "| Topic | Page |\n| --- | --- |\n| Wind | 4 |"),
    ]


def test_xlsx_header_may_leave_the_column_of_row_names_unnamed():
    assert sheet_of((None, "Sales", "Profit"), (), ("North", 12, 2), ("South", 9, 1)) == [
        ("table", "|  | Sales | Profit |\n| --- | --- | --- |\n| North | 12 | 2 |\n| South | 9 | 1 |"),
    ]


def test_xlsx_takes_short_rows_above_the_header_as_remarks():
    assert sheet_of(
        ("Author", "Ines"), ("Site", "Visit", "Nurse", "Room", "Day"), ("Basel", 1, "Ana", 4, "Monday")
    ) == [
        ("paragraph", "Author: Ines"),
        (
            "table",
            "| Site | Visit | Nurse | Room | Day |\n| --- | --- | --- | --- | --- |\n| Basel | 1 | Ana | 4 | Monday |",
        ),
    ]


def test_xlsx_keeps_a_single_column_as_a_list_and_a_header_with_an_empty_corner():
    assert sheet_of(("Name",), ("Ana",)) == [("table", "| Name |\n| --- |\n| Ana |")]
    assert sheet_of((None, "2024"), ("Cases", 5)) == [("table", "|  | 2024 |\n| --- | --- |\n| Cases | 5 |")]


def test_xlsx_pieces_of_a_long_table_know_its_header():
    from strata.data.split import Splitter
    from strata.data.tokens import minilm

    book = sheet_book(("Training",), (), ("Course", "Lab"), (), *((f"Course number {n}", "R") for n in range(200)))
    parsed = parse(book, "a.xlsx")
    pieces = Splitter(minilm(), 60, 10).split(parsed, "Training")
    later = [piece for piece in pieces if "Course number" in piece.context]
    assert len(later) > 5
    assert all("| Course | Lab |" in piece.context for piece in later)


def test_pdf_keeps_pages_headings_and_tables_and_drops_running_heads():
    parsed = parse(make_pdf(), "a.pdf")
    assert [page.page for page in parsed.pages] == [1, 2, 3]
    assert "Confidential" not in parsed.text
    assert "Page 2" not in parsed.text
    second = [(b.kind, parsed.text[b.start : b.end]) for b in parsed.blocks if b.page == 2]
    assert second == [
        ("heading", "Chapter 2"),
        (
            "paragraph",
            "The samples are kept in the deep-freezer and the temperature is written down 2 times a day by the nurse.",
        ),
        ("table", "| Drug | Dose | Route |\n| --- | --- | --- |\n| Algen | 5 mg | oral |\n| Brumo | 12 mg | nasal |"),
    ]


def drawn(*cells: tuple[float, float, str]) -> list[tuple[str, str]]:
    """The blocks of a page with these lines (x, y, text) in the order of drawing."""
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.setFont("Helvetica", 9)
    for left, bottom, text in cells:
        canvas.drawString(left, bottom, text)
    canvas.showPage()
    canvas.save()
    return blocks(parse(out.getvalue(), "a.pdf"))


def test_pdf_joins_a_cells_further_lines_to_its_row_when_drawn_cell_by_cell():
    assert drawn(
        *((50, 700, "Finding"), (150, 700, "Severity"), (300, 700, "Action")),
        *((50, 684, "Rash"), (150, 684, "Mild"), (300, 684, "Go on")),
        *((50, 668, "Raised liver"), (50, 657, "enzymes")),
        *((150, 668, "Three times the upper"), (150, 657, "limit of"), (150, 646, "normal"), (300, 668, "Stop")),
        *((50, 630, "Fever"), (150, 630, "Any"), (300, 630, "Wait until it is"), (300, 619, "gone")),
        *((50, 603, "Cough"), (150, 603, "Severe"), (300, 603, "Stop")),
    ) == [
        (
            "table",
            (
                "| Finding | Severity | Action |\n| --- | --- | --- |\n| Rash | Mild | Go on |\n"
                "| Raised liver enzymes | Three times the upper limit of normal | Stop |\n"
                "| Fever | Any | Wait until it is gone |\n| Cough | Severe | Stop |"
            ),
        )
    ]


def test_pdf_makes_a_word_whole_that_a_narrow_cell_parts_if_the_document_knows_it():
    assert drawn(
        *((50, 740, "The frequency is given below."),),
        *((50, 700, "Site"), (120, 700, "Frequen"), (120, 689, "cy"), (200, 700, "Other"), (200, 689, "sites")),
        *((50, 673, "Basel"), (120, 673, "often"), (200, 673, "none")),
        *((50, 657, "Porto"), (120, 657, "never"), (200, 657, "two")),
    )[1:] == [
        (
            "table",
            "| Site | Frequency | Other sites |\n| --- | --- | --- |\n| Basel | often | none |\n| Porto | never | two |",
        )
    ]


def test_pdf_goes_on_with_a_sentence_and_within_a_bracket():
    assert drawn(
        (50, 700, "The limit was lowered by the second amendment and is now"),
        (50, 680, "measured at every visit, as the nurses had asked for (see"),
        (50, 669, "Annex 3 for the range of the room, which is 2"),
        (50, 658, "- 8 degrees)."),
        (50, 630, "- Patients below the lower limit of the reference range"),
        (58, 611, "of the laboratory."),
        (50, 600, "- Others"),
    ) == [
        (
            "paragraph",
            (
                "The limit was lowered by the second amendment and is now measured at every visit, as the nurses had"
                " asked for (see Annex 3 for the range of the room, which is 2 - 8 degrees)."
            ),
        ),
        ("list", "- Patients below the lower limit of the reference range of the laboratory.\n- Others"),
    ]


# ------------------------------------------------------------------ what is refused


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr("word/document.xml", b" " * 80_000_000)
    return out.getvalue()


def with_entity() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(make_docx())) as source, zipfile.ZipFile(out, "w") as target:
        for item in source.infolist():
            body = source.read(item)
            if item.filename == "word/document.xml":
                entity = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
                body = body.replace(b"?>", b"?>" + entity, 1).replace(b"Keep cold.", b"&e;")
            target.writestr(item, body)
    return out.getvalue()


def locked_pdf() -> bytes:
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption("secret"))
    canvas.drawString(50, 700, "hidden")
    canvas.save()
    return out.getvalue()


def empty_pdf() -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.rect(10, 10, 50, 50)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.txt", "empty"),
        (b" \n\t ", "a.txt", "empty"),
        (b"%PDF-1.7\nnothing more", "a.pdf", "broken"),
        (locked_pdf(), "a.pdf", "password"),
        (empty_pdf(), "a.pdf", "scan"),
        (make_docx()[:2000], "a.docx", "archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "a.doc", ".docx"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "a.png", "image"),
        (b"\x7fELF" + b"\x00" * 50, "a.txt", "not read"),
        (bomb(), "a.docx", "safe"),
        (with_entity(), "a.docx", "document type"),
    ],
    ids=["empty", "blank", "broken", "locked", "scan", "cut", "old", "image", "binary", "bomb", "entity"],
)
def test_what_cannot_be_read_is_refused_with_a_reason(data, name, reason):
    answer = read(Job(name, data))
    assert answer.parsed is None
    assert reason in answer.reason


@pytest.mark.parametrize("step", range(0, 4000, 97))
def test_damaged_files_end_in_a_text_or_a_reason(step):
    for data, name in ((make_docx(), "a.docx"), (make_pdf(1), "a.pdf"), (make_xlsx(), "a.xlsx"), (EMAIL, "a.eml")):
        place = step % len(data)
        damaged = data[:place] + bytes([data[place] ^ 0x5A]) * 3 + data[place + 3 :]
        answer = read(Job(name, damaged))
        assert (answer.parsed is None) == bool(answer.reason)


def test_the_bytes_decide_and_not_the_name():
    assert sniff(make_pdf(1), "a.docx") == "application/pdf"
    assert sniff(make_xlsx(), "a.docx").endswith("spreadsheetml.sheet")
    assert sniff(HTML, "page") == "text/html"
    assert sniff(EMAIL, "message") == "message/rfc822"


def test_an_unknown_format_names_the_way_out():
    with pytest.raises(Unreadable, match="docx"):
        parser("application/rtf")
