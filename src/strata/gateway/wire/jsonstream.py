"""A JSON array that comes in pieces: each object in it as soon as it is whole. Some vendors stream that way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from strata.gateway.wire.sse import MAX_EVENT

TELLING = re.compile(rb'["\\{}]')
"""The bytes that decide where an object ends."""


@dataclass(slots=True)
class Objects:
    """Feeds on bytes cut anywhere. Raises OverflowError for an object of more than `MAX_EVENT` bytes."""

    rest: bytes = b""
    at: int = 0
    depth: int = 0
    start: int = 0
    quoted: bool = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The objects that are whole by now."""
        self.rest += piece
        while found := TELLING.search(self.rest, self.at):
            mark = found.group()
            if mark == b"\\" and self.quoted:
                if found.end() == len(self.rest):
                    self.at = found.start()
                    break
                self.at = found.end() + 1
                continue
            self.at = found.end()
            if mark == b'"':
                self.quoted = not self.quoted
            elif mark == b"{" and not self.quoted:
                if self.depth == 0:
                    self.start = found.start()
                self.depth += 1
            elif mark == b"}" and not self.quoted and self.depth:
                self.depth -= 1
                if self.depth == 0:
                    yield self.rest[self.start : self.at]
                    self.rest, self.at, self.start = self.rest[self.at :], 0, 0
        else:
            self.at = len(self.rest)
        if len(self.rest) > MAX_EVENT:
            raise OverflowError
