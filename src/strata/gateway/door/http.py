"""The door: the APIs of OpenAI and Anthropic, as plain ASGI without a framework, because every call of everybody passes here.

POST `/v1/chat/completions`, `/v1/responses`, `/v1/messages` (and `/count_tokens` below it), `/v1/embeddings`,
`/v1/rerank`, `/v1/images/generations`, `/v1/audio/speech`, `/v1/audio/transcriptions`; GET `/v1/models` and
`/v1/models/{id}`, `/healthz`, `/readyz`. `docs/reference/http-api.md` says what each takes and answers. A call is known
by its `idempotency-key`, or by its `x-request-id` together with its body: sent again, it is neither made nor charged
again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import unquote

import orjson

from strata.errors import Invalid, NotFound, StrataError
from strata.gateway.answering import Answered, Ended
from strata.gateway.caller import Ask, Caller
from strata.gateway.dialects import DIALECTS, media
from strata.gateway.door import asked
from strata.gateway.door.asked import OPERATIONS, Gone, Headers, Message, Receive, Scope
from strata.gateway.door.voices import ANTHROPIC, Pairs, Voice, error_headers, voice_of
from strata.gateway.faults import where
from strata.gateway.gateway import ModelGateway
from strata.gateway.keys import Keys
from strata.types import Json, Model

log = logging.getLogger(__name__)

Send = Callable[[Message], Awaitable[None]]

JSON = (b"content-type", b"application/json")
STREAM = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
DEFAULT = "default"
PATIENCE = 0.02
"""Seconds after which a call under way is watched for its client hanging up."""


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
        path = asked.path_of(scope)
        operation = OPERATIONS.get(path, "")
        headers: Headers = dict(scope["headers"])
        voice = voice_of(operation) if operation or b"anthropic-version" not in headers else ANTHROPIC
        try:
            if operation:
                await self._call(operation, voice, headers, scope, receive, send)
            else:
                await self._other(path, voice, headers, scope, send)
        except Gone:
            return
        except StrataError as error:
            await _refuse(send, voice, error)
        except Exception as error:
            log.error("the gateway failed at %s %.200r: %s", scope["method"], scope["path"], where(error))  # noqa: TRY400
            await _refuse(send, voice, StrataError("something went wrong in the gateway; it has been recorded"))

    async def _other(self, path: str, voice: Voice, headers: Headers, scope: Scope, send: Send) -> None:
        match path:
            case "/v1/models":
                await self._models(voice, headers, scope, send)
            case "/healthz":
                _only(scope, "GET", "HEAD")
                await _say(send, 200, {"status": "ok"})
            case "/readyz":
                _only(scope, "GET", "HEAD")
                await self.gateway.ready()
                await _say(send, 200, {"status": "ready"})
            case other if other.startswith("/v1/models/"):
                await self._models(voice, headers, scope, send, unquote(other.removeprefix("/v1/models/")))
            case other:
                raise NotFound(f"there is nothing at {other}; this door has {', '.join(OPERATIONS)}, /v1/models")

    async def _models(self, voice: Voice, headers: Headers, scope: Scope, send: Send, wanted: str = "") -> None:
        _only(scope, "GET", "HEAD")
        caller = await self._caller(headers)
        models = {model.name: model for model in await self.gateway.models(caller.principal)}
        if caller.models is not None:
            models = {name: model for name, model in models.items() if name in caller.models}
        told = _anthropic_model if voice is ANTHROPIC else _openai_model
        if wanted and wanted not in models:
            raise NotFound(f"no model called {wanted!r}; there are {sorted(models)}", param="model")
        if wanted:
            await _say(send, 200, told(models[wanted]))
            return
        listed: Json = {"object": "list", "data": [told(model) for model in models.values()]}
        if voice is ANTHROPIC:
            first, last = next(iter(models), None), next(reversed(models), None)
            listed = {"data": listed["data"], "has_more": False, "first_id": first, "last_id": last}
        await _say(send, 200, listed)

    async def _call(
        self, operation: str, voice: Voice, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        _only(scope, "POST")
        caller = await self._caller(headers)
        raw = await asked.read(headers, receive, self.gateway.options.max_body)
        ask, stream = asked.ask(operation, caller, headers, raw)
        if "model" not in ask.body and (default := self._default(operation)):
            ask.body["model"] = default
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
                await self._stream(caller, ask, voice, send)
            else:
                await _answer(send, voice, ask, await self.gateway.whole(caller, ask))
        except asyncio.CancelledError:
            if not left or main is None:
                raise
            main.uncancel()
            raise Gone from None
        except StrataError as error:
            await _refuse(send, voice, error, ask)
        finally:
            alarm.cancel()
            if watch is not None:
                watch.remove_done_callback(leave)
                watch.cancel()

    async def _stream(self, caller: Caller, ask: Ask, voice: Voice, send: Send) -> None:
        frames = voice.stream(ask.body)
        async with aclosing(self.gateway.pieces(caller, ask)) as source:
            pieces = await anext(source)
            headers = [*STREAM, *_about(ask, voice), (b"x-strata-deployment", ask.deployment.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            try:
                while not isinstance(pieces, Ended):
                    await send({"type": "http.response.body", "body": frames.pieces(pieces), "more_body": True})
                    pieces = await anext(source)
            except StrataError as error:
                await send({"type": "http.response.body", "body": frames.broken(error)})
                return
        await send({"type": "http.response.body", "body": frames.end(pieces.closing)})

    def _default(self, operation: str) -> str:
        """The model of a request that names none: the one called `default`, or the only one that can answer it."""
        names = self.gateway.router.names(DIALECTS[operation].KINDS)
        return DEFAULT if DEFAULT in names else names[0] if len(names) == 1 else ""

    async def _caller(self, headers: Headers) -> Caller:
        given = headers.get(b"authorization", b"")
        scheme, _, plain = given.partition(b" ")
        if scheme.lower() != b"bearer":
            plain = headers.get(b"x-api-key") or headers.get(b"api-key") or b""
        return await self.keys.caller(plain.strip().decode("latin-1"))


def app(gateway: ModelGateway, keys: Keys | None = None) -> Door:
    """The door of a gateway, with its own API keys unless others are given."""
    return Door(gateway, keys or gateway.keys)


def _only(scope: Scope, *methods: str) -> None:
    if scope["method"] not in methods:
        raise Invalid(f"{scope['path']} takes {' or '.join(methods)}, not {scope['method']}", status=405)


async def _hung_up(receive: Receive) -> Message:
    while (message := await receive())["type"] != "http.disconnect":
        pass
    return message


# ------------------------------------------------------------------ answers


async def _answer(send: Send, voice: Voice, ask: Ask, answer: Answered) -> None:
    kind, body = media.spoken(answer.body) if ask.operation in media.RAW else (JSON[1], orjson.dumps(answer.body))
    bill = answer.bill
    headers = [
        (JSON[0], kind),
        (b"content-length", b"%d" % len(body)),
        *_about(ask, voice),
        (b"x-strata-deployment", bill.deployment.encode()),
        (b"x-strata-cost-micros", b"%d" % bill.cost),
        (b"x-strata-currency", answer.currency.encode()),
    ]
    if answer.reused:
        headers.append((b"x-strata-cache", answer.reused.encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _about(ask: Ask, voice: Voice) -> Pairs:
    """What every answer to a call says in its headers."""
    return [(b"x-strata-request-id", ask.request.encode()), *voice.headers(ask.request), *ask.headers]


async def _say(send: Send, status: int, body: Json, headers: Pairs | None = None) -> None:
    data = orjson.dumps(body)
    all_headers = [JSON, (b"content-length", b"%d" % len(data)), *(headers or ())]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": data})


async def _refuse(send: Send, voice: Voice, error: StrataError, ask: Ask | None = None) -> None:
    headers = error_headers(error) + (_about(ask, voice) if ask else [])
    await _say(send, voice.status(error), voice.error(error, ask.request if ask else ""), headers)


def _openai_model(model: Model) -> Json:
    return {"id": model.name, "object": "model", "created": 0, "owned_by": "strata", "kind": model.kind}


def _anthropic_model(model: Model) -> Json:
    return {
        "type": "model", "id": model.name, "display_name": model.name, "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active", "deprecated_at": None, "retires_at": None, "line": None, "capabilities": None,
        "max_input_tokens": model.context or None, "max_tokens": None,
    }  # fmt: skip


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
