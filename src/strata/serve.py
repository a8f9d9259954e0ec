"""One process, one port: sends each request to the door that it is for, and starts and stops the server.

`/v1` is the gateway's door, `/remote` the neighbours', `/healthz` and `/readyz` the operator's; everything else is the
web application's, or not found where this process does not play `app`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import shutil
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, MutableMapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvicorn

from strata import __version__
from strata.connections import Connection
from strata.errors import Forbidden, Misconfigured, NotFound, StrataError, Unauthenticated, Unavailable
from strata.reload import Reload
from strata.remote import serve as serve_remote
from strata.running import claim
from strata.schema import Role
from strata.settings import Settings
from strata.wiring import CONTRACTS, Platform, build, figures, key_for

log = logging.getLogger(__name__)

PROBLEM = b"application/problem+json"

GATEWAY = ("/v1/", "/v2/", "/openai/", "/anthropic/", "/rerank")
"""Where the gateway's door is."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def address(settings: Settings, roles: Sequence[Role]) -> str:
    """Where a process with these roles is reached: its address in `[remote]`, else the site's own."""
    named = {settings.remote[role] for role in roles if role in settings.remote}
    if len(roles) == len(CONTRACTS) or not named:
        return settings.url
    if len(named) > 1:
        raise Misconfigured(f"{', '.join(roles)} have different addresses in [remote]; serve them apart")
    return named.pop()


def site(platform: Platform) -> App:
    """The process's one ASGI application."""
    doors = dict(_doors(platform))

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if "gateway" in doors and path.startswith(GATEWAY):
            await doors["gateway"](scope, receive, send)
        elif path == "/metrics" and "gateway" in doors:
            await _metrics(platform, scope, send)
        elif path.startswith("/remote/"):
            role = path.split("/", 3)[2]
            await doors.get(f"remote/{role}", _nothing_here)(_below(scope, "/remote"), receive, send)
        elif path == "/healthz":
            await _answer(send, 200, {"status": "ok", "version": __version__, "roles": list(platform.roles)})
        elif path == "/readyz":
            await _ready(platform, send)
        else:
            await doors.get("app", _nothing_here)(scope, receive, send)

    return dispatch


def _doors(platform: Platform) -> Iterator[tuple[str, App]]:
    settings = platform.settings
    for role in platform.roles:
        contract = CONTRACTS[role]
        key, offered = key_for(settings, role), {contract: platform.layers[role]}
        yield f"remote/{contract.__name__}", _made_when_called(partial(serve_remote, role, key, offered))
    if "gateway" in platform.roles:
        from strata.gateway.door.http import app as gateway_app

        live = platform.layers["gateway"]

        async def door(scope: Scope, receive: Receive, send: Send) -> None:
            await gateway_app(live.current)(scope, receive, send)

        yield "gateway", door
    if "app" in platform.roles:
        yield "app", web_site(platform)


def _made_when_called(make: Callable[[], App]) -> App:
    """A door that is made at its first call, because the web framework takes longer to load than a gateway to start."""
    made: list[App] = []

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        if not made:
            made.append(make())
        await made[0](scope, receive, send)

    return door


def web_site(platform: Platform) -> Any:
    """The web application and its API, as a FastAPI application."""
    from strata.app.http import app as web_app

    assert platform.signin is not None
    return web_app(
        platform.layers["app"],
        platform.library,
        platform.ledger,
        platform.signin,
        platform.settings.app,
        corpora=platform.settings.data.corpora,
        web=platform.settings.web,
    )


def _below(scope: Scope, prefix: str) -> Scope:
    return {**scope, "path": scope["path"].removeprefix(prefix), "raw_path": None}


async def _ready(platform: Platform, send: Send) -> None:
    """Ready while the stores answer; what they are behind with is told, not judged."""
    try:
        waiting = {role: await bus.backlog() for role, bus in platform.buses.items()}
    except StrataError as error:
        await _answer(send, Unavailable.status, Unavailable(f"not ready: {error.detail}").problem(), PROBLEM)
        return
    told = {"status": "ready", "roles": list(platform.roles), "backlog": waiting, "settings": platform.version}
    await _answer(send, 200, told)


async def _metrics(platform: Platform, scope: Scope, send: Send) -> None:
    """For Prometheus on this machine, or with the token of the settings from anywhere. What a proxy on this machine
    passes on comes from elsewhere.
    """
    token = platform.settings.metrics_token
    asked = dict(scope["headers"])
    given = asked.get(b"authorization", b"")
    passed_on = not asked.keys().isdisjoint((b"x-forwarded-for", b"forwarded", b"via"))
    near = (scope.get("client") or ("",))[0] in {"127.0.0.1", "::1"} and not passed_on
    if token and not hmac.compare_digest(given, b"Bearer " + token.encode()):
        await _answer(send, 401, Unauthenticated("send the token of serve.metrics_token").problem(), PROBLEM)
    elif not token and not near:
        told = Forbidden("/metrics answers this machine only, unless serve.metrics_token is set").problem()
        await _answer(send, 403, told, PROBLEM)
    else:
        metrics = platform.layers["gateway"].current.telling.telemetry.metrics
        media, text = await asyncio.to_thread(metrics.text)
        headers = [(b"content-type", media.encode()), (b"content-length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})


async def _nothing_here(scope: Scope, _receive: Receive, send: Send) -> None:
    problem = NotFound(f"nothing is served at {scope['path']!r} by this process").problem()
    await _answer(send, 404, problem, PROBLEM)


async def _answer(send: Send, status: int, content: Any, media: bytes = b"application/json") -> None:
    body = msgspec.json.encode(content)
    headers = [(b"content-type", media), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


# ------------------------------------------------------------------ the server


class _Server(uvicorn.Server):
    """uvicorn, told when to end by `run`, and telling when it has begun."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__(config)
        self._ready = ready
        self.failure: BaseException | None = None

    def stop(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._telling = asyncio.create_task(self._ready())
        self._telling.add_done_callback(self._told)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._telling.cancel()
        await super().shutdown(sockets)

    def _told(self, telling: asyncio.Task[None]) -> None:
        if not telling.cancelled() and telling.exception() is not None:
            self.should_exit = True
            self.failure = telling.exception()


async def run(
    settings: Settings,
    roles: Sequence[Role],
    ready: Callable[[Platform, str], Coroutine[Any, Any, None]],
    *,
    port: int | None = None,
) -> None:
    """Serve these roles until SIGINT or SIGTERM; `ready` is called once requests are answered."""
    url = address(settings, roles) if port is None else f"http://{settings.host}:{port}"
    held = claim(settings.home, roles, url)
    shutil.rmtree(figures(settings), ignore_errors=True)
    try:
        with listen(settings.host, urlsplit(url).port or 80) as listener:
            await play(settings, roles, listener, lambda platform: ready(platform, url), _stop_on_signal)
    finally:
        held.release()


async def play(
    settings: Settings,
    roles: Sequence[Role],
    listener: socket.socket,
    ready: Callable[[Platform], Coroutine[Any, Any, None]],
    until: Callable[[Callable[[], None]], None],
) -> None:
    """Serve these roles on a socket; `until` is handed what ends it: called once in good order, twice at once."""
    async with build(settings, roles) as platform:
        config = uvicorn.Config(
            site(platform),
            loop="none",
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=65,
            timeout_graceful_shutdown=10,
        )

        async def begun() -> None:
            await asyncio.gather(_warm(platform), ready(platform))

        server = _Server(config, begun)
        until(server.stop)
        _reload_on_signal(platform)
        await server.serve(sockets=[listener])
        if server.failure is not None:
            raise server.failure


def _reload_on_signal(platform: Platform) -> None:
    """Take new settings at SIGHUP; without a gateway or a file there is nothing to take."""
    reload = Reload(platform, platform.settings)
    tasks: set[asyncio.Task[None]] = set()

    def begin() -> None:
        task = asyncio.get_running_loop().create_task(reload.attempt())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    able = "gateway" in platform.roles and platform.settings.source is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, begin if able else _ignored)


def _ignored() -> None:
    log.warning("there is nothing to reload: this process plays no gateway, or was started without a settings file")


async def _warm(platform: Platform) -> None:
    """Load the embedded models while the first requests are already answered; a failure shows in the first call."""
    if "gateway" in platform.roles:
        with contextlib.suppress(StrataError):
            await platform.layers["gateway"].warm()


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket that takes connections. `shared`: several may listen on the port, and the kernel shares them out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"cannot listen on {host}:{port} ({error.strerror}); set serve.port, --port or STRATA_PORT to a free one"
        ) from error
    listener.listen(2048)
    listener.setblocking(False)
    return listener


def _stop_on_signal(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
