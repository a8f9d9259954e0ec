"""Server-sent events, out of bytes as they come. https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_EVENT = 8 * 1024 * 1024


@dataclass(slots=True)
class Events:
    """`done` once `[DONE]` was seen, OpenAI's end of a stream. Fields other than data are skipped.

    Raises OverflowError for an event that is larger than `MAX_EVENT`.
    """

    rest: bytes = b""
    done: bool = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of each event that is complete; no bytes at all stand for the end of the stream."""
        block = self.rest + piece if self.rest else piece
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        events = block.split(b"\n\n")
        self.rest = events.pop()
        if not piece:
            events.append(self.rest)
            self.rest = b""
        if len(self.rest) > MAX_EVENT:
            raise OverflowError
        for event in events:
            data = event[5:].strip() if event[:5] == b"data:" and b"\n" not in event else _data(event)
            if data == b"[DONE]":
                self.done = True
                return
            if data:
                yield data


def _data(event: bytes) -> bytes:
    """The data of an event of several lines."""
    return b"\n".join([line[5:].strip() for line in event.split(b"\n") if line[:5] == b"data:"])
