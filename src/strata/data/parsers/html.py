"""Web pages: see `webpage`, which e-mail shares."""

from __future__ import annotations

import re
from dataclasses import dataclass

from strata.data.decoding import decode
from strata.data.draft import Draft
from strata.data.parser import Parser
from strata.data.webpage import write_html
from strata.types import ParsedText

MEDIA = ("text/html",)

_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)


def make() -> Parser:
    return WebPage()


@dataclass(frozen=True, slots=True)
class WebPage:
    """The encoding is the one that the page names, where it holds; else it is found as for plain text."""

    def parse(self, data: bytes, name: str) -> ParsedText:  # noqa: ARG002 - the bytes say it all
        draft = Draft()
        write_html(draft, _decode(data))
        return draft.parsed()


def _decode(data: bytes) -> str:
    named = _CHARSET.search(data[:4096])
    if named and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode(named[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass
    return decode(data)
