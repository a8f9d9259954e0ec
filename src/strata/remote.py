"""Any contract over HTTP: `serve` puts an implementation behind a door, `connect` gives its caller the same methods.

A call is `POST /<Contract>/<method>` with MessagePack arguments. It carries a token, signed for this door alone, that
names the caller, the principal on whose behalf it acts and the deadline, that is bound to the body by its hash, lives
for half a minute and is accepted once. Whoever holds no key for a door cannot knock there. Errors travel as RFC 9457
problems and are raised as what they were. A call is repeated only when it certainly never arrived, or when the method
is known to be harmless twice.

The network is hidden but not denied: every method has a deadline, and one that cannot be met raises `Deadline`.

What speaks HTTP and signs tokens is imported at the first call, because a process that has no neighbours starts twice
as fast without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import inspect
import logging
import time
import types
import typing
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from strata.errors import Deadline, NotFound, StrataError, TooLarge, Unauthenticated, Unavailable, from_problem
from strata.types import Json, Principal, new_id

if TYPE_CHECKING:
    import aiohttp
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger(__name__)

T = TypeVar("T")

TOKEN_SECONDS = 30
LEEWAY_SECONDS = 5
MAX_BODY = 128 * 1024 * 1024
DEADLINES = {"settle": 3600.0, "evaluate": 3600.0, "add": 120.0, "answer": 300.0, "stream": 300.0, "complete": 300.0}
DEADLINE = 60.0
TWICE_IS_FINE = frozenset({
    "models", "budgets", "search", "documents", "document", "text", "original", "hear", "usage", "audit", "verify",
    "assistants", "sessions", "messages", "reports", "remove", "prune",
})  # fmt: skip


def door_key(master: bytes, role: str) -> bytes:
    """The key of one role's door, derived from the installation's master key (HMAC-SHA256 as a KDF)."""
    return hmac.new(master, f"strata/remote/{role}".encode(), hashlib.sha256).digest()


# ------------------------------------------------------------------ the shape of a contract


@dataclass(frozen=True, slots=True)
class Method:
    """A contract's method: its parameters but for the principal, what it returns, and whether it is a stream."""

    name: str
    signature: inspect.Signature
    parameters: dict[str, Any]
    result: Any
    streams: bool

    def arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Principal, bytes]:
        bound = self.signature.bind(None, *args, **kwargs).arguments
        bound.pop("self")
        principal = bound.pop("principal")
        return principal, msgspec.msgpack.encode(bound)

    def revive(self, body: bytes) -> dict[str, Any]:
        raw = msgspec.msgpack.decode(body)
        unknown = set(raw) - set(self.parameters)
        if unknown:
            raise msgspec.ValidationError(f"{self.name} has no parameters {sorted(unknown)}")
        return {name: msgspec.convert(value, self.parameters[name]) for name, value in raw.items()}


def methods(contract: type) -> dict[str, Method]:
    """The public methods of a contract Protocol by name."""
    found = {}
    for name, function in vars(contract).items():
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        hints = typing.get_type_hints(function)
        result = hints.pop("return", None)
        streams = typing.get_origin(result) is AsyncIterator
        if streams:
            (result,) = typing.get_args(result)
        hints.pop("principal", None)
        found[name] = Method(name, inspect.signature(function), hints, result, streams)
    return found


def revive(raw: Any, hint: Any) -> Any:
    """A decoded MessagePack value as the type it was; a union of dataclasses is told apart by their `type` field."""
    if hint is None or hint is type(None):
        return None
    if typing.get_origin(hint) in {typing.Union, types.UnionType} and isinstance(raw, dict):
        for kind in typing.get_args(hint):
            tag = getattr(kind, "__dataclass_fields__", {}).get("type")
            if tag is not None and tag.default == raw.get("type"):
                return msgspec.convert(raw, kind)
    return msgspec.convert(raw, hint)


# ------------------------------------------------------------------ tokens


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Checks the tokens of one door and remembers, while they live, those that it has already let in."""

    role: str
    key: bytes
    seen: dict[str, float] = field(default_factory=dict)

    def admit(self, token: str, body: bytes) -> tuple[Principal, float]:
        """The principal and the seconds left for the call; raises `Unauthenticated`."""
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import OctKey

        try:
            claims = jwt.decode(token, OctKey.import_key(self.key), algorithms=["HS256"]).claims
            principal = msgspec.convert(claims["principal"], Principal)
            issued, identity, bound = float(claims["iat"]), str(claims["jti"]), str(claims["body"])
            audience, deadline = claims["aud"], float(claims["deadline"])
        except (JoseError, KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
            raise Unauthenticated("the call's token is not valid for this door") from error
        now = time.time()
        if audience != self.role or not -LEEWAY_SECONDS <= now - issued <= TOKEN_SECONDS + LEEWAY_SECONDS:
            raise Unauthenticated("the call's token is for another door or has expired; check the clocks")
        if not hmac.compare_digest(bound, hashlib.sha256(body).hexdigest()):
            raise Unauthenticated("the call's token belongs to another body")
        for old in [name for name, until in self.seen.items() if until < now]:
            del self.seen[old]
        if identity in self.seen:
            raise Unauthenticated("the call's token was used before")
        self.seen[identity] = now + TOKEN_SECONDS + 2 * LEEWAY_SECONDS
        return principal, deadline


def sign(key: bytes, role: str, caller: str, principal: Principal, body: bytes, deadline: float) -> str:
    """A token for one call at the role's door; `deadline` in seconds from now."""
    from joserfc import jwt
    from joserfc.jwk import OctKey

    claims = {
        "iss": caller,
        "aud": role,
        "iat": time.time(),
        "jti": new_id("call"),
        "deadline": deadline,
        "body": hashlib.sha256(body).hexdigest(),
        "principal": msgspec.to_builtins(principal),
    }
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(key))


# ------------------------------------------------------------------ the door


def serve(role: str, key: bytes, offered: dict[type, Any]) -> Starlette:
    """An ASGI application that offers implementations, each under the name of its contract."""
    from starlette.applications import Starlette
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    table = {contract.__name__: (methods(contract), implementation) for contract, implementation in offered.items()}
    keeper = Doorkeeper(role, key)

    async def call(request: Request) -> Response:
        try:
            body = await _body(request)
            principal, seconds = keeper.admit(request.headers.get("authorization", "").removeprefix("Bearer "), body)
            shapes, implementation = table.get(request.path_params["contract"], ({}, None))
            method = shapes.get(request.path_params["method"])
            if method is None:
                raise NotFound(f"{role} offers no {request.url.path!r}; it offers {sorted(table)}")
            arguments = method.revive(body)
            if method.streams:
                items = getattr(implementation, method.name)(principal, **arguments)
                return StreamingResponse(_frames(items, seconds), media_type="application/x-strata-frames")
            async with asyncio.timeout(seconds):
                result = await getattr(implementation, method.name)(principal, **arguments)
            return Response(msgspec.msgpack.encode(result), media_type="application/msgpack")
        except Exception as error:
            problem = _problem(error)
            return Response(
                msgspec.json.encode(problem), status_code=problem["status"], media_type="application/problem+json"
            )

    return Starlette(routes=[Route("/{contract}/{method}", call, methods=["POST"])])


async def _body(request: Request) -> bytes:
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY:
            raise TooLarge(f"a call may have {MAX_BODY} bytes")
        pieces.append(piece)
    return b"".join(pieces)


async def _frames(items: AsyncIterator[Any], seconds: float) -> AsyncIterator[bytes]:
    try:
        async with asyncio.timeout(seconds):
            async for item in items:
                yield _frame(["item", item])
        yield _frame(["end"])
    except Exception as error:
        yield _frame(["problem", _problem(error)])
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()


def _frame(content: list[Any]) -> bytes:
    data = msgspec.msgpack.encode(content)
    return len(data).to_bytes(4, "big") + data


def _problem(error: Exception) -> Json:
    """What a neighbour is told of an error: ours whole, a stranger's only by an id that the log explains."""
    if isinstance(error, StrataError):
        return error.problem()
    if isinstance(error, TimeoutError):
        return Deadline().problem()
    if isinstance(error, msgspec.ValidationError | msgspec.DecodeError):
        return StrataError(f"the neighbours speak different versions: {error}").problem()
    incident = new_id("incident")
    log.error("call failed, incident %s", incident, exc_info=error)
    return StrataError(f"internal error, recorded as {incident}").problem()


# ------------------------------------------------------------------ the caller


@dataclass(slots=True)
class Line:
    """A connection to one role's door: address, key, and who is calling."""

    role: str
    url: str
    key: bytes
    caller: str
    session: aiohttp.ClientSession | None = None

    def _session(self) -> aiohttp.ClientSession:
        import aiohttp

        if self.session is None or self.session.closed:
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=256), timeout=aiohttp.ClientTimeout(total=None, connect=5.0)
            )
        return self.session

    async def close(self) -> None:
        if self.session is not None:
            await self.session.close()

    @contextlib.asynccontextmanager
    async def post(
        self, contract: str, method: str, principal: Principal, body: bytes, deadline: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One attempt; raises the error that the door answered, or `Unavailable` when it cannot be reached."""
        import aiohttp

        token = sign(self.key, self.role, self.caller, principal, body, deadline)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/msgpack"}
        address = f"{self.url.rstrip('/')}/{contract}/{method}"
        try:
            async with self._session().post(address, data=body, headers=headers) as response:
                if response.status >= 400:
                    raise from_problem(_decoded(await response.read(), self.role, response.status))
                yield response
        except aiohttp.ClientConnectorError as error:
            raise Unreached(f"{self.role} cannot be reached; is `strata serve {self.role}` running?") from error
        except aiohttp.ClientError as error:
            raise Unavailable(f"the line to {self.role} broke") from error


class Unreached(Unavailable):
    """The neighbour was never reached, so the call may be repeated."""

    slug = "unreached"


def _decoded(data: bytes, role: str, status: int) -> Json:
    try:
        problem = msgspec.json.decode(data)
    except msgspec.DecodeError:
        problem = None
    if isinstance(problem, dict):
        return problem
    return Unavailable(f"{role} answered {status} without a reason").problem()


def connect(contract: type[T], line: Line) -> T:
    """An object with the contract's methods, each of which calls the other end of the line."""
    members: dict[str, Any] = {}
    for method in methods(contract).values():
        members[method.name] = (
            _stream(contract.__name__, method) if method.streams else _call(contract.__name__, method)
        )
    members["close"] = lambda self: self.line.close()
    kind = type(f"Remote{contract.__name__}", (), members)
    remote = kind()
    remote.line = line
    return cast("T", remote)


def _call(contract: str, method: Method) -> Callable[..., Awaitable[Any]]:
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        principal, body = method.arguments(args, kwargs)
        seconds = DEADLINES.get(method.name, DEADLINE)
        try:
            async with asyncio.timeout(seconds):
                return await _attempts(self.line, contract, method, principal, body, seconds)
        except TimeoutError as error:
            raise Deadline(f"{self.line.role} did not answer {method.name} within {seconds:g} s") from error

    return call


async def _attempts(
    line: Line, contract: str, method: Method, principal: Principal, body: bytes, seconds: float
) -> Any:
    for pause in (0.05, 0.2, 0.8, None):
        try:
            async with line.post(contract, method.name, principal, body, seconds) as response:
                return revive(msgspec.msgpack.decode(await response.read()), method.result)
        except Unavailable as error:
            repeatable = isinstance(error, Unreached) or method.name in TWICE_IS_FINE
            if pause is None or not repeatable:
                raise
            await asyncio.sleep(pause)
    raise AssertionError


def _stream(contract: str, method: Method) -> Callable[..., AsyncIterator[Any]]:
    async def stream(self: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        principal, body = method.arguments(args, kwargs)
        seconds = DEADLINES.get(method.name, DEADLINE)
        try:
            async with asyncio.timeout(seconds), self.line.post(contract, method.name, principal, body, seconds) as got:
                async for kind, *content in _unframed(got.content):
                    if kind == "end":
                        return
                    if kind == "problem":
                        raise from_problem(content[0])
                    yield revive(content[0], method.result)
            raise Unavailable(f"{self.line.role} broke off in the middle of {method.name}")
        except TimeoutError as error:
            raise Deadline(f"{self.line.role} did not finish {method.name} within {seconds:g} s") from error

    return stream


async def _unframed(content: aiohttp.StreamReader) -> AsyncIterator[list[Any]]:
    while True:
        try:
            size = int.from_bytes(await content.readexactly(4), "big")
            yield msgspec.msgpack.decode(await content.readexactly(size))
        except asyncio.IncompleteReadError:
            return
