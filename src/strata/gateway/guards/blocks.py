"""Cuts a streamed text into blocks that end between sentences, the same however the stream was split."""

from __future__ import annotations

import re
from dataclasses import dataclass

SHORTEST, LONGEST = 160, 800
_END = re.compile(r"[.!?。！？:;]+[\"')\]]*(?=\s)|\n|[。！？]")


@dataclass(slots=True)
class Blocks:
    """Collects a channel's text. A block is at least 160 characters up to the end of a sentence, or 800 characters."""

    waiting: str = ""

    def add(self, text: str) -> list[str]:
        """The blocks that are complete now."""
        self.waiting += text
        found = []
        while block := self._first():
            found.append(block)
            self.waiting = self.waiting[len(block) :]
        return found

    def rest(self) -> str:
        rest, self.waiting = self.waiting, ""
        return rest

    def _first(self) -> str:
        end = _END.search(self.waiting, SHORTEST)
        if end is not None and end.end() <= LONGEST:
            return self.waiting[: end.end()]
        return self.waiting[:LONGEST] if len(self.waiting) > LONGEST else ""
