"""The door: OpenAI's API under `/v1`, as plain ASGI without a framework, because every call of everybody passes here.

POST `/v1/chat/completions` and `/v1/embeddings`, GET `/v1/models` and `/v1/models/{id}`, `/healthz`, `/readyz`.
Answers carry `x-strata-request-id` and `x-strata-cost-micros`; a stream tells its cost in the last piece, where the
caller asked for usage. A call is known by its `idempotency-key`, or by its `x-request-id` together with its body: sent
again, it is neither made nor charged again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote

import orjson

from strata.errors import (
    BudgetExhausted,
    Conflict,
    Deadline,
    Forbidden,
    Invalid,
    Later,
    NotFound,
    RateLimited,
    Refused,
    StrataError,
    TooLarge,
    Unauthenticated,
    Upstream,
    UpstreamRefused,
)
from strata.gateway.caller import Ask, Caller
from strata.gateway.gateway import Answered, Ended, ModelGateway
from strata.gateway.ids import fresh_id
from strata.gateway.keys import Keys
from strata.gateway.routing.headers import session_in, timeout_in
from strata.types import Json, now

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = dict[bytes, bytes]
Operation = Literal["chat", "embeddings"]

JSON = (b"content-type", b"application/json")
STREAM = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
MAX_ID = 200
PATIENCE = 0.02
"""Seconds after which a call under way is watched for its client hanging up."""


class Gone(Exception):
    """The client hung up."""


@dataclass(frozen=True, slots=True)
class Door:
    """The ASGI application. It may be mounted under another one."""

    gateway: ModelGateway
    keys: Keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        try:
            await self._route(scope, receive, send)
        except Gone:
            return
        except StrataError as error:
            await _refuse(send, error)
        except Exception:
            log.exception("the gateway failed at %s %s", scope["method"], scope["path"])
            await _refuse(send, StrataError("something went wrong in the gateway; it has been recorded"))

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        root: str = scope.get("root_path", "")
        if root and path.startswith(root):
            path = path[len(root) :]
        match path.rstrip("/") or "/":
            case "/v1/chat/completions":
                await self._call("chat", scope, receive, send)
            case "/v1/embeddings":
                await self._call("embeddings", scope, receive, send)
            case "/v1/models":
                await self._models(scope, send)
            case "/healthz":
                _only(scope, "GET", "HEAD")
                await _say(send, 200, {"status": "ok"})
            case "/readyz":
                _only(scope, "GET", "HEAD")
                await self.gateway.ready()
                await _say(send, 200, {"status": "ready"})
            case other if other.startswith("/v1/models/"):
                await self._models(scope, send, unquote(other.removeprefix("/v1/models/")))
            case other:
                raise NotFound(
                    f"there is nothing at {other}; this door has /v1/chat/completions, /v1/embeddings, /v1/models"
                )

    async def _models(self, scope: Scope, send: Send, wanted: str = "") -> None:
        _only(scope, "GET", "HEAD")
        caller = await self._caller(dict(scope["headers"]))
        models = {
            model.name: {"id": model.name, "object": "model", "created": 0, "owned_by": "strata", "kind": model.kind}
            for model in await self.gateway.models(caller.principal)
        }
        if not wanted:
            await _say(send, 200, {"object": "list", "data": list(models.values())})
        elif wanted in models:
            await _say(send, 200, models[wanted])
        else:
            raise NotFound(f"no model called {wanted!r}; there are {sorted(models)}", param="model")

    async def _call(self, operation: Operation, scope: Scope, receive: Receive, send: Send) -> None:
        _only(scope, "POST")
        headers: Headers = dict(scope["headers"])
        caller = await self._caller(headers)
        raw = await _read(headers, receive, self.gateway.options.max_body)
        body = _parsed(raw)
        stream = operation == "chat" and _streams(body)
        given = _request_id(headers, caller, raw)
        ask = Ask(
            operation,
            body,
            given or fresh_id("req"),
            len(raw),
            not given,
            session_in(headers),
            timeout=timeout_in(headers),
        )
        main, left = asyncio.current_task(), False

        def leave(watch: asyncio.Future[Message]) -> None:
            nonlocal left
            if not watch.cancelled() and watch.exception() is None and main is not None:
                left = True
                main.cancel()

        watch: asyncio.Future[Message] | None = None

        def look() -> None:
            nonlocal watch
            watch = asyncio.ensure_future(_hung_up(receive))
            watch.add_done_callback(leave)

        # A call that is over sooner needs nobody to watch whether its client hangs up.
        alarm = asyncio.get_running_loop().call_later(PATIENCE, look)
        try:
            if stream:
                await self._stream(caller, ask, send)
            else:
                await _answer(send, await self.gateway.whole(caller, ask))
        except asyncio.CancelledError:
            if not left or main is None:
                raise
            main.uncancel()
            raise Gone from None
        finally:
            alarm.cancel()
            if watch is not None:
                watch.remove_done_callback(leave)
                watch.cancel()

    async def _stream(self, caller: Caller, ask: Ask, send: Send) -> None:
        options = ask.body.get("stream_options")
        wants_usage = isinstance(options, dict) and bool(options.get("include_usage"))
        async with aclosing(self.gateway.pieces(caller, ask)) as pieces:
            chunks = await anext(pieces)
            headers = [*STREAM, (b"x-strata-request-id", ask.request.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            try:
                while not isinstance(chunks, Ended):
                    await _piece(send, b"".join([b"data: %b\n\n" % orjson.dumps(chunk) for chunk in chunks]))
                    chunks = await anext(pieces)
            except StrataError as error:
                await _piece(send, b"data: %b\n\n" % orjson.dumps(shape(error)), last=True)
                return
        usage = b"data: %b\n\n" % orjson.dumps(chunks.closing[0]) if wants_usage else b""
        await _piece(send, usage + b"data: [DONE]\n\n", last=True)

    async def _caller(self, headers: Headers) -> Caller:
        given = headers.get(b"authorization", b"")
        scheme, _, plain = given.partition(b" ")
        if scheme.lower() != b"bearer":
            plain = headers.get(b"x-api-key") or headers.get(b"api-key") or b""
        return await self.keys.caller(plain.strip().decode("latin-1"))


def app(gateway: ModelGateway, keys: Keys | None = None) -> Door:
    """The door of a gateway, with its own API keys unless others are given."""
    return Door(gateway, keys or gateway.keys)


# ------------------------------------------------------------------ requests


def _only(scope: Scope, *methods: str) -> None:
    if scope["method"] not in methods:
        raise Invalid(f"{scope['path']} takes {' or '.join(methods)}, not {scope['method']}", status=405)


async def _read(headers: Headers, receive: Receive, limit: int) -> bytes:
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge(f"the request has {int(declared)} bytes; at most {limit} are allowed")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise TooLarge(f"the request has more than {limit} bytes, which is the most allowed")
        if not message.get("more_body", False):
            return b"".join([*parts, part]) if parts else part
        parts.append(part)


def _parsed(raw: bytes) -> Json:
    try:
        body = orjson.loads(raw)
    except ValueError as error:
        raise Invalid(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Invalid("the body must be a JSON object")
    return body


def _streams(body: Json) -> bool:
    stream = body.get("stream") or False
    if not isinstance(stream, bool):
        raise Invalid("'stream' must be true or false", param="stream")
    return stream


def _request_id(headers: Headers, caller: Caller, raw: bytes) -> str:
    """The id under which the caller knows the call; empty when it gave none."""
    key, traced = headers.get(b"idempotency-key"), headers.get(b"x-request-id")
    given = key or traced
    if not given:
        return ""
    name = given.decode("latin-1")
    if len(name) > MAX_ID or not name.isascii() or not name.isprintable():
        raise Invalid(f"a request id is at most {MAX_ID} printable ASCII characters")
    if key:
        return f"{caller.name}:{name}"
    return f"{caller.name}:{name}.{hashlib.sha256(raw).hexdigest()[:16]}"


async def _hung_up(receive: Receive) -> Message:
    while (message := await receive())["type"] != "http.disconnect":
        pass
    return message


# ------------------------------------------------------------------ answers


async def _answer(send: Send, answer: Answered) -> None:
    body = orjson.dumps(answer.body)
    headers = [
        JSON,
        (b"content-length", b"%d" % len(body)),
        (b"x-strata-request-id", answer.request.encode()),
        (b"x-strata-cost-micros", b"%d" % answer.bill.cost),
        (b"x-strata-currency", answer.currency.encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _say(send: Send, status: int, body: Json, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    data = orjson.dumps(body)
    all_headers = [JSON, (b"content-length", b"%d" % len(data)), *(headers or ())]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": data})


async def _piece(send: Send, data: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": not last})


async def _refuse(send: Send, error: StrataError) -> None:
    headers: list[tuple[bytes, bytes]] = []
    wait = _wait(error)
    if wait is not None:
        headers.append((b"retry-after", b"%d" % math.ceil(wait)))
    if isinstance(error, BudgetExhausted):
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    await _say(send, status_of(error), shape(error), headers)


def _wait(error: StrataError) -> float | None:
    """Seconds after which trying again makes sense."""
    if isinstance(error, BudgetExhausted) and error.more.get("resets_at"):
        resets = datetime.fromisoformat(str(error.more["resets_at"]))
        return max((resets - now()).total_seconds(), 0)
    if isinstance(error, Later | Upstream):
        return error.retry_after
    return None


def status_of(error: StrataError) -> int:
    """The status under `/v1`, where a request that is not well formed is a 400, as OpenAI's clients expect."""
    if isinstance(error, Invalid):
        return int(error.more.get("status", 400))
    return error.status


def shape(error: StrataError) -> Json:
    """The error as OpenAI's clients read it."""
    kind, code = next((found for type_, found in KINDS if isinstance(error, type_)), ("server_error", error.slug))
    return {"error": {"message": error.detail, "type": kind, "param": error.more.get("param"), "code": code}}


KINDS: tuple[tuple[type[StrataError], tuple[str, str]], ...] = (
    (Unauthenticated, ("authentication_error", "invalid_api_key")),
    (Forbidden, ("permission_error", "permission_denied")),
    (NotFound, ("invalid_request_error", "model_not_found")),
    (TooLarge, ("invalid_request_error", "request_too_large")),
    (Conflict, ("invalid_request_error", "request_id_in_use")),
    (BudgetExhausted, ("insufficient_quota", "budget_exhausted")),
    (Refused, ("invalid_request_error", "invalid_request")),
    (RateLimited, ("rate_limit_error", "rate_limit_exceeded")),
    (Deadline, ("server_error", "deadline")),
    (Later, ("server_error", "unavailable")),
    (UpstreamRefused, ("invalid_request_error", "upstream_refused")),
    (Upstream, ("upstream_error", "upstream_broken")),
)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
