"""Reads what is asked of the door: the body within its limits, the operation, and what the headers say of the call."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from strata.errors import Invalid, TooLarge
from strata.gateway.caller import Ask, Caller
from strata.gateway.dialects.media import RAW
from strata.gateway.ids import fresh_id
from strata.gateway.wire import multipart
from strata.types import Json

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Headers = dict[bytes, bytes]

OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "count_tokens",
    "/v1/embeddings": "embeddings",
    "/v1/rerank": "rerank",
    "/v2/rerank": "rerank",
    "/rerank": "rerank",
    "/v1/images/generations": "images",
    "/v1/audio/speech": "speech",
    "/v1/audio/transcriptions": "transcriptions",
}
STREAMS = {"chat", "responses", "messages"}
PREFIXES = ("/openai", "/anthropic")
"""What clients of other gateways put before `/v1`."""

MAX_ID = 200
MAX_DEPTH = 200
"""Levels of nesting; no vendor's client makes so many."""

WRAPPED = {b"gzip": 31, b"x-gzip": 31, b"deflate": 47}
"""Ways to compress a body, with what zlib calls them; `deflate` may be either of two."""


class Gone(Exception):
    """The client hung up."""


def path_of(scope: Scope) -> str:
    """The path below whatever the door is mounted under, without a prefix of other gateways and without a last slash."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root):
        path = path[len(root) :]
    for prefix in PREFIXES:
        if path.startswith(f"{prefix}/v1/"):
            path = path[len(prefix) :]
    return path.rstrip("/") or "/"


def ask(operation: str, caller: Caller, headers: Headers, raw: bytes) -> tuple[Ask, bool]:
    """What is asked, and whether the answer is wanted as a stream. Raises `Invalid` and `TooLarge`."""
    kind = headers.get(b"content-type", b"").decode("latin-1")
    form = kind.lower().startswith("multipart/form-data")
    if form and operation != "transcriptions":
        raise Invalid("this operation takes JSON, not a form")
    if operation == "transcriptions" and not form:
        raise Invalid("a recording is sent as a form: multipart/form-data with 'file' and 'model'")
    body = multipart.fields(kind, raw) if form else parsed(raw)
    stream = _streams(body)
    if stream and operation not in STREAMS:
        raise Invalid(f"{operation} are not streamed here; leave out 'stream'", param="stream")
    given = request_id(headers, caller, raw)
    it = Ask(operation, body, given or fresh_id("req"), len(raw), not given)
    if form:
        it.form = (kind, raw)
    it.reuse = operation not in RAW and not headers.get(b"cache-control", b"").lower().startswith(b"no-")
    if operation == "messages" and (beta := headers.get(b"anthropic-beta")):
        own = body.get("betas")
        named = [name.strip() for name in beta.decode("latin-1").split(",") if name.strip()]
        body["betas"] = [*(own if isinstance(own, list) else ()), *named]
    if session := headers.get(b"x-strata-session"):
        it.session = session.decode("latin-1")[:MAX_ID]
    if classification := headers.get(b"x-strata-classification"):
        it.classification = classification.decode("latin-1")[:MAX_ID]
    if timeout := headers.get(b"x-strata-timeout"):
        it.timeout = _seconds(timeout)
    if trace := headers.get(b"traceparent"):
        it.trace = trace.decode("latin-1")[:MAX_ID]
    return it, stream


async def read(headers: Headers, receive: Receive, limit: int) -> bytes:
    """The whole body, unpacked. Raises `TooLarge` as soon as it has more bytes than the limit, packed or not."""
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
            raw = b"".join([*parts, part]) if parts else part
            break
        parts.append(part)
    packed = headers.get(b"content-encoding")
    return _unpacked(raw, packed, limit) if packed else raw


def _unpacked(raw: bytes, packed: bytes, limit: int) -> bytes:
    way = packed.strip().lower()
    if way in {b"", b"identity"}:
        return raw
    if way not in WRAPPED:
        told = way.decode("latin-1")
        raise Invalid(f"a body packed as {told!r} is not read here; send gzip, deflate or plain JSON", status=415)
    bits = WRAPPED[way]
    if way == b"deflate" and raw[:1] and raw[0] & 0x0F != 8:
        bits = -15
    unpacking = zlib.decompressobj(bits)
    try:
        data = unpacking.decompress(raw, limit + 1)
    except zlib.error as error:
        raise Invalid(f"the body is not {way.decode()}: {error}") from error
    if len(data) > limit:
        raise TooLarge(f"the request unpacks to more than {limit} bytes, which is the most allowed")
    if not unpacking.eof:
        raise Invalid(f"the body's {way.decode()} is cut off")
    return data


def parsed(raw: bytes) -> Json:
    try:
        body = orjson.loads(raw)
    except ValueError as error:
        raise Invalid(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Invalid("the body must be a JSON object")
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _too_deep(body):
        raise Invalid(f"the body is nested too deeply; at most {MAX_DEPTH} levels are allowed")
    return body


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for it in level
            for inner in (it.values() if isinstance(it, dict) else it)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _streams(body: Json) -> bool:
    stream = body.get("stream") or False
    if not isinstance(stream, bool):
        if stream in ("true", "false"):
            return bool(stream == "true")
        raise Invalid("'stream' must be true or false", param="stream")
    return stream


def _seconds(given: bytes) -> float:
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 86_400:
        raise Invalid("'x-strata-timeout' must be a number of seconds")
    return seconds


def request_id(headers: Headers, caller: Caller, raw: bytes) -> str:
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
