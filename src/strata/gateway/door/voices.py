"""How each dialect tells its callers what went well and what did not: errors, the frames of a stream, and its end.

A voice is chosen by the path that was called. https://platform.openai.com/docs/guides/error-codes,
https://docs.claude.com/en/api/errors
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

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
    Unavailable,
    Upstream,
    UpstreamRefused,
)
from strata.types import Json, now

Pairs = list[tuple[bytes, bytes]]


class Stream(Protocol):
    """Frames one streamed answer."""

    def pieces(self, pieces: list[Json]) -> bytes: ...

    def end(self, closing: list[Json]) -> bytes: ...

    def broken(self, error: StrataError) -> bytes:
        """What a stream says that has begun and cannot go on."""
        ...


class Voice(Protocol):
    def status(self, error: StrataError) -> int: ...

    def error(self, error: StrataError, request: str) -> Json: ...

    def headers(self, request: str) -> Pairs:
        """Headers that this dialect's clients look for."""
        ...

    def stream(self, body: Json) -> Stream: ...


def error_headers(error: StrataError) -> Pairs:
    """When to come back, and whether to."""
    headers: Pairs = []
    wait = _wait(error)
    if wait is not None:
        headers.append((b"retry-after", b"%d" % math.ceil(wait)))
    if isinstance(error, BudgetExhausted):
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def _wait(error: StrataError) -> float | None:
    """Seconds after which trying again makes sense."""
    if isinstance(error, BudgetExhausted) and error.more.get("resets_at"):
        resets = datetime.fromisoformat(str(error.more["resets_at"]))
        return max((resets - now()).total_seconds(), 0)
    if isinstance(error, Later | Upstream):
        return error.retry_after
    return None


# ------------------------------------------------------------------ OpenAI's

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


@dataclass(frozen=True, slots=True)
class OpenAIVoice:
    """Chat completions, and everything that has no errors of its own."""

    def status(self, error: StrataError) -> int:
        """A request that is not well formed is a 400 here, as OpenAI's clients expect."""
        return int(error.more.get("status", 400)) if isinstance(error, Invalid) else error.status

    def error(self, error: StrataError, request: str) -> Json:  # noqa: ARG002 - a promise's arguments
        kind, code = next((found for type_, found in KINDS if isinstance(error, type_)), ("server_error", error.slug))
        return {"error": {"message": error.detail, "type": kind, "param": error.more.get("param"), "code": code}}

    def headers(self, request: str) -> Pairs:
        return [(b"x-request-id", request.encode())]

    def stream(self, body: Json) -> Stream:
        options = body.get("stream_options")
        return ChatStream(isinstance(options, dict) and bool(options.get("include_usage")))


@dataclass(slots=True)
class ChatStream:
    """Events without names, and `[DONE]` at the end; the usage where the caller asked for it."""

    counted: bool

    def pieces(self, pieces: list[Json]) -> bytes:
        if len(pieces) == 1:
            return b"data: %b\n\n" % orjson.dumps(pieces[0])
        return b"".join([b"data: %b\n\n" % orjson.dumps(piece) for piece in pieces])

    def end(self, closing: list[Json]) -> bytes:
        return (self.pieces(closing) if self.counted else b"") + b"data: [DONE]\n\n"

    def broken(self, error: StrataError) -> bytes:
        return b"data: %b\n\n" % orjson.dumps(OPENAI.error(error, ""))


def _event(piece: Json) -> bytes:
    """The name of an event; a vendor cannot begin another event with it."""
    name = str(piece.get("type"))
    return name.encode() if name.isprintable() else b"unknown"


# ------------------------------------------------------------------ Responses


@dataclass(frozen=True, slots=True)
class ResponsesVoice(OpenAIVoice):
    def stream(self, body: Json) -> Stream:  # noqa: ARG002
        return ResponsesStream()


@dataclass(slots=True)
class ResponsesStream:
    """Named events, numbered without gaps, also where a guardrail added some."""

    number: int = 0
    response: Json = field(default_factory=dict)

    def pieces(self, pieces: list[Json]) -> bytes:
        if not self.response:
            self.response = next((it["response"] for it in pieces if isinstance(it.get("response"), dict)), {})
        found = []
        for piece in pieces:
            piece["sequence_number"] = self.number
            self.number += 1
            found.append(b"event: %b\ndata: %b\n\n" % (_event(piece), orjson.dumps(piece)))
        return b"".join(found)

    def end(self, closing: list[Json]) -> bytes:
        return self.pieces(closing)

    def broken(self, error: StrataError) -> bytes:
        """The error, and the response as failed, which is what most clients wait for."""
        told = OPENAI.error(error, "")["error"]
        event = {"type": "error", "code": told["code"], "message": told["message"], "param": told["param"]}
        code = "rate_limit_exceeded" if isinstance(error, RateLimited) else "server_error"
        failed = {**self.response, "status": "failed", "error": {"code": code, "message": told["message"]}}
        return self.pieces([event, {"type": "response.failed", "response": failed}])


# ------------------------------------------------------------------ Anthropic's

ANTHROPIC_KINDS: tuple[tuple[type[StrataError], tuple[int, str]], ...] = (
    (Unauthenticated, (401, "authentication_error")),
    (Forbidden, (403, "permission_error")),
    (NotFound, (404, "not_found_error")),
    (TooLarge, (413, "request_too_large")),
    (BudgetExhausted, (429, "rate_limit_error")),
    (RateLimited, (429, "rate_limit_error")),
    (Deadline, (504, "timeout_error")),
    (Unavailable, (529, "overloaded_error")),
    (Later, (529, "overloaded_error")),
    (Refused, (400, "invalid_request_error")),
    (UpstreamRefused, (400, "invalid_request_error")),
)


@dataclass(frozen=True, slots=True)
class AnthropicVoice:
    def status(self, error: StrataError) -> int:
        if isinstance(error, Conflict):
            return 409
        if isinstance(error, Invalid):
            return int(error.more.get("status", 400))
        return next((status for type_, (status, _) in ANTHROPIC_KINDS if isinstance(error, type_)), error.status)

    def error(self, error: StrataError, request: str) -> Json:
        kind = next((kind for type_, (_, kind) in ANTHROPIC_KINDS if isinstance(error, type_)), "api_error")
        return {"type": "error", "error": {"type": kind, "message": error.detail}, "request_id": request or None}

    def headers(self, request: str) -> Pairs:
        return [(b"request-id", request.encode())]

    def stream(self, body: Json) -> Stream:  # noqa: ARG002
        return MessagesStream()


@dataclass(slots=True)
class MessagesStream:
    """Named events."""

    def pieces(self, pieces: list[Json]) -> bytes:
        return b"".join([b"event: %b\ndata: %b\n\n" % (_event(piece), orjson.dumps(piece)) for piece in pieces])

    def end(self, closing: list[Json]) -> bytes:
        return self.pieces(closing)

    def broken(self, error: StrataError) -> bytes:
        return self.pieces([ANTHROPIC.error(error, "")])


OPENAI = OpenAIVoice()
ANTHROPIC = AnthropicVoice()
VOICES: dict[str, Any] = {"responses": ResponsesVoice(), "messages": ANTHROPIC, "count_tokens": ANTHROPIC}
"""The voices of operations that do not speak as chat does."""


def voice_of(operation: str) -> Voice:
    voice: Voice = VOICES.get(operation, OPENAI)
    return voice
