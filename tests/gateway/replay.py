"""Plays recorded exchanges with real vendors (VCR cassettes) over real HTTP, and remembers what it was asked.

    async with Replay() as replay:
        replay.play(exchange)                          # or several; each is answered in turn, the last again and again
        provider = make("", deployment_at(replay.url))
        ...
        assert replay.got[-1].json == exchange.sent

`exchanges(folder)` reads every cassette below a folder. A request is answered by the next exchange that has its method
and path (host and query do not matter, nor how the path is escaped); anything else gets 404. `cut` says into how many
bytes the answer is cut, so that a test can break it anywhere. `script` answers instead, where a test writes its own
vendor: `replay.script = lambda got: answering({...})`.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import orjson
import yaml

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
HOP = {"connection", "content-length", "transfer-encoding", "keep-alive", "date", "server"}
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One recorded request and its answer. `body` and `answer` are the bytes on the wire, unpacked."""

    cassette: str
    number: int
    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int
    answer_headers: dict[str, str] = field(repr=False)
    answer: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return f"{self.cassette}:{self.number}"

    @property
    def path(self) -> str:
        """Path and query, as recorded."""
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def sent(self) -> Any:
        """The recorded request's JSON; a new copy each time."""
        return orjson.loads(self.body) if self.body else None

    @property
    def answered(self) -> Any:
        """The recorded answer's JSON; a new copy each time."""
        return orjson.loads(self.answer) if self.answer else None

    @property
    def kind(self) -> str:
        """The content type of the answer, without parameters."""
        return self.answer_headers.get("content-type", "").partition(";")[0].strip()

    @property
    def streamed(self) -> bool:
        return self.kind in {"text/event-stream", "application/vnd.amazon.eventstream"}


@dataclass(frozen=True, slots=True)
class Got:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body) if self.body else None


@dataclass(slots=True)
class Replay:
    """The server; `url` has no path. `cut`: bytes in each piece of an answer, 0 for all at once."""

    cut: int = 0
    script: Callable[[Got], Exchange] | None = None
    got: list[Got] = field(default_factory=list)
    _left: list[Exchange] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _serving: dict[asyncio.StreamWriter, asyncio.Task[None]] = field(default_factory=dict)

    def play(self, *exchanges: Exchange) -> None:
        """What will be answered from now on; what it got before is forgotten."""
        self._left = list(exchanges)
        self.got.clear()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._serving:
            writer.close()
        await asyncio.gather(*self._serving.values(), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving[writer] = task
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *lines = head.strip().split("\r\n")
                method, path, _ = line.split(" ")
                headers = {name.lower(): value.strip() for name, _, value in (it.partition(":") for it in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.got.append(Got(method, path, headers, body))
                exchange = self.script(self.got[-1]) if self.script else self._next(method, path)
                await self._answer(writer, exchange, f"{method} {path}")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._serving.pop(writer)
            writer.close()

    def _next(self, method: str, path: str) -> Exchange | None:
        fitting = [it for it in self._left if (it.method, _bare(it.path)) == (method, _bare(path))]
        if len(fitting) > 1:
            self._left.remove(fitting[0])
        return fitting[0] if fitting else None

    async def _answer(self, writer: asyncio.StreamWriter, exchange: Exchange | None, asked: str) -> None:
        if exchange is None:
            exchange = answering({"error": {"message": f"nothing was recorded for {asked}"}}, 404)
        lines = [f"HTTP/1.1 {exchange.status} {REASONS.get(exchange.status, 'Status')}", "transfer-encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in exchange.answer_headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        size = self.cut or max(len(exchange.answer), 1)
        for start in range(0, len(exchange.answer), size):
            piece = exchange.answer[start : start + size]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            if self.cut:
                await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def answering(answer: Any, status: int = 200, kind: str = "application/json", **headers: str) -> Exchange:
    """An exchange that was not recorded: bytes or text as they are, anything else as JSON."""
    data = answer.encode() if isinstance(answer, str) else answer if isinstance(answer, bytes) else orjson.dumps(answer)
    given = {"content-type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Exchange("", 0, "", "", {}, b"", status, given, data)


def events(*data: Any) -> Exchange:
    """A stream of server-sent events that was not recorded."""
    return answering(b"".join(b"data: %b\n\n" % orjson.dumps(it) for it in data), kind="text/event-stream")


def _bare(path: str) -> str:
    return unquote(path.partition("?")[0])


def exchanges(folder: Path, *, host: str = "") -> Iterator[Exchange]:
    """Every recorded exchange in the cassettes below a folder, or only those with a host that contains `host`."""
    for path in sorted(folder.rglob("*.yaml")):
        recorded = yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)
        for number, it in enumerate(recorded.get("interactions") or ()):
            if "request" in it and "response" in it and host in it["request"]["uri"]:
                yield _exchange(f"{path.parent.name}/{path.stem}", number, it["request"], it["response"])


def _exchange(cassette: str, number: int, request: dict[str, Any], response: dict[str, Any]) -> Exchange:
    answer = _bytes(response)
    headers = {name: value for name, value in _headers(response).items() if name not in HOP}
    if answer[:2] == b"\x1f\x8b":
        answer = gzip.decompress(answer)
    headers.pop("content-encoding", None)
    return Exchange(
        cassette, number, request["method"], request["uri"], _headers(request), _bytes(request),
        response["status"]["code"], headers, answer,
    )  # fmt: skip


def _bytes(message: dict[str, Any]) -> bytes:
    if message.get("parsed_body") is not None:
        return orjson.dumps(message["parsed_body"])
    body = message.get("body")
    if isinstance(body, dict):
        body = body.get("string")
    return body.encode() if isinstance(body, str) else body or b""


def _headers(message: dict[str, Any]) -> dict[str, str]:
    found = {}
    for name, values in (message.get("headers") or {}).items():
        value = values[0] if isinstance(values, Sequence) and not isinstance(values, str | bytes) else values
        found[name.lower()] = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return found
