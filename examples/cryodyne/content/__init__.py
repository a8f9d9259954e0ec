"""What the sample company's papers, decks and workbooks say, apart from how each file format writes it down."""

from __future__ import annotations

from dataclasses import dataclass

Cell = str | int | float | None


@dataclass(frozen=True)
class Paper:
    """One PDF or Word document: the suffix of `path` (relative to documents/) chooses the format.

    `body` is written in a small markup: `#`, `##` and `###` headings, paragraphs, `- ` bullets, `1. ` steps, `| tables |` whose
    first row is the header, `^ ` captions above a table, `**bold**`, and `===` for a new page.
    """

    path: str
    title: str
    number: str
    version: str
    effective: str
    owner: str
    approved: str
    classification: str
    body: str
    language: str = "en"
    labels: tuple[str, str, str, str, str] = ("Document number", "Version", "Effective date", "Owner", "Approved by")


@dataclass(frozen=True)
class Slide:
    """One slide: its title, its points, an optional table (first row is the header) and the speaker's notes."""

    title: str
    points: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    notes: str = ""


@dataclass(frozen=True)
class Deck:
    """One presentation."""

    path: str
    title: str
    subtitle: str
    slides: tuple[Slide, ...]


@dataclass(frozen=True)
class Sheet:
    """One worksheet: a title line, remarks below it, then a header row and the rows."""

    name: str
    title: str
    remarks: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Workbook:
    """One spreadsheet file."""

    path: str
    title: str
    sheets: tuple[Sheet, ...]
