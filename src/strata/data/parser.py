"""What turns a file into text: one file in `parsers/` for each family of formats.

A parser file offers `make() -> Parser` and `MEDIA`, the media types that it reads. Parsers run in a worker process
with limits on time and memory, so they are plain functions of bytes, without a network and without a clock.
"""

from __future__ import annotations

from typing import Protocol

from strata.errors import Refused
from strata.types import ParsedText


class Unreadable(Refused):
    """The file cannot be read as what it claims to be; the text says why, in words for the person who sent it."""

    status, slug, title = 422, "unreadable", "Unreadable file"


class Parser(Protocol):
    """Bytes of one document to its text, with pages and blocks.

    Blocks lie in order, do not overlap, and cover all text that is not white space. Tables become Markdown rows.
    Raises `Unreadable` for a broken, encrypted or empty file; never returns an empty text.
    """

    def parse(self, data: bytes, name: str) -> ParsedText: ...
