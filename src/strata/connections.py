"""A client's connection: uvicorn's, with limits for those who are not known yet, and one write for what is said at once."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes of a request's first line and headers; what comes at once may be up to four times that."""
PATIENCE = 30.0
"""Seconds for them to come."""
UNREAD = 60.0
"""Seconds for which an answer may wait for its reader."""
TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Corked:
    """A transport that writes once for everything that is written in the same turn of the loop: head and body of an
    answer are one packet and one call of the system instead of two.
    """

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
            self._held.clear()
            if not self._transport.is_closing():
                self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connection(HttpToolsProtocol):
    """A client's connection. Nobody gets more than `MAX_HEAD` bytes and `PATIENCE` seconds to say what they want, because
    nobody knows yet who they are; nor longer than that between two pieces of what they send. Who
    does not take more of an answer for `UNREAD` seconds gives up their place.
    """

    _alarm: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _head = 0
    _in_head = _in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", Corked(cast("asyncio.Transport", transport), self.loop)))
        self._alarm = self.loop.call_later(PATIENCE, self._enough)

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        self._taken()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_body:
            self._calm()
        elif self._in_head or self.cycle is None or self.cycle.response_complete:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self._enough()
                return
        else:
            return
        if self._alarm is None:
            self._alarm = self.loop.call_later(PATIENCE, self._enough)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD, self.transport.abort)

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body, self._head = False, True, 0
        self._calm()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        self._calm()
        super().on_message_complete()

    def _calm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _taken(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _enough(self) -> None:
        self._calm()
        if not self.transport.is_closing():
            if self._head > MAX_HEAD and (self.cycle is None or self.cycle.response_complete):
                self.transport.write(TOO_LONG)
            self.transport.close()
