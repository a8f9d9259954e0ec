"""Markdown: CommonMark with tables, read as tokens by markdown-it-py; markup goes, text and structure stay."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strata.data.decoding import decode
from strata.data.draft import Draft
from strata.data.parser import Parser
from strata.data.webpage import plain_text
from strata.types import ParsedText

if TYPE_CHECKING:
    from markdown_it.token import Token

MEDIA = ("text/markdown",)

_FRONT = re.compile(r"\A---[ \t]*\n(?P<matter>.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title:[ \t]*(?P<title>.+)$", re.MULTILINE)


def make() -> Parser:
    return Markdown()


@dataclass(frozen=True, slots=True)
class Markdown:
    """A title in YAML front matter is the document's; the rest of the front matter is left out."""

    def parse(self, data: bytes, name: str) -> ParsedText:  # noqa: ARG002 - the bytes say it all
        from markdown_it import MarkdownIt

        source = decode(data).replace("\r\n", "\n")
        draft = Draft()
        front = _FRONT.match(source)
        if front:
            title = _TITLE.search(front["matter"])
            draft.title = title["title"].strip().strip("\"'") if title else ""
            source = source[front.end() :]
        tokens = MarkdownIt("commonmark", {"maxNesting": 50}).enable(["table", "strikethrough"]).parse(source)
        _write(draft, tokens)
        return draft.parsed()


def _write(draft: Draft, tokens: Sequence[Token]) -> None:
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.type in {"table_open", "bullet_list_open", "ordered_list_open"}:
            end = _end(tokens, index)
            inner = tokens[index + 1 : end]
            if token.type == "table_open":
                draft.table(_rows(inner))
            else:
                draft.items(_items(tokens[index : end + 1]))
            index = end
        elif token.type == "heading_open":
            draft.heading(_inline(tokens[index + 1]), int(token.tag[1:]))
            index += 1
        elif token.type in {"fence", "code_block"}:
            draft.add("code", token.content)
        elif token.type == "html_block":
            draft.paragraph(plain_text(token.content))
        elif token.type == "inline":
            draft.paragraph(_inline(token))
        index += 1


def _end(tokens: Sequence[Token], start: int) -> int:
    depth = 0
    for index in range(start, len(tokens)):
        depth += tokens[index].nesting
        if depth == 0:
            return index
    return len(tokens) - 1


def _rows(tokens: Sequence[Token]) -> list[list[str]]:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_inline(token))
    return rows


def _items(tokens: Sequence[Token]) -> list[str]:
    lines: list[str] = []
    counters: list[int | None] = []
    lead = ""
    for token in tokens:
        if token.type == "bullet_list_open":
            counters.append(None)
        elif token.type == "ordered_list_open":
            counters.append(int(token.attrGet("start") or 1))
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            counters.pop()
        elif token.type == "list_item_open":
            number = counters[-1]
            lead = "  " * (len(counters) - 1) + ("- " if number is None else f"{number}. ")
            counters[-1] = None if number is None else number + 1
        elif token.type in {"inline", "fence", "code_block"}:
            text = _inline(token) if token.type == "inline" else token.content.rstrip()
            lines.append(lead + text)
            lead = "  " * len(counters)
    return lines


def _inline(token: Token) -> str:
    parts: list[str] = []
    for child in token.children or ():
        if child.type in {"text", "code_inline"}:
            parts.append(child.content)
        elif child.type == "softbreak":
            parts.append(" ")
        elif child.type == "hardbreak":
            parts.append("\n")
        elif child.type == "image":
            parts.append(child.content)
    return "".join(parts)
