"""A model vendor to test against: it speaks OpenAI's dialects and Anthropic's over real HTTP, answers at once, and
misbehaves on demand.

What it does is written in the model's name, after `mock` and separated by `;`:

    mock                      answers "This is the mock's answer." with 12 prompt and 8 completion tokens
    mock;chunks=8             streams in 8 pieces
    mock;first=0.5;delay=0.1  waits before the first piece, and before each next one
    mock;fail=429;retry=3     answers with this status, and Retry-After
    mock;fail=500;times=2     fails only the first two times, then answers
    mock;hang                 takes the request and never answers
    mock;garbage              answers with something that is not JSON; in a stream, after the first piece
    mock;drop=3               breaks the connection after 3 pieces (0: without any answer)
    mock;reset                resets the connection (RST) without any answer
    mock;every=3;fail=500     does so only every third time, and answers otherwise
    mock;error=2              sends an error event after 2 pieces
    mock;silent=2             sends 2 pieces, then nothing more
    mock;role                 opens a stream with a piece that says nothing but the role
    mock;long=8               refuses a request as too long for a context of 8 tokens
    mock;nousage              does not count tokens
    mock;cached=5;reasoning=3 reports cached prompt tokens and reasoning tokens
    mock;tools                calls a tool, its arguments in pieces; mock;tools=2 calls two
    mock;think                thinks aloud before it answers, where the dialect has thoughts
    mock;cut                  ends because of the limit
    mock;huge=1000000         answers with so many characters
    mock;html                 answers 200 with a web page
    mock;size=16              makes embeddings of 16 dimensions

A schema for the answer is answered with JSON that satisfies it, and a tool that must be called with a call of it.
`requests` tells what arrived and how each ended: `whole`, `client-gone`, `dropped`. Run it with
`python -m strata.testing.vendor --port 9000`; `GET /mock/requests` shows the list.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import socket
import struct
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self, cast

import httptools
import orjson

from strata.testing import vendor_dialects as dialects

Json = dict[str, Any]
ANSWER = dialects.ANSWER
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(slots=True)
class Received:
    """A request that arrived, and how it ended."""

    path: str
    headers: dict[str, str]
    body: Json
    ended: str = "under way"
    pieces: int = 0
    status: int = 0


@dataclass(slots=True)
class MockVendor:
    """The server. `port` is known once it has been started."""

    requests: deque[Received] = field(default_factory=lambda: deque(maxlen=10_000))
    seen: Counter[str] = field(default_factory=Counter)
    turns: Counter[str] = field(default_factory=Counter)
    port: int = 0
    _server: asyncio.Server | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self, port: int = 0) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *error: object) -> None:
        await self.close()


class Connection(asyncio.Protocol):
    """One client's connection; requests on it are answered one after the other."""

    def __init__(self, vendor: MockVendor) -> None:
        self.vendor = vendor
        self.parser = httptools.HttpRequestParser(self)
        self.transport: asyncio.Transport
        self.url = b""
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.task: asyncio.Task[None] | None = None
        self.current: Received | None = None

    # -------------------------------------------------------------- what asyncio and the parser call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.task is not None:
            self.task.cancel()
        if self.current is not None and self.current.ended == "under way":
            self.current.ended = "client-gone"

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_begin(self) -> None:
        self.url, self.headers, self.parts = b"", {}, []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        raw = b"".join(self.parts)
        form = "multipart" in self.headers.get("content-type", "")
        body = {"form": raw.decode("latin-1")} if form else orjson.loads(raw) if raw else {}
        received = Received(self.url.decode(), self.headers, body)
        if received.path.startswith("/mock/"):
            self._whole(200, [_shown(it) for it in self.vendor.requests])
            return
        self.vendor.requests.append(received)
        self.current = received
        script = self._turn(str(body.get("model", "mock")))
        if {"first", "delay", "hang", "silent"} & script.keys():
            self.task = asyncio.get_running_loop().create_task(self._slowly(received, script))
            return
        for _ in self._play(received, script):
            pass

    # -------------------------------------------------------------- answers

    def _turn(self, model: str) -> Json:
        """What this request's script says; nothing special where it is not its turn."""
        script = parse(model)
        if "every" not in script:
            return script
        self.vendor.turns[model] += 1
        return script if self.vendor.turns[model] % script["every"] == 0 else {}

    async def _slowly(self, received: Received, script: Json) -> None:
        await asyncio.sleep(float(script.get("first", 0)))
        if "hang" in script:
            await asyncio.Event().wait()
        for pieces in self._play(received, script):
            if pieces == script.get("silent"):
                await asyncio.Event().wait()
            await asyncio.sleep(float(script.get("delay", 0)))

    def _play(self, received: Received, script: Json) -> Iterator[int]:
        """Write the answer; yields how many pieces are out, so that a script may wait between them."""
        if self._fails(received, script):
            return
        path, body = received.path.partition("?")[0], received.body
        if path.endswith("/embeddings"):
            answer = embeddings(body, script)
            self._whole(400 if "error" in answer else 200, answer)
        elif path.endswith("/audio/speech"):
            self._send(200, b"ID3" + str(body.get("input")).encode(), {"content-type": "audio/mpeg"})
        elif (whole := WHOLE.get(path.rpartition("/v1")[2])) is not None:
            self._whole(200, whole(body))
        elif path.endswith(("/messages", "/responses")):
            yield from self._named(received, script, path.rpartition("/")[2])
        elif not received.body.get("stream"):
            self._whole(200, completion(received.body, script))
        else:
            yield from self._stream(received, script)

    def _fails(self, received: Received, script: Json) -> bool:
        model = str(received.body.get("model"))
        self.vendor.seen[model] += 1
        status = script.get("fail")
        if status is not None and self.vendor.seen[model] <= script.get("times", sys.maxsize):
            error = {"error": {"message": f"the mock fails with {status}", "type": "mock", "code": None}}
            more = {"retry-after": script["retry"]} if "retry" in script else {}
            self._whole(int(status), error, more)
        elif "long" in script:
            told = f"This model's maximum context length is {script['long']} tokens."
            self._whole(400, {"error": {"message": told, "type": "invalid_request_error"}})
        elif script.get("drop") == 0:
            self._drop(received)
        elif "reset" in script:
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            received.ended = "dropped"
            self.transport.abort()
        elif "html" in script:
            self._send(200, b"<html>not an API</html>", {"content-type": "text/html"})
        elif "garbage" in script and not received.body.get("stream"):
            self._send(200, b'{"choices": [', {"content-type": "application/json"})
        else:
            return False
        return True

    def _stream(self, received: Received, script: Json) -> Iterator[int]:
        write = self.transport.write
        received.status = 200
        write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        asked = (received.body.get("stream_options") or {}).get("include_usage")
        for piece in pieces(received.body, script, counted=bool(asked)):
            write(_chunked(b"data: %b\n\n" % orjson.dumps(piece)))
            received.pieces += 1
            if received.pieces == script.get("drop"):
                self._drop(received)
                return
            if received.pieces == script.get("error"):
                write(_chunked(b'data: {"error": {"message": "the mock stumbles", "code": 500}}\n\n'))
                break
            if "garbage" in script:
                write(_chunked(b"data: {not json\n\n"))
                break
            yield received.pieces
        else:
            write(_chunked(b"data: [DONE]\n\n"))
        write(b"0\r\n\r\n")
        received.ended = "whole"

    def _named(self, received: Received, script: Json, dialect: str) -> Iterator[int]:
        """Messages and Responses, whole or as named events."""
        body = received.body
        if not body.get("stream"):
            make = dialects.message if dialect == "messages" else dialects.response
            self._whole(200, make(body, script, orjson.dumps))
            return
        write = self.transport.write
        received.status = 200
        write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        events = dialects.message_events if dialect == "messages" else dialects.response_events
        for event in events(body, script, orjson.dumps):
            write(_chunked(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))))
            received.pieces += 1
            if received.pieces == script.get("drop"):
                self._drop(received)
                return
            if received.pieces == script.get("error"):
                told = {"type": "error", "error": {"type": "overloaded_error", "message": "the mock stumbles"}}
                write(_chunked(b"event: error\ndata: %b\n\n" % orjson.dumps(told)))
                break
            yield received.pieces
        write(b"0\r\n\r\n")
        received.ended = "whole"

    def _whole(self, status: int, value: Any, headers: Json | None = None) -> None:
        self._send(status, orjson.dumps(value), {"content-type": "application/json", **(headers or {})})

    def _send(self, status: int, data: bytes, headers: Json) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}\r\n{lines}content-length: {len(data)}\r\n\r\n"
        self.transport.write(head.encode() + data)
        if self.current is not None:
            self.current.ended, self.current.status = "whole", status

    def _drop(self, received: Received) -> None:
        received.ended = "dropped"
        self.transport.close()


def parse(model: str) -> Json:
    """The script in a model's name."""
    script: Json = {}
    for part in model.split(";")[1:]:
        name, _, value = part.partition("=")
        script[name] = True if not value else float(value) if "." in value else int(value)
    return script


def answer_text(script: Json) -> str:
    return "x" * int(script["huge"]) if "huge" in script else ANSWER


def usage(script: Json) -> Json:
    prompt, completion = int(script.get("prompt", 12)), int(script.get("completion", 8))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": int(script.get("cached", 0))},
        "completion_tokens_details": {"reasoning_tokens": int(script.get("reasoning", 0))},
    }


def said(body: Json, script: Json) -> str:
    """The text of a chat's answer: JSON where a schema is asked for."""
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        return orjson.dumps(dialects.example(form["json_schema"].get("schema"))).decode()
    return "{}" if form.get("type") == "json_object" else answer_text(script)


def called(body: Json, script: Json) -> list[Json]:
    """The calls of tools in a chat's answer."""
    functions = [tool.get("function") or {} for tool in body.get("tools") or () if isinstance(tool, dict)]
    choice = body.get("tool_choice")
    wanted = choice["function"].get("name") if isinstance(choice, dict) and "function" in choice else None
    tools = [(it.get("name"), it.get("parameters")) for it in functions if wanted in (None, it.get("name"))]
    forced = bool(tools) and (choice == "required" or wanted is not None)
    messages = body.get("messages") or [{}]
    answered = isinstance(messages[-1], dict) and messages[-1].get("role") == "tool"
    return [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": orjson.dumps(arguments).decode()}}
        for id_, name, arguments in dialects.calls(script, tools, forced=forced, answered=answered)
    ]


def completion(body: Json, script: Json) -> Json:
    """A whole answer."""
    message: Json = {"role": "assistant", "content": said(body, script), "refusal": None}
    finish = "length" if "cut" in script else "stop"
    if made := called(body, script):
        message, finish = {**message, "content": None, "tool_calls": made}, "tool_calls"
    elif "think" in script:
        message["reasoning_content"] = "Hm, a question."
    answer = {
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": body.get("model"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
    }
    return answer if "nousage" in script else {**answer, "usage": usage(script)}


def pieces(body: Json, script: Json, *, counted: bool) -> Iterator[Json]:
    """The pieces of a streamed answer, the one with the usage last."""
    base = {
        "id": "chatcmpl-mock",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": body.get("model"),
    }

    def piece(delta: Json, finish: str | None = None) -> Json:
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    finish = "length" if "cut" in script else "stop"
    if made := called(body, script):
        for index, call in enumerate(made):
            start = {"index": index, **call, "function": {**call["function"], "arguments": ""}}
            yield piece({"role": "assistant", "content": None, "tool_calls": [start]})
            for part in dialects.cut(call["function"]["arguments"], 2):
                yield piece({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
        finish = "tool_calls"
    else:
        if "think" in script:
            yield piece({"role": "assistant", "reasoning_content": "Hm, a question."})
        text = said(body, script)
        if "role" in script:
            yield piece({"role": "assistant", "content": ""})
        count = min(int(script.get("chunks", 4)), len(text))
        cuts = [len(text) * number // count for number in range(count + 1)]
        for number, (start_, end) in enumerate(pairwise(cuts)):
            yield piece(({"role": "assistant"} if not number else {}) | {"content": text[start_:end]})
    yield piece({}, finish)
    if counted and "nousage" not in script:
        yield {**base, "choices": [], "usage": usage(script)}


def embeddings(body: Json, script: Json) -> Json:
    """Vectors that depend on the length of each text only."""
    texts = body.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not all(isinstance(text, str | list | int) for text in texts):
        return {"error": {"message": "'input' must be a text or a list of texts", "type": "mock", "code": None}}
    size = int(script.get("size", 8))
    rows = []
    for index, text in enumerate(texts):
        vector = [float(len(str(text)) % (place + 2)) for place in range(size)]
        packed = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        value = packed if body.get("encoding_format") == "base64" else vector
        rows.append({"object": "embedding", "index": index, "embedding": value})
    count = {"prompt_tokens": 4 * len(texts), "total_tokens": 4 * len(texts)}
    return {"object": "list", "model": body.get("model"), "data": rows, "usage": count}


WHOLE: dict[str, Callable[[Json], Json]] = {
    "/rerank": dialects.order,
    "/images/generations": dialects.pictures,
    "/audio/transcriptions": lambda body: {"text": f"a form of {len(body['form'])} bytes"},
    "/messages/count_tokens": lambda body: {"input_tokens": 12 * len(body["messages"])},
}
"""What is answered as a whole, by the path."""


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _shown(received: Received) -> Json:
    return {
        "path": received.path,
        "body": received.body,
        "ended": received.ended,
        "status": received.status,
        "pieces": received.pieces,
    }


async def _serve(port: int) -> None:
    vendor = await MockVendor().start(port)
    print(f"mock vendor on {vendor.base_url}", flush=True)  # noqa: T201
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A mock model vendor in OpenAI's dialect")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    try:
        import uvloop

        uvloop.run(_serve(arguments.port))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
