"""Server-sent events, out of bytes as they come. https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_EVENT = 8 * 1024 * 1024


@dataclass(slots=True)
class Events:
    """`done` once `[DONE]` was seen, OpenAI's end of a stream. Fields other than data and event are skipped.

    Raises OverflowError for an event that is larger than `MAX_EVENT`.
    """

    rest: bytes = b""
    data: list[bytes] = field(default_factory=list)
    done: bool = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of each event that is complete; no bytes at all stand for the end of the stream."""
        if not piece:
            lines, self.rest = [self.rest, b""], b""
        else:
            lines = (self.rest + piece).split(b"\n")
            self.rest = lines.pop()
        if len(self.rest) > MAX_EVENT or (self.data and sum(map(len, self.data)) > MAX_EVENT):
            raise OverflowError
        for raw in lines:
            line = raw.rstrip(b"\r")
            if line.startswith(b"data:"):
                self.data.append(line[5:].strip())
            elif not line and self.data:
                event = self.data[0] if len(self.data) == 1 else b"\n".join(self.data)
                self.data.clear()
                if event == b"[DONE]":
                    self.done = True
                    return
                if event:
                    yield event
