"""AWS's event streams, out of bytes as they come: framed messages, each with headers, a payload and two checksums.

https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html (the format is one for all services)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from zlib import crc32

PRELUDE = 12
"""Bytes: the length of all, the length of the headers, the checksum of both."""

MAX_MESSAGE = 24 * 1024 * 1024
MAX_HEADERS = 128 * 1024

WIDTHS = {2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}


class Garbled(ValueError):
    """The bytes are no event stream, or were changed on the way. Nothing after them can be trusted."""


@dataclass(frozen=True, slots=True)
class Message:
    """`headers` such as `:message-type`, `:event-type`, `:exception-type`."""

    headers: dict[str, object]
    payload: bytes

    @property
    def kind(self) -> str:
        """`event`, `exception` or `error`."""
        return str(self.headers.get(":message-type", "event"))

    @property
    def name(self) -> str:
        """What event, exception or error it is."""
        for header in (":event-type", ":exception-type", ":error-code"):
            if header in self.headers:
                return str(self.headers[header])
        return ""


@dataclass(slots=True)
class Frames:
    """Cuts bytes into messages, wherever they were cut on the way. `rest` is what has come of the next one."""

    rest: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete with these bytes. Raises `Garbled`."""
        self.rest += data
        while len(self.rest) >= PRELUDE:
            total, headers, checksum = struct.unpack_from(">III", self.rest)
            if crc32(memoryview(self.rest)[:8]) != checksum:
                raise Garbled("the checksum of a message's length is wrong")
            if not PRELUDE + headers + 4 <= total <= MAX_MESSAGE or headers > MAX_HEADERS:
                raise Garbled(f"a message of {total} bytes with {headers} bytes of headers cannot be")
            if len(self.rest) < total:
                return
            frame = bytes(self.rest[:total])
            del self.rest[:total]
            if crc32(memoryview(frame)[:-4]) != int.from_bytes(frame[-4:]):
                raise Garbled("the checksum of a message is wrong")
            end = PRELUDE + headers
            yield Message(dict(_headers(frame[PRELUDE:end])), frame[end:-4])


def _headers(data: bytes) -> Iterator[tuple[str, object]]:
    at = 0
    try:
        while at < len(data):
            end = at + 1 + data[at]
            name, kind = data[at + 1 : end].decode(), data[end]
            value, at = _value(kind, data, end + 1)
            yield name, value
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise Garbled("the headers of a message cannot be read") from error


def _value(kind: int, data: bytes, at: int) -> tuple[object, int]:
    if kind in {0, 1}:
        return kind == 0, at
    if kind in WIDTHS:
        return struct.unpack_from(WIDTHS[kind], data, at)[0], at + struct.calcsize(WIDTHS[kind])
    if kind in {6, 7}:
        end = at + 2 + struct.unpack_from(">H", data, at)[0]
        raw = data[at + 2 : end]
    elif kind == 9:
        end, raw = at + 16, data[at : at + 16]
    else:
        raise Garbled(f"a header of the unknown type {kind}")
    if end > len(data):
        raise Garbled("a header is longer than the headers are")
    return (raw.decode() if kind == 7 else raw), end
