"""One HTTP/1.1 connection to a vendor, and the pool of those that are open. Lean, because every call passes here.

The parser is `httptools` (llhttp), the transport the event loop's own. An answer is read whole or piece by piece, with
back-pressure: a vendor that sends faster than the caller reads is made to wait. Redirects are not followed, cookies not
kept, proxies not used.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import cast
from urllib.parse import urlsplit

import httptools

HIGH_WATER = 256 * 1024
"""Bytes of an answer that may wait to be read before the vendor is made to wait."""

KEPT = 15.0
"""Seconds for which an idle connection is used again: less than servers commonly keep theirs."""

CONNECT = 10.0
"""Seconds to connect, handshake included."""

MAX_HEADERS = 64 * 1024
MAX_UNPACKED = 16 * 1024 * 1024
"""Bytes that one piece of a compressed body may unpack to: sixty times what comes at once, and more than JSON does."""


class Broken(Exception):
    """The connection ended, or carried something that is not HTTP, before the answer was whole."""


class Expired(Broken):
    """The answer, or its next piece, was not there when it was due."""


class TooMuch(Exception):
    """The answer has more bytes than allowed."""


class Connection(asyncio.Protocol):
    """Carries one exchange at a time: `send`, then `head`, then `read` until it returns nothing. What is not there when
    it is `due`, a moment of the loop's clock that may be moved, ends the connection with `Expired`.
    """

    __slots__ = (
        "_alarm", "_body", "_busy", "_decoder", "_done", "_due", "_error", "_head", "_header_bytes", "_idle_since",
        "_loop", "_parser", "_paused", "_reusable", "_size", "_transport", "_waiter", "headers", "status",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._idle_since = 0.0
        self._due = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._begin()
        self._busy = False

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._size = 0
        self._header_bytes = 0
        self._head = False
        self._done = False
        self._busy = True
        self._paused = False
        self._reusable = False
        self._decoder: zlib._Decompress | None = None
        self.status = 0
        self.headers: dict[bytes, bytes] = {}

    # -------------------------------------------------------------- the caller's side

    def send(self, request: bytes, due: float) -> None:
        """Begin an exchange whose answer is due at a moment of the loop's clock."""
        self._begin()
        self.due(due)
        if self._transport is None or self._error is not None:
            raise Broken("the connection is closed")
        self._transport.write(request)

    def due(self, at: float) -> None:
        """Move the moment by which something has to come. One alarm stays over many exchanges and looks up when the
        moment is, so that moving it costs nothing.
        """
        self._due = at
        if self._alarm is None:
            self._alarm = self._loop.call_at(at, self._look)
        elif self._alarm.when() > at:
            self._alarm.cancel()
            self._alarm = self._loop.call_at(at, self._look)

    async def head(self) -> None:
        """Wait until `status` and `headers` are there. Raises `Broken`."""
        while not self._head:
            await self._wait()

    async def read(self) -> bytes:
        """What has come of the body, at least a byte; nothing at its end. Raises `Broken`."""
        while not self._body:
            if self._done:
                return b""
            await self._wait()
        data = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._size = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def whole(self, limit: int) -> bytes:
        """The rest of the body. Raises `TooMuch` past `limit` bytes, `Broken`."""
        if self._done and self._size <= limit:
            return await self.read()
        parts, size = [], 0
        while data := await self.read():
            size += len(data)
            if size > limit:
                raise TooMuch
            parts.append(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    @property
    def done(self) -> bool:
        """Whether the answer has come whole."""
        return self._done

    @property
    def usable(self) -> bool:
        """Whether another exchange may begin."""
        return self._error is None and self._transport is not None and not self._transport.is_closing()

    def rested(self) -> bool:
        """Whether the exchange ended so that the connection can be kept; notes since when it is idle."""
        if not (self._done and self._reusable and self.usable) or self._body:
            return False
        self._busy = False
        self._idle_since = time.monotonic()
        return True

    def stale(self, at: float) -> bool:
        return at - self._idle_since > KEPT or not self.usable

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._transport is not None:
            self._transport.abort()

    def _look(self) -> None:
        self._alarm = None
        if not self._busy or self._error is not None:
            return
        if self._loop.time() < self._due:
            self._alarm = self._loop.call_at(self._due, self._look)
        elif not self._done:
            self._error = Expired("it did not come in time")
            self.close()
            self._wake()

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            if self._error is not None and not self._done:
                waiter.set_exception(self._error)
            else:
                waiter.set_result(None)

    def _fail(self, reason: str) -> None:
        if self._error is None:
            self._error = Broken(reason)
        self.close()
        self._wake()

    # -------------------------------------------------------------- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._done or self._error is not None:
            self._fail("the vendor sent something after its answer")
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserCallbackError, httptools.HttpParserUpgrade):
            self._fail(
                "the vendor sent something after its answer" if self._done else "what the vendor sent is not HTTP"
            )
            return
        if not self._head:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADERS:
                self._fail("the headers of the answer are too long")
                return
        if self._size > HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._head and not self._done and exc is None and self._until_close():
            self._done = True
        elif self._error is None:
            self._error = Broken(type(exc).__name__ if exc is not None else "the vendor hung up")
        self._wake()

    def _until_close(self) -> bool:
        return b"content-length" not in self.headers and b"transfer-encoding" not in self.headers

    # -------------------------------------------------------------- the parser's side

    def on_message_begin(self) -> None:
        if self._done:
            raise Broken  # nobody asked: whoever used the connection next would take it for their answer

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:
            return
        self._head = True
        if self.headers.get(b"content-encoding", b"identity").lower() in {b"gzip", b"deflate", b"x-gzip"}:
            self._decoder = zlib.decompressobj(47)

    def on_body(self, data: bytes) -> None:
        if self._decoder is not None:
            if self._decoder.eof:
                return
            data = self._decoder.decompress(data, MAX_UNPACKED)
            if self._decoder.unconsumed_tail:
                raise TooMuch
        if data:
            self._body.append(data)
            self._size += len(data)

    def on_message_complete(self) -> None:
        if self.status < 200:
            self.headers.clear()
            return
        self._reusable = self._parser.should_keep_alive()
        self._done = True


@cache
def _trust() -> ssl.SSLContext:
    """The machine's certificate authorities, read once for all vendors."""
    return ssl.create_default_context()


@dataclass(slots=True)
class Host:
    """Where a vendor is, with the connections to it that are idle."""

    url: str
    _idle: list[Connection] = field(default_factory=list, repr=False)
    _tls: ssl.SSLContext | None = field(default=None, repr=False)
    _name: str = ""
    _port: int = 0
    authority: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self._name, self.path = parts.hostname or "", parts.path.rstrip("/")
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self.authority = parts.netloc.rpartition("@")[2]
        if parts.scheme == "https":
            self._tls = _trust()

    async def open(self) -> Connection:
        """A connection for one exchange: an idle one, else a new one. Raises OSError (TimeoutError among them)."""
        at = time.monotonic()
        while self._idle:
            connection = self._idle.pop()
            if not connection.stale(at):
                return connection
            connection.close()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT):
            _, fresh = await loop.create_connection(
                lambda: Connection(loop), self._name, self._port, ssl=self._tls,
                server_hostname=self._name if self._tls else None,
            )  # fmt: skip
        return fresh

    def back(self, connection: Connection) -> None:
        """The exchange is over: keep the connection if it can be used again, else close it."""
        if connection.rested():
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def head(self, method: str, path: str, headers: Iterable[tuple[str, str]]) -> bytes:
        """The head of a request up to the number of its length. Raises ValueError for a header or path that would
        break out of its line.
        """
        lines = [f"{method} {self.path}{path} HTTP/1.1", f"host: {self.authority}"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines.append("content-length: ")
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
            raise ValueError("a header or path with a line break")
        return head.encode("latin-1")
