"""Tables in text: CSV and its cousins with semicolons, tabs or bars."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from strata.data.decoding import decode
from strata.data.draft import Draft
from strata.data.parser import Parser, Unreadable
from strata.types import ParsedText

MEDIA = ("text/csv",)

_SAMPLE = 16 * 1024


def make() -> Parser:
    return SeparatedValues()


@dataclass(frozen=True, slots=True)
class SeparatedValues:
    """The first row is the header. The separator is found from the first lines, else from the file's name."""

    def parse(self, data: bytes, name: str) -> ParsedText:
        text = decode(data).replace("\x00", "")
        csv.field_size_limit(10_000_000)
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), _dialect(text[:_SAMPLE], name)))
        except csv.Error as error:
            raise Unreadable(f"the file is not a table of separated values: {error}") from error
        draft = Draft()
        draft.table(rows)
        return draft.parsed()


def _dialect(sample: str, name: str) -> type[csv.Dialect]:
    class Plain(csv.excel):
        delimiter = "\t" if name.lower().endswith(".tsv") else _commonest(sample)

    try:
        found = csv.Sniffer().sniff(sample, delimiters=",;\t|")
    except csv.Error:
        return Plain
    found.doublequote = True
    return found


def _commonest(sample: str) -> str:
    """The separator that most lines hold equally often."""
    lines = [line for line in sample.splitlines()[:20] if line.strip()]

    def evenness(separator: str) -> int:
        counts = [line.count(separator) for line in lines]
        return sum(count == counts[0] for count in counts) if counts and counts[0] else 0

    return max(",;\t|", key=evenness)
