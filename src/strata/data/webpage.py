"""HTML to blocks: the page's main content with its headings, lists and tables; scripts and navigation stay behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from strata.data.draft import Draft, one_line

_DROPPED = (
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "embed", "canvas", "head",
    "nav", "button", "select", "input", "textarea", "dialog",
)  # fmt: skip
_CHROME = ("header", "footer", "aside", "[role=navigation]", "[role=banner]", "[role=contentinfo]", "[role=search]")
_HIDDEN = ("[hidden]", "[aria-hidden=true]", "[style*='display:none']", "[style*='display: none']")
_MAIN = ("main", "[role=main]", "article", "#content", "#main-content", "#mw-content-text")
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main",
    "ol", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "caption",
})  # fmt: skip
_HEADING = re.compile(r"h[1-6]")
_SPACES = re.compile(r"[ \t\r\n\f\u00a0]+")
_DEEPEST = 200


def write_html(draft: Draft, html: str) -> None:
    """Append a page's main content to the draft, and take over its title where the draft has none."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html)
    title = tree.css_first("title")
    if title is not None and not draft.title:
        draft.title = one_line(title.text())
    for selector in (*_DROPPED, *_HIDDEN):
        _drop(tree, selector)
    body = tree.body
    if body is None:
        return
    root = _main(body)
    if root is body:
        for selector in _CHROME:
            _drop(tree, selector)
        if not body.text(strip=True):
            body = LexborHTMLParser(html).body
    _Writer(draft).block(root if root is not body else body, 0)


def plain_text(html: str) -> str:
    """The visible text of a piece of HTML, on one line."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html)
    for selector in _DROPPED:
        _drop(tree, selector)
    return one_line(tree.body.text(separator=" ")) if tree.body is not None else ""


def _drop(tree: Any, selector: str) -> None:
    for node in tree.css(selector):
        if node.tag not in {"html", "body"}:
            node.decompose()


def _main(body: Any) -> Any:
    """The element that holds most of the page's words, when the page marks one; else the body."""
    whole = len(body.text(strip=True))
    for selector in _MAIN:
        found = body.css(selector)
        if len(found) == 1 and len(found[0].text(strip=True)) > whole * 0.4:
            return found[0]
    return body


class _Writer:
    """Walks elements; text between block elements gathers in `_loose` until the next block begins."""

    __slots__ = ("_draft", "_loose")

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._loose: list[str] = []

    def block(self, node: Any, depth: int) -> None:
        for child in node.iter(include_text=True):
            tag = child.tag
            if tag == "-text":
                self._loose.append(_SPACES.sub(" ", child.text_content or ""))
            elif tag == "br":
                self._loose.append("\n")
            elif tag not in _BLOCKS and not _holds_blocks(child):
                self._loose.append(_inline(child))
            else:
                self._flush()
                self._element(child, depth)
                self._flush()
        if depth == 0:
            self._flush()

    def _element(self, node: Any, depth: int) -> None:
        tag = node.tag
        if depth > _DEEPEST:
            self._draft.paragraph(_tidy(node.text(separator=" ")))
        elif _HEADING.fullmatch(tag):
            self._draft.heading(_tidy(_inline(node)), int(tag[1]))
        elif tag == "pre":
            self._draft.add("code", node.text())
        elif tag in {"ul", "ol"} and node.css_first("table, h1, h2, h3, h4, h5, h6, pre") is None:
            self._draft.items(_items(node, 0))
        elif tag == "table" and not _is_layout(node):
            self._table(node)
        elif tag != "hr":
            self.block(node, depth + 1)
            self._flush()

    def _table(self, node: Any) -> None:
        caption = node.css_first("caption")
        if caption is not None:
            self._draft.paragraph(_tidy(_inline(caption)))
        self._draft.table(_rows(node))

    def _flush(self) -> None:
        text = _tidy("".join(self._loose))
        self._loose.clear()
        self._draft.paragraph(text)


def _tidy(text: str) -> str:
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _holds_blocks(node: Any) -> bool:
    return any(child.tag in _BLOCKS for child in node.traverse() if child is not node)


def _inline(node: Any) -> str:
    """An element's text, where only `<br>` breaks a line: the source's own line ends are spaces."""
    parts: list[str] = []
    for child in node.traverse(include_text=True):
        if child.tag == "-text":
            parts.append(_SPACES.sub(" ", child.text_content or ""))
        elif child.tag == "br":
            parts.append("\n")
        elif child.tag in _BLOCKS and child is not node:
            parts.append(" ")
    return "".join(parts)


def _items(node: Any, depth: int) -> Iterator[str]:
    for number, item in enumerate((child for child in node.iter() if child.tag == "li"), 1):
        lead = f"{number}. " if node.tag == "ol" else "- "
        inner = [child for child in item.iter() if child.tag in {"ul", "ol"}]
        own = "".join(
            _SPACES.sub(" ", child.text_content or "") if child.tag == "-text" else _inline(child)
            for child in item.iter(include_text=True)
            if child.tag not in {"ul", "ol"}
        )
        yield "  " * depth + lead + one_line(own)
        if depth < 10:
            for nested in inner:
                yield from _items(nested, depth + 1)


def _is_layout(table: Any) -> bool:
    """Whether a table only arranges a page: it holds another table or headings, or has a single cell."""
    if table.css_first("table table, h1, h2, h3, h4, ul, ol, pre") is not None and table.css_first("th") is None:
        return True
    nested = [node for node in table.css("table") if node != table]
    return bool(nested) or len(table.css("td, th")) < 2


def _rows(table: Any) -> list[list[str]]:
    rows: list[list[str]] = []
    spans: dict[int, int] = {}
    for row in table.css("tr"):
        cells: list[str] = []
        for cell in row.iter():
            if cell.tag not in {"td", "th"}:
                continue
            _fill(cells, spans)
            down, across = _span(cell, "rowspan"), _span(cell, "colspan")
            for column in range(len(cells), len(cells) + across):
                if down > 1:
                    spans[column] = down - 1
            cells.extend([one_line(_inline(cell))] + [""] * (across - 1))
        _fill(cells, spans)
        rows.append(cells)
    return rows


def _fill(cells: list[str], spans: dict[int, int]) -> None:
    """Leave room for cells that reach down from rows above."""
    while spans.get(len(cells), 0) > 0:
        spans[len(cells)] -= 1
        cells.append("")


def _span(cell: Any, name: str) -> int:
    value = str(cell.attributes.get(name) or "1").strip()
    return min(max(int(value), 1), 100) if value.isdecimal() and len(value) < 6 else 1
