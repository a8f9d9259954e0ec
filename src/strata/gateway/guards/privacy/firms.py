"""Organisations that their form gives away: "48 Factoring Inc", "Mayer & Söhne GmbH", "Barnett, Melton and Garcia"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from strata.gateway.guards.privacy.page import COMMON, FAMILY, Page, role
from strata.gateway.guards.privacy.spans import Span

_LEGAL = r"(?:Inc|LLC|L\.L\.C|LLP|Ltd|Limited|Corp|Corporation|PLC|plc|GmbH|gGmbH|AG|KG|KGaA|OHG|UG|e\.V|SE|BV|B\.V|NV|N\.V|SARL|SAS|S\.A|S\.A\.S|S\.L|SL|S\.p\.A|SpA|S\.r\.l|Srl|Oy|ApS|Pty|Holdings?|& Co|& Sons|and Sons|& Partners|& Söhne|e Hijos|y Asociados|& Associates|and Associates|Group|Gruppe)"
_WORD = r"(?:[A-ZÀ-ÖØ-Þ0-9][\w&'’.-]*)"
LEGAL = re.compile(
    rf"(?<![\w&])(?:{_WORD},? (?:(?:&|and|und|y|et|of|für|de) )?){{1,5}}{_LEGAL}(?!\w)(?:\.(?=\S|\s+[a-z]|$))?"
)
SMALL = re.compile(
    r"(?:(?<=\n)|^|(?<= at )|(?<= for )|(?<= from )|(?<= by ))(?:[^\W_][\w&'’.-]*,? ){1,4}(?:inc|llc|ltd|corp|gmbh|plc)(?!\w)\.?"
)
ENDS = frozenset(
    [
        "inc",
        "llc",
        "l",
        "llp",
        "ltd",
        "limited",
        "corp",
        "corporation",
        "plc",
        "gmbh",
        "ggmbh",
        "ag",
        "kg",
        "kgaa",
        "ohg",
        "ug",
        "e",
        "se",
        "bv",
        "b",
        "nv",
        "n",
        "sarl",
        "sas",
        "s",
        "sl",
        "spa",
        "srl",
        "oy",
        "aps",
        "pty",
        "holding",
        "holdings",
        "co",
        "sons",
        "partners",
        "söhne",
        "hijos",
        "asociados",
        "associates",
        "group",
        "gruppe",
    ]
)
LEGAL_ROLE = role(ENDS.__contains__)
JOINS = role(frozenset({"and", "und", "y", "et"}).__contains__)


def look(page: Page) -> Iterator[Span]:
    """What ends with a legal form, and three surnames in a row, which call a practice more often than three people."""
    text = page.text
    for start, end in page.around(LEGAL_ROLE, 90, 16):
        for one in LEGAL.finditer(text, start, end):
            yield Span(one.start(), one.end(), "ORGANISATION", 0.6)
        for one in SMALL.finditer(text, start, end):
            yield Span(one.start(), one.end(), "ORGANISATION", 0.5)
    for at in page.marked.get(JOINS, ()):
        names = [page.line[at + away] for away in (-3, -1, 1) if 0 <= at + away < len(page.line)]
        listed = len(names) == 3 and page.line[at - 2].lower == ","
        surnames = all(one.bits & FAMILY and one.shape == "Aa" for one in names)
        if listed and surnames and not all(one.bits & COMMON for one in names):
            yield Span(names[0].start, names[2].end, "ORGANISATION", 0.5)
