"""Where sentences end: enough for cutting text at places where a reader would pause."""

from __future__ import annotations

import re

_END = re.compile(r"(?:[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”]?)\s*|\n+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|al|approx|ca|Dr|Mr|Mrs|Ms|Prof|St|No|Nos|Nr|Fig|Figs|Tab|Eq|Ref|Sec|Art|Abs|Bd|bzw|usw"
    r"|inkl|max|min|Inc|Ltd|Co|resp|incl|z\.B|d\.h|u\.a|S|p|pp|vol)|(?:^|[\s(])[A-Z])\.$"
)


def sentences(text: str) -> list[tuple[int, int]]:
    """Stretches [start, end) that cover the text from its first character to its last. A line's end ends a sentence."""
    found: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        if "\n" not in match.group() and not _ends(text, match):
            continue
        if match.end() > start:
            found.append((start, match.end()))
            start = match.end()
    if start < len(text):
        found.append((start, len(text)))
    return found


def _ends(text: str, match: re.Match[str]) -> bool:
    mark = match.group().rstrip()
    after = text[match.end() : match.end() + 1]
    if after and (after.islower() or after in ",;"):
        return False
    return mark != "." or not _ABBREVIATION.search(text, max(0, match.start() - 12), match.start() + 1)
