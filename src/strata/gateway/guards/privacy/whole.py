"""Puts together what the finders saw one by one: the parts of an address, a person's name said again, a trade beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from strata.gateway.guards.privacy.page import COMMON, Page
from strata.gateway.guards.privacy.spans import Span

POSTAL = frozenset({"ADDRESS", "LOCATION", "COUNTRY", "POSTCODE"})
GAP = re.compile(
    r"(?:[\s,;()?|/·•-]|\.(?=\s)|\b(?!(?:1[5-9]|20)\d\d\b)\d{1,6}\b(?![.,]\d)|\b[A-Z]{2}\b|\bnan\b|\b[A-ZÀ-ÖØ-Þ]{1,3}-(?=\d)){1,16}"
)
NUMBER_AFTER = re.compile(
    r",?[ ]{1,2}(?:\d{5,6}(?:-\d{3,4})?|\d{2}-\d{3}|\d{4}-\d{3}|\d{3}-\d{4}|[A-Z]{2}-\d{4,5}|\d{3} \d{2}|\d{4} [A-Z]{2}|(?!(?:1[5-9]|20)\d\d)\d{4}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)(?![\w%]|[.,/:-]\d)"
)
LINE_NUMBER_AFTER = re.compile(r"[\s,?]{1,6}(?:[A-Z]{2}[ ])?\d{4,7}(?:-\d{3,4})?(?: [A-Z]{2})?(?![\w%]|[.,/:-]\d)")
NUMBER_BEFORE = re.compile(r"(?<![\w.,/-])(?!(?:1[5-9]|20)\d\d, )\d{1,6}[ ]?,?[ ]$")
STREET_BEFORE = re.compile(
    r"(?:(?<![\w.,])\d{1,6},? )?(?:\d{1,5} )?(?:[A-ZÀ-ÖØ-Þ][\w'’.-]*|[a-zà-ÿ]{2,4}\.?(?= [A-ZÀ-ÖØ-Þ]))(?: [\w'’./-]+){0,5}[\s,?]{1,8}\Z"
    r"|(?:(?<=[\n:;.!?] )|(?<=\n)|^|(?<= at )|(?<= to )|(?<= in )|(?<= is )|(?<= with ))(?=[^\n]*\d)[^\n,;:!?]{3,48}?[\s,?]{1,8}\Z"
)
CORNER = re.compile(
    r"(?:the )?corner of (?:[A-Z\d][^\s?!,;]*[ ]){1,5}(?:and|&|y|und) (?:[A-Z\d][\w'’.-]*[ ]?){1,5}", re.IGNORECASE
)
TRADE_LINE = re.compile(r"[ \t]*\n[\s?]{0,4}(?P<trade>[^\W\d_][^\n\d:@;]{2,48}?)[ \t]*(?=\n|$|, )")
TRADE_ASIDE = re.compile(
    r", (?:the |a |an |our |der |die |eine? |el |la |un |una )?(?P<trade>[^\W\d_][\w' -]{2,40}?)(?=,| (?:at|for|of|from|in|bei|von|de|en)\b|[.;)\n])"
)


@cache
def trades() -> frozenset[str]:
    return frozenset(
        (files("strata.gateway.guards.privacy") / "lexicon" / "professions.txt").read_text("utf-8").split()
    )


def together(page: Page, spans: Sequence[Span]) -> Iterator[Span]:
    """More spans, from those that were found; `spans` are settled."""
    yield from _addresses(page, spans)
    yield from _again(page, spans)
    for span in spans:
        if span.type == "PERSON":
            yield from _trade(page.text, span.end)


def _addresses(page: Page, spans: Sequence[Span]) -> Iterator[Span]:
    """Parts with nothing but signs and numbers between them are one address; a number that stands close is a part."""
    text = page.text
    parts: list[Span] = []
    for span in [*(span for span in spans if span.type in POSTAL), None]:
        if span and parts and GAP.fullmatch(text, parts[-1].end, span.start):
            parts.append(span)
            continue
        if parts:
            yield from _joined(text, parts)
        parts = [span] if span else []
    if "corner" in page.words and page.numbered:
        for one in CORNER.finditer(text):
            yield Span(one.start(), one.end(), "ADDRESS", 0.6)


def _joined(text: str, parts: Sequence[Span]) -> Iterator[Span]:
    start, end = parts[0].start, parts[-1].end
    postal = any(part.type in {"ADDRESS", "POSTCODE"} for part in parts)
    after = (LINE_NUMBER_AFTER if postal or len(parts) > 1 else NUMBER_AFTER).match(text, end)
    if after and (postal or len(parts) > 1 or len(after.group().strip(" ,")) > 3):
        end, postal = after.end(), True
    before = None
    if (
        parts[0].type == "ADDRESS"
        and not text[start].isdigit()
        and re.match(r"(?i)apt|suite|ste|unit|flat|wohn|piso", text[start : start + 6])
    ):
        before = STREET_BEFORE.search(text, max(0, start - 72), start)
    elif parts[0].type in {"ADDRESS", "LOCATION"} and (postal or len(parts) > 1):
        before = NUMBER_BEFORE.search(text, max(0, start - 9), start)
    if before:
        start, postal = before.start(), True
    if (start, end) != (parts[0].start, parts[0].end):
        score = max(part.score for part in parts)
        yield Span(start, end, "ADDRESS" if postal else "LOCATION", max(score, 0.6))


def _again(page: Page, spans: Sequence[Span]) -> Iterator[Span]:
    """A surname or first name of somebody named in full is that person's also where it stands alone."""
    said = {}
    for span in spans:
        if span.type == "PERSON" and span.score >= 0.7:
            for word in re.findall(r"[^\W\d_]{3,}", page.text[span.start : span.end]):
                said[word] = span.score
    for word, score in said.items():
        for at in page.words.get(word.lower(), ()):
            token = page.line[at]
            if page.text[token.start : token.end] == word and not token.bits & COMMON:
                yield Span(token.start, token.end, "PERSON", min(score, 0.7))


def _trade(text: str, end: int) -> Iterator[Span]:
    for pattern in (TRADE_LINE, TRADE_ASIDE):
        one = pattern.match(text, end)
        if one:
            words = re.findall(r"[^\W\d_]+", one["trade"].lower())
            if 0 < len(words) <= 7 and (words[-1] in trades() or words[0] in trades()):
                yield Span(one.start("trade"), one.end("trade"), "PROFESSION", 0.6)
