"""One gateway worker for `bench/gateway.py` and its siblings, or with `--floor` the leanest proxy of the same parts.

The worker has everything on: API key, permission, limits, size guard, two budgets with reservations, and the row and
fact of every call, in SQLite with a disk sync. The floor reads the body, posts it with aiohttp and passes the answer on.
With `--bare` the worker has no budgets and limits, and keeps its records in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from pathlib import Path

import uvicorn

TENANT = "bench"
MODELS = {"chat": "mock", "stream": "mock;chunks=8"}


async def gateway_app(vendor: str, home: Path | None, models: dict[str, str], *, bare: bool):
    from importlib.resources import files

    from strata.access import Access
    from strata.adapters.records.memory import make as in_memory
    from strata.adapters.records.sqlite import make as on_disk
    from strata.gateway.build import build
    from strata.gateway.door.http import app
    from strata.gateway.options import Deployment, Options
    from strata.types import Budget, Money, Price, Principal

    records = await (in_memory() if bare else on_disk("gateway.db", home=home))
    access = Access.of((files("strata") / "policies" / "strata.cedar").read_text())
    price = Price(input=150_000, output=600_000, cached_input=75_000)
    where = {"base_url": vendor, "api_key": "sk-mock"}
    deployments = tuple(
        Deployment(name, "chat", "openai", model, price=price, options=where) for name, model in models.items()
    )
    budgets = (
        Budget("all", "everything", "tenant", Money(10**15)),
        Budget("research", "research", "department:research", Money(10**15)),
    )
    options = Options(models=deployments, budgets=budgets, requests_per_minute=10_000_000)
    if bare:
        options = Options(models=deployments, requests_per_minute=0)
    gateway = await build(options, tenant=TENANT, records=records, access=access)
    operator = Principal(TENANT, "operator", roles=frozenset({"operator"}), kind="service")
    _, key = await gateway.keys.create(operator, "bench", owner="bench", department="research")
    return app(gateway), key


async def floor_app(vendor: str, models: dict[str, str]):
    import aiohttp
    import orjson

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), headers={"authorization": "x"}
    )
    plain, streamed = [(b"content-type", b"application/json")], [(b"content-type", b"text/event-stream")]

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        if scope["method"] == "GET":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        body = orjson.loads((await receive())["body"])
        body["model"] = models[body["model"]]
        async with session.post(f"{vendor}/chat/completions", data=orjson.dumps(body)) as answer:
            if body.get("stream"):
                await send({"type": "http.response.start", "status": 200, "headers": streamed})
                async for piece in answer.content.iter_any():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
                return
            data = await answer.read()
        headers = [*plain, (b"content-length", b"%d" % len(data))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    return app, ""


def trace_memory(lines: int) -> None:
    """At SIGUSR1, tell on stderr which lines of code hold more memory than at the signal before."""
    import gc
    import signal
    import sys
    import tracemalloc

    tracemalloc.start(8)
    earlier: list[tracemalloc.Snapshot] = []

    def tell() -> None:
        gc.collect()
        now = tracemalloc.take_snapshot()
        if earlier:
            for grown in now.compare_to(earlier[-1], "lineno")[:lines]:
                print(grown, file=sys.stderr)
        earlier[:] = [now]

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--vendor", required=True)
    parser.add_argument("--home", type=Path, default=None)
    parser.add_argument("--floor", action="store_true")
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--trace", type=int, default=0, metavar="LINES", help="at SIGUSR1, tell what holds more memory")
    parser.add_argument("--model", action="append", metavar="NAME=MODEL", help="a model and the vendor's name for it")
    arguments = parser.parse_args()
    if arguments.trace:
        trace_memory(arguments.trace)
    models = dict(pair.split("=", 1) for pair in arguments.model or ()) or MODELS
    if arguments.floor:
        application, key = await floor_app(arguments.vendor, models)
    else:
        application, key = await gateway_app(arguments.vendor, arguments.home, models, bare=arguments.bare)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    from strata.connections import Connection

    config = uvicorn.Config(
        application,
        http="httptools" if arguments.floor else Connection,
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
    )
    print(listener.getsockname()[1], key, flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
