"""The gate before every route: who is asking, whether our own page asks, how much it sends; and what every answer bears.

It is plain ASGI and stands before the routing, so a route that is added is closed until it is listed as open.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

from strata.app.signin import SignIn
from strata.errors import Forbidden, Later, StrataError, TooLarge
from strata.types import new_id

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "strata_session"
OPEN = frozenset({("POST", "/api/sign-in"), ("GET", "/api/openapi.json"), ("GET", "/healthz")})
"""The routes that need nobody signed in; besides them only the web application's own files, outside /api."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_JSON = 1024 * 1024
MULTIPART_ROOM = 64 * 1024
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=()"),
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gate:
    """Wraps the routes. Sets `state.person`, `state.cookie` and `state.request_id` for those that follow."""

    app: Asgi
    door: SignIn
    max_upload: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = new_id("req")
        started = False

        async def bearing(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _with_headers(message.get("headers", []), request, api=_api(scope["path"]))
            await send(message)

        try:
            state = scope.setdefault("state", {})
            state["request_id"] = request
            state["cookie"] = _cookie(scope)
            state["person"] = await self._admit(scope, state["cookie"])
            limited = _limited(receive, self._limit(scope), _length(scope))
            await self.app(scope, limited, bearing)
        except StrataError as error:
            if started:
                raise
            await _tell(error, bearing, request)
        except Exception:
            log.exception("request %s failed", request)
            if not started:
                await _tell(unexpected(request), bearing, request)

    async def _admit(self, scope: Scope, cookie: str) -> Any:
        """The person who asks; None on an open route. Raises `Unauthenticated` or `Forbidden`."""
        method, path = scope["method"], scope["path"]
        if not _api(path):
            return None
        if method not in SAFE and _header(scope, b"x-strata") != "web":
            raise Forbidden("requests that change something carry the header `X-Strata: web`")
        if (method, path) in OPEN or (method == "HEAD" and ("GET", path) in OPEN):
            return None
        return await self.door.whose(cookie)

    def _limit(self, scope: Scope) -> int:
        uploads = scope["path"] == "/api/documents"
        return self.max_upload + MULTIPART_ROOM if uploads else MOST_JSON


def unexpected(request: str) -> StrataError:
    """The problem of an error that nobody foresaw: what it was is in the log, under this id."""
    return StrataError("something went wrong inside; if it happens again, tell your platform team this id", id=request)


def problem_headers(error: StrataError) -> dict[str, str]:
    """The headers that go with an error's problem document."""
    headers = {"content-type": "application/problem+json", "cache-control": "no-store"}
    if isinstance(error, Later):
        headers["retry-after"] = str(max(round(error.retry_after), 1))
    return headers


def _api(path: str) -> bool:
    return path == "/api" or path.startswith("/api/")


def _with_headers(headers: Any, request: str, *, api: bool) -> list[tuple[bytes, bytes]]:
    own = [(bytes(name).lower(), bytes(value)) for name, value in headers]
    present = {name for name, _ in own}
    more = [(name.encode(), value.encode()) for name, value in HEADERS if name.encode() not in present]
    more.append((b"x-request-id", request.encode()))
    if api and b"cache-control" not in present:
        more.append((b"cache-control", b"no-store"))
    return own + more


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _cookie(scope: Scope) -> str:
    try:
        jar: SimpleCookie = SimpleCookie(_header(scope, b"cookie"))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def _length(scope: Scope) -> int:
    text = _header(scope, b"content-length")
    return int(text) if text.isdigit() else 0


def _limited(receive: Receive, limit: int, announced: int) -> Receive:
    """Reads the body up to the limit; the part that passes it, or a length that announces it, raises `TooLarge`."""
    seen = 0

    async def read() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit or announced > limit:
                raise TooLarge(f"the request is larger than the {limit} bytes allowed; send less")
        return message

    return read


async def _tell(error: StrataError, send: Send, request: str) -> None:
    body = json.dumps({**error.problem(), "request": request}, ensure_ascii=False).encode()
    headers = [(name.encode(), value.encode()) for name, value in problem_headers(error).items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
