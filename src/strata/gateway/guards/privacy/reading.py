"""Looks at all texts of a request together: what is found in one is found in the others too, and JSON is read as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from strata.gateway.guards.privacy import find
from strata.gateway.guards.privacy.spans import Span, settle

SURE_PERSON = 0.6
SHORTEST_ECHO = 4


@dataclass(slots=True)
class Leaf:
    """A stretch of text that is looked at on its own. In JSON it has a `label`, the name it has there."""

    text: str
    label: str
    holder: Any
    key: Any
    spans: list[Span]


@dataclass(slots=True)
class Page:
    """One text of a request: its leaves, and its JSON where it is JSON."""

    raw: str
    leaves: list[Leaf]
    tree: Any = None

    def written(self, mask: Callable[[str, list[Span]], str]) -> str:
        """The text with its spans masked; untouched where there are none."""
        if not any(leaf.spans for leaf in self.leaves):
            return self.raw
        if self.tree is None:
            return mask(self.raw, self.leaves[0].spans)
        for leaf in self.leaves:
            if leaf.spans:
                leaf.holder[leaf.key] = mask(leaf.text, leaf.spans)
        return json.dumps(self.tree[0], ensure_ascii=False)

    def places(self) -> Iterator[Span]:
        """Where the spans stand in the text as it was sent."""
        at = 0
        for leaf in self.leaves:
            if self.tree is None:
                yield from leaf.spans
            elif leaf.spans:
                found = self.raw.find(json.dumps(leaf.text, ensure_ascii=False)[1:-1], at)
                at = max(at, found)
                for span in leaf.spans:
                    inside = found >= 0 and found + span.end <= len(self.raw)
                    start, end = (found + span.start, found + span.end) if inside else (0, len(self.raw))
                    yield Span(start, end, span.type, span.score)


def read(texts: Sequence[str], threshold: float) -> list[Page]:
    """The texts with everything that was found in them."""
    pages = [page(text) for text in texts]
    leaves = [leaf for one in pages for leaf in one.leaves]
    for leaf in leaves:
        leaf.spans = _found(leaf, threshold)
    known = {
        leaf.text[span.start : span.end]: span
        for leaf in leaves
        for span in leaf.spans
        if span.end - span.start >= SHORTEST_ECHO and (span.type != "PERSON" or span.score >= SURE_PERSON)
    }
    if len(leaves) > 1 and known:
        _echo(leaves, known)
    return pages


def page(text: str) -> Page:
    """A text, as JSON where it is an object or a list."""
    if text[:1] in "{[" and text.rstrip()[-1:] in ("}", "]"):
        try:
            tree = [json.loads(text)]
        except (ValueError, RecursionError):
            tree = []
        if tree and isinstance(tree[0], dict | list):
            return Page(text, list(_leaves(tree[0], "")), tree)
    return Page(text, [Leaf(text, "", None, None, [])])


def _leaves(node: Any, label: str) -> Iterator[Leaf]:
    named = node.items() if isinstance(node, dict) else ((key, value) for key, value in enumerate(node))
    for key, value in list(named):
        own = str(key).replace("_", " ") if isinstance(key, str) else label
        if isinstance(value, dict | list):
            yield from _leaves(value, own)
        elif isinstance(value, str) and value:
            yield Leaf(value, own, node, key, [])
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 100_000:
            yield Leaf(str(value), own, node, key, [])


def _found(leaf: Leaf, threshold: float) -> list[Span]:
    if not leaf.label:
        return [span for span in find(leaf.text) if span.score >= threshold]
    lead = f"{leaf.label}: "
    away = len(lead)
    return [
        Span(max(0, span.start - away), span.end - away, span.type, span.score)
        for span in find(lead + leaf.text)
        if span.score >= threshold and span.end > away
    ]


def _echo(leaves: Sequence[Leaf], known: dict[str, Span]) -> None:
    """What one text gave away is masked in all."""
    ordered = sorted(known, key=len, reverse=True)[:2000]
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?!\w)")
    for leaf in leaves:
        more = [
            Span(one.start(), one.end(), known[one.group()].type, known[one.group()].score)
            for one in pattern.finditer(leaf.text)
        ]
        if more:
            leaf.spans = settle([*leaf.spans, *more])
