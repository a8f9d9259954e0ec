"""PowerPoint presentations: each slide is a page, its title a heading, its notes at its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from strata.data.draft import Draft, one_line
from strata.data.office import open_package
from strata.data.parser import Parser, Unreadable
from strata.types import ParsedText

MEDIA = ("application/vnd.openxmlformats-officedocument.presentationml.presentation",)


def make() -> Parser:
    return Slides()


@dataclass(frozen=True, slots=True)
class Slides:
    """Shapes are read from top to bottom, then from left to right."""

    def parse(self, data: bytes, name: str) -> ParsedText:  # noqa: ARG002 - the bytes say it all
        from pptx import Presentation

        try:
            presentation = Presentation(open_package(data))
        except (KeyError, ValueError, AttributeError, SyntaxError) as error:
            raise Unreadable("the file is broken: PowerPoint's parts are missing or not well formed") from error
        draft = Draft(title=presentation.core_properties.title or "")
        if draft.title.strip().lower() in {"powerpoint presentation", "powerpoint-präsentation"}:
            draft.title = ""
        for number, slide in enumerate(presentation.slides, 1):
            draft.turn(number)
            _write_slide(draft, slide)
        return draft.parsed()


def _write_slide(draft: Draft, slide: Any) -> None:
    title = slide.shapes.title
    if title is not None and title.has_text_frame:
        draft.heading(title.text_frame.text, 1)
    for shape in _shapes(slide.shapes):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if getattr(shape, "has_table", False):
            draft.table([[cell.text for cell in row.cells] for row in shape.table.rows])
        elif getattr(shape, "has_chart", False):
            _write_chart(draft, shape.chart)
        elif shape.has_text_frame:
            _write_text(draft, shape.text_frame)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        draft.paragraph(f"Notes: {notes}" if notes else "")


def _shapes(shapes: Any, depth: int = 0) -> Iterator[Any]:
    for shape in sorted(shapes, key=lambda each: (each.top or 0, each.left or 0)):
        if hasattr(shape, "shapes") and depth < 10:
            yield from _shapes(shape.shapes, depth + 1)
        else:
            yield shape


def _write_text(draft: Draft, frame: Any) -> None:
    lines = [(paragraph.level or 0, one_line(paragraph.text.replace("\v", " "))) for paragraph in frame.paragraphs]
    lines = [(level, text) for level, text in lines if text]
    if len(lines) > 1:
        draft.items("  " * level + "- " + text for level, text in lines)
    elif lines:
        draft.paragraph(lines[0][1])


def _write_chart(draft: Draft, chart: Any) -> None:
    """A chart as the table of its numbers."""
    try:
        plot = chart.plots[0]
        series = list(plot.series)
        rows = [["", *(str(each.name) for each in series)]]
        for index, category in enumerate(plot.categories):
            rows.append([str(category), *(_value(each.values, index) for each in series)])
    except (KeyError, IndexError, ValueError, AttributeError, NotImplementedError):
        return
    draft.table(rows)


def _value(values: Any, index: int) -> str:
    value = values[index] if index < len(values) else None
    return "" if value is None else f"{value:g}"
