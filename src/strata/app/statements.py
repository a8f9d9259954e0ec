"""Passages cut into what can be quoted: sentences, list entries and table rows, each with its exact place.

A statement's `quote` is the document's text from `start` to `end`, to the character; `text` is the same made readable
on its own (a table row with its column names, a list with the line that opens it), and `context` is what stands above
it: title, headings, caption.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from strata.types import Chunk, Passage

StatementKind = Literal["sentence", "title", "list", "entry", "row"]

LONGEST = 700
"""Characters of a list that is still quoted whole; a longer one is quoted entry by entry."""

_ABBREVIATIONS = frozenset(
    [
        "approx",
        "art",
        "ca",
        "cf",
        "co",
        "dept",
        "dr",
        "e.g",
        "eg",
        "etc",
        "fig",
        "figs",
        "i.e",
        "ie",
        "inc",
        "incl",
        "ltd",
        "max",
        "min",
        "mr",
        "mrs",
        "ms",
        "no",
        "nos",
        "p",
        "pp",
        "prof",
        "resp",
        "sec",
        "st",
        "tab",
        "vol",
        "vs",
        "abs",
        "bspw",
        "bzw",
        "d.h",
        "evtl",
        "ggf",
        "inkl",
        "nr",
        "s.o",
        "s.u",
        "sog",
        "str",
        "u.a",
        "usw",
        "vgl",
        "z.b",
        "z.t",
        "zzgl",
    ]
)
_MONTHS = frozenset(
    [
        "januar",
        "februar",
        "märz",
        "april",
        "mai",
        "juni",
        "juli",
        "august",
        "september",
        "oktober",
        "november",
        "dezember",
    ]
)
_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s|$)")
_ENTRY = re.compile(r"^[ \t]*(?:[-*•–▪◦●]|\(?\d{1,2}[.)]|\(?[a-z][.)])[ \t]+(?=\S)")
_ROW = re.compile(r"^[ \t]*\|")
_RULE = re.compile(r"^[ \t]*\|?(?:[ \t]*:?-{2,}:?[ \t]*\|)+[ \t]*(?::?-{2,}:?)?[ \t]*$")
_HEADING = re.compile(r"^#{1,6}[ \t]+")
_NUMBERED = re.compile(r"^(\d{1,2}(?:\.\d{1,2})*\.?)\s+[^\W\d_]")
_LONGEST_HEADING, _HEADING_WORDS, _SHORT = 90, 12, 5
_FIELD = re.compile(r"^[A-ZÄÖÜ][\w /()&-]{0,40}: \S")
_MARKS = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1")


@dataclass(frozen=True, slots=True)
class Statement:
    """A quotable stretch [start, end) of a document's text, found in the passage of that index."""

    passage: int
    document: str
    kind: StatementKind
    start: int
    end: int
    quote: str
    text: str
    context: str
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    start: int
    end: int


def of_passages(passages: Sequence[Passage]) -> list[Statement]:
    """The statements of all passages in order; where passages overlap, what both hold counts once."""
    seen: set[tuple[str, int, int]] = set()
    found: list[Statement] = []
    for index, passage in enumerate(passages):
        for statement in of_chunk(passage.chunk, index):
            place = (statement.document, statement.start, statement.end)
            if place not in seen:
                seen.add(place)
                found.append(statement)
    return _without_cut_ones(found)


def of_chunk(chunk: Chunk, index: int = 0) -> Iterator[Statement]:
    """The statements of one chunk."""
    if chunk.end - chunk.start != len(chunk.text):
        yield _statement(chunk, index, "sentence", 0, len(chunk.text), tidy(chunk.text), chunk.headings, whole=True)
        return
    headings = chunk.headings
    lead = ""
    groups = list(_groups(chunk))
    for place, (kind, lines) in enumerate(groups):
        if kind == "heading" or (kind == "prose" and place + 1 < len(groups) and _titles(lines)):
            lead = ""
            line = tidy(lines[0].text)
            headings = _under(headings, line)
            if kind == "prose" and len(line.split()) > _SHORT and not _NUMBERED.match(line):
                yield _statement(chunk, index, "title", lines[0].start, lines[0].end, line, headings[:-1])
        elif kind == "prose" and len(lines) == 1 and _caption(lines[0].text.strip()):
            lead = tidy(lines[0].text)
        elif kind == "table":
            yield from _rows(chunk, index, lines, (*headings, lead) if lead else headings)
            lead = ""
        elif kind == "list":
            yield from _entries(chunk, index, lines, headings, lead)
            lead = ""
        else:
            last = ""
            for start, end in _sentences(chunk.text, lines):
                last = tidy(chunk.text[start:end])
                if not last.endswith(":"):
                    yield _statement(chunk, index, "sentence", start, end, last, headings)
            lead = last if last.endswith(":") else ""


def tidy(text: str) -> str:
    """One line of plain words: Markdown's marks and runs of white space taken away."""
    return " ".join(_MARKS.sub(r"\2", _HEADING.sub("", text.strip())).split())


def split(text: str) -> list[str]:
    """A text in its sentences and lines, each with the white space that follows it, so that joined they are the text."""
    ends: set[int] = set()
    place = 0
    for line in text.splitlines(keepends=True):
        ends.update(place + end for _, end in _spans(line))
        place += len(line)
    starts = sorted({_skip(text, end) for end in ends} - {len(text)})
    cuts = [0, *starts, len(text)]
    return [text[start:end] for start, end in pairwise(cuts) if end > start]


def _groups(chunk: Chunk) -> Iterator[tuple[str, list[_Line]]]:
    """Lines that belong together: headings alone, table rows, list entries with their wrapped lines, paragraphs."""
    known = {tidy(heading).casefold() for heading in (*chunk.headings, chunk.title) if heading}
    group: list[_Line] = []
    kind = ""
    place = 0
    for raw in chunk.text.splitlines(keepends=True):
        line = _Line(raw.rstrip("\r\n"), place, place + len(raw.rstrip()))
        place += len(raw)
        now = _line_kind(line.text, kind, known)
        if group and (now != kind or now == "heading"):
            yield kind, group
            group = []
        kind = now
        if now:
            group.append(line)
    if group:
        yield kind, group


def _line_kind(text: str, before: str, known: set[str]) -> str:
    if not text.strip():
        return ""
    if _ROW.match(text):
        return "table"
    if _HEADING.match(text) or tidy(text).casefold() in known:
        return "heading"
    if _ENTRY.match(text) or before == "list":
        return "list"
    return "prose"


def _sentences(text: str, lines: list[_Line]) -> Iterator[tuple[int, int]]:
    """Spans of the sentences of a paragraph; a line such as `Owner: Quality` stands by itself."""
    start = lines[0].start
    stretches: list[tuple[int, int]] = []
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        alone = following is None or _FIELD.match(following.text) or _FIELD.match(line.text) or len(line.text) < 25
        if alone:
            stretches.append((start, line.end))
            start = following.start if following else line.end
    for begin, end in stretches:
        for left, right in _spans(text[begin:end]):
            yield begin + left, begin + right


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = _skip(text, 0)
    for match in _END.finditer(text):
        if match.start() < start:
            continue
        if not _ends(text, match):
            continue
        if match.end() > start:
            yield start, match.end()
        start = _skip(text, match.end())
    end = len(text.rstrip())
    if end > start:
        yield start, end


def _ends(text: str, match: re.Match[str]) -> bool:
    """Whether this full stop ends a sentence: not after an abbreviation, an initial or an ordinal."""
    following = text[match.end() :].lstrip()
    if not following:
        return True
    if following[0].islower():
        return False
    if match.group()[0] != ".":
        return True
    word = re.split(r"[\s(]", text[: match.start()])[-1].lower().lstrip("(\"'“„")
    if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()):
        return False
    if word.isdigit() and len(word) <= 2:
        numbering = not text[: match.start()].rpartition("\n")[2].strip().removesuffix(word)
        return not numbering and following.split()[0].casefold().rstrip(".,") not in _MONTHS
    return True


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _rows(chunk: Chunk, index: int, lines: list[_Line], headings: tuple[str, ...]) -> Iterator[Statement]:
    header, body = _header(chunk, lines)
    for line in body:
        text = _readable(header, _cells(line.text))
        if text:
            start = line.start + len(line.text) - len(line.text.lstrip())
            yield _statement(chunk, index, "row", start, line.end, text, headings)


def _header(chunk: Chunk, lines: list[_Line]) -> tuple[list[str], list[_Line]]:
    """Column names, from this chunk or from its context where the table began in an earlier chunk; then the rows."""
    rule = next((place for place, line in enumerate(lines) if _RULE.match(line.text)), None)
    if rule:
        rows = [line for line in lines[rule + 1 :] if not _RULE.match(line.text)]
        return _cells(lines[rule - 1].text), [*lines[: rule - 1], *rows]
    rows = [line for line in lines if not _RULE.match(line.text)]
    before = chunk.context.removesuffix(chunk.text).splitlines()
    for text in reversed(before):
        if _ROW.match(text) and not _RULE.match(text) and len(_cells(text)) == len(_cells(rows[0].text)):
            return _cells(text), rows
    return [], rows


def _cells(row: str) -> list[str]:
    return [tidy(cell.replace("\\|", "|")) for cell in re.split(r"(?<!\\)\|", row.strip().removeprefix("|"))][
        : -1 if row.rstrip().endswith("|") else None
    ]


def _readable(header: list[str], cells: list[str]) -> str:
    """A row in words: `Weight: 20 kg; Dose: 25 mg`. Two columns read `Weight 20 kg: 25 mg` no better, so all are alike."""
    if len(header) != len(cells):
        return "; ".join(cell for cell in cells if cell)
    pairs = [(name, cell) for name, cell in zip(header, cells, strict=True) if cell and cell not in "-–—"]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs)


def _entries(chunk: Chunk, index: int, lines: list[_Line], headings: tuple[str, ...], lead: str) -> Iterator[Statement]:
    """A short list is quoted whole, under the line that opens it, and each entry can be quoted alone as well."""
    entries: list[list[_Line]] = []
    for line in lines:
        if _ENTRY.match(line.text) or not entries:
            entries.append([line])
        else:
            entries[-1].append(line)
    start, end = lines[0].start, lines[-1].end
    if len(entries) > 1 and lead and end - start <= LONGEST:
        said = [tidy(" ".join(line.text for line in entry)) for entry in entries]
        text = f"{lead}\n" + "\n".join(said)
        yield _statement(chunk, index, "list", start, end, text, headings)
    for entry in entries:
        first = entry[0]
        mark = _ENTRY.match(first.text)
        begin = first.start + (mark.end() if mark else 0)
        text = tidy(chunk.text[begin : entry[-1].end])
        yield _statement(chunk, index, "entry", begin, entry[-1].end, text, (*headings, lead) if lead else headings)


def _statement(
    chunk: Chunk,
    index: int,
    kind: StatementKind,
    start: int,
    end: int,
    text: str,
    headings: tuple[str, ...],
    *,
    whole: bool = False,
) -> Statement:
    above = [part for part in (chunk.title, *headings) if part]
    return Statement(
        passage=index,
        document=chunk.document,
        kind=kind,
        start=chunk.start + start,
        end=chunk.end if whole else chunk.start + end,
        quote=chunk.text[start:end],
        text=text,
        context=" - ".join(dict.fromkeys(above)),
        headings=headings,
    )


def _titles(lines: list[_Line]) -> bool:
    """Whether a paragraph reads like the title of what follows it: one short line that does not end like a sentence."""
    text = lines[0].text.strip()
    short = len(lines) == 1 and len(text) <= _LONGEST_HEADING and len(text.split()) <= _HEADING_WORDS
    return short and text[-1:] not in ".!?;:," and not _caption(text) and not _FIELD.match(text)


def _under(headings: tuple[str, ...], heading: str) -> tuple[str, ...]:
    """The headings above what follows this one: by their numbers where they have them, else in place of the last one
    that has none.
    """
    if heading in headings:
        return headings[: headings.index(heading) + 1]
    number = _NUMBERED.match(heading)
    if number:
        depth = _depth(number)
        above = [one for one in headings if (found := _NUMBERED.match(one)) and _depth(found) < depth]
        return (*(above[:depth]), heading)
    numbered = [one for one in headings if _NUMBERED.match(one)]
    return (*numbered, heading) if numbered else (*headings[:1], heading)


def _depth(number: re.Match[str]) -> int:
    return number.group(1).rstrip(".").count(".")


def _caption(text: str) -> bool:
    return bool(re.match(r"^(?:table|tabelle|figure|abbildung)\b", text, re.IGNORECASE))


def _without_cut_ones(statements: list[Statement]) -> list[Statement]:
    """Where one passage cuts a sentence that another holds whole, only the whole one stays."""
    by_document: dict[str, list[Statement]] = {}
    for statement in statements:
        by_document.setdefault(statement.document, []).append(statement)

    def cut(one: Statement) -> bool:
        return any(
            other.passage != one.passage
            and other.kind == one.kind
            and other.start <= one.start
            and one.end <= other.end
            and (other.start, other.end) != (one.start, one.end)
            for other in by_document[one.document]
        )

    return [statement for statement in statements if not cut(statement)]
