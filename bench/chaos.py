"""What callers see, and what they are charged, while vendors and the store misbehave.

A real gateway process calls a mock vendor that fails in one way at a time, with and without a healthy model to fall
back to, whole answers and streams; then the store is slow, and away. Prints a table on stderr and one JSON object as the
last line. "Charged" is read from the gateway's own rows after it has ended, and compared call by call with what the
client got and with what the vendor says it answered: `uncharged` and `charged_twice` must be 0, and so must
`charged_for_nothing` and `held_micros` (room that nobody gave back).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from _meter import percentile

TENANT = "bench"
PROMPT, COMPLETION = 12, 8
FULL = PROMPT + COMPLETION * 2
"""Micro-units of one whole answer: the mock counts 12 and 8 tokens, at 1 and 2 each."""

TIMEOUT, FIRST, IDLE = 1.0, 0.4, 0.4


@dataclass(frozen=True)
class Fault:
    """A way to misbehave; `store` is what happens to the records meanwhile."""

    name: str
    script: str
    store: str = ""
    modes: tuple[str, ...] = ("whole", "stream")


THIRD = "mock;every=3"
FAULTS = (
    Fault("none", "mock"),
    Fault("429, Retry-After 1", f"{THIRD};fail=429;retry=1"),
    Fault("429, no Retry-After", f"{THIRD};fail=429"),
    Fault("500", f"{THIRD};fail=500"),
    Fault("500 always", "mock;fail=500"),
    Fault("reset", f"{THIRD};reset"),
    Fault("never answers", f"{THIRD};hang"),
    Fault("no JSON", f"{THIRD};garbage"),
    Fault("a web page", f"{THIRD};html"),
    Fault("slow first token", f"{THIRD};first=0.25"),
    Fault("too slow first token", f"{THIRD};first=2.0"),
    Fault("role, then silence", f"{THIRD};role;silent=1", modes=("stream",)),
    Fault("half a stream", f"{THIRD};drop=2", modes=("stream",)),
    Fault("silence in the middle", f"{THIRD};silent=2", modes=("stream",)),
    Fault("error event in the middle", f"{THIRD};error=2", modes=("stream",)),
    Fault("store slow (50 ms)", "mock", "slow"),
    Fault("store away for a while", "mock", "away"),
)


def slug(fault: Fault) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in fault.name.lower())


# ------------------------------------------------------------------ the gateway's process


@dataclass
class Store:
    """Records that are slow, or away, while a file of that name lies in `home`."""

    records: Any
    home: Path

    def __getattr__(self, name: str) -> Any:
        return getattr(self.records, name)

    async def commit(self, *changes: Any, **more: Any) -> None:
        from strata.errors import Unavailable

        if (self.home / "slow").exists():
            await asyncio.sleep(0.05)
        if (self.home / "away").exists():
            raise Unavailable("the store is away", retry_after=1)
        await self.records.commit(*changes, **more)


async def worker(vendor: str, home: Path) -> None:
    import logging
    import socket
    from importlib.resources import files

    import uvicorn

    from strata.access import Access
    from strata.adapters.records.sqlite import make as records_at
    from strata.gateway.build import build
    from strata.gateway.door.http import app
    from strata.gateway.options import Deployment, Options, RouteOptions, Variant
    from strata.types import Budget, Money, Price, Principal

    logging.disable(logging.WARNING)
    access = Access.of((files("strata") / "policies" / "strata.cedar").read_text())
    price = Price(input=1_000_000, output=2_000_000)

    def deployment(name: str, script: str) -> Deployment:
        where = {"base_url": vendor, "api_key": "sk-mock"}
        limits = {"timeout": TIMEOUT, "first_token_timeout": FIRST, "idle_timeout": IDLE}
        return Deployment(name, "chat", "openai", script, price=price, options=where, **limits)

    models = [deployment("healthy", "mock;n=1")]
    routes = []
    for number, fault in enumerate(FAULTS):
        for mode in fault.modes:
            for kind, fallbacks in (("alone", ()), ("fallback", ("healthy",))):
                name = f"{slug(fault)}-{mode}-{kind}"
                models.append(deployment(f"at-{name}", f"{fault.script};n={number + 2}"))
                routes.append(RouteOptions(name, "chat", (Variant(f"at-{name}"),), fallbacks=fallbacks))
    options = Options(
        models=tuple(models),
        routes=tuple(routes),
        budgets=(Budget("all", "everything", "tenant", Money(10**12)),),
        requests_per_minute=10_000_000,
    )
    records = await records_at("gateway.db", home=home)
    gateway = await build(options, tenant=TENANT, records=Store(records, home), access=access)
    operator = Principal(TENANT, "operator", roles=frozenset({"operator"}), kind="service")
    _, key = await gateway.keys.create(operator, "bench", owner="bench", department="research")
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = uvicorn.Config(app(gateway), lifespan="off", access_log=False, log_level="error")
    print(listener.getsockname()[1], key, flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])
    await gateway.close()
    await records.close()


# ------------------------------------------------------------------ the clients


@dataclass
class Seen:
    """One call, as its caller saw it. `took` and `first` in ms; `said` is whether any of the answer came."""

    id: str
    saw: str
    took: float
    first: float
    ok: bool
    said: bool


@dataclass
class Cell:
    """One fault, in one mode, with or without a fallback."""

    fault: Fault
    mode: str
    kind: str
    tag: str = ""
    calls: list[Seen] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{slug(self.fault)}-{self.mode}-{self.kind}"

    @property
    def times(self) -> list[float]:
        return [call.first if self.mode == "stream" else call.took for call in self.calls if call.ok] or [0.0]


async def ask(session: aiohttp.ClientSession, url: str, cell: Cell, id_: str) -> Seen:
    body: dict[str, Any] = {
        "model": cell.name, "messages": [{"role": "user", "content": f"call {id_}"}], "max_tokens": 16,
    }  # fmt: skip
    if cell.mode == "stream":
        body["stream"] = True
    begun, first, ok, said, saw = time.perf_counter(), 0.0, False, False, ""
    try:
        async with session.post(f"{url}/v1/chat/completions", json=body, headers={"idempotency-key": id_}) as answer:
            saw = str(answer.status)
            if answer.status != 200:
                told = (await answer.json())["error"]
                saw += f" {told.get('code') or told.get('type')}"
            elif cell.mode == "whole":
                ok = said = bool((await answer.json())["choices"])
            else:
                async for line in answer.content:
                    if not line.startswith(b"data: "):
                        continue
                    first = first or (time.perf_counter() - begun) * 1000
                    if line.startswith(b"data: [DONE]"):
                        ok = True
                    elif line.startswith(b'data: {"error"'):
                        saw = f"cut: {json.loads(line[6:])['error'].get('code')}"
                    else:
                        said = True
    except (aiohttp.ClientError, TimeoutError) as error:
        saw = type(error).__name__
    return Seen(id_, saw, (time.perf_counter() - begun) * 1000, first, ok, said)


async def run_cell(session: aiohttp.ClientSession, url: str, cell: Cell, count: int, clients: int, home: Path) -> None:
    numbers = iter(range(count))

    async def client() -> None:
        for number in numbers:
            cell.calls.append(await ask(session, url, cell, f"{cell.tag}{cell.name}.{number}"))
            if cell.fault.store == "away":
                await asyncio.sleep(0.1)

    with misbehaving(home, cell.fault.store):
        work = asyncio.gather(*(client() for _ in range(clients)))
        if cell.fault.store == "away":
            await asyncio.sleep(0.3)
            (home / "away").unlink()
        await work


@contextmanager
def misbehaving(home: Path, store: str) -> Iterator[None]:
    if store:
        (home / store).touch()
    try:
        yield
    finally:
        if store:
            (home / store).unlink(missing_ok=True)


# ------------------------------------------------------------------ the accounts


async def rows_in(home: Path) -> tuple[dict[str, list[Any]], int, int]:
    """The rows of all calls by the id that the client gave; what the budget says was spent, and what it still holds."""
    from strata.adapters.records.sqlite import make as records_at
    from strata.types import now

    records = await records_at("gateway.db", home=home)
    found: dict[str, list[Any]] = {}
    try:
        after = None
        while page := await records.query(f"{TENANT}/calls/{now():%Y-%m}", after=after, limit=500):
            after = page[-1].key
            for row in page:
                found.setdefault(row.key.partition(":")[2], []).append(row.value)
        counters = [row.value for row in await records.query(f"{TENANT}/budgets")]
    finally:
        await records.close()
    spent = sum(int(it.get("spent", 0)) for it in counters)
    return found, spent, sum(int(it.get("held", 0)) for it in counters) - spent


def audit(cells: list[Cell], rows: dict[str, list[Any]], answered: Counter[str]) -> Counter[str]:
    """Every call against its row and against what the vendor says it answered in full."""
    wrong: Counter[str] = Counter()
    for call in (call for cell in cells for call in cell.calls):
        mine = rows.get(call.id, [])
        paid = sum(int(row["cost"]) for row in mine)
        wrong["charged_twice"] += len(mine) > 1 or (call.ok and paid > FULL)
        wrong["uncharged"] += (call.ok and paid < FULL) or (bool(answered[call.id] or call.said) and not paid)
        wrong["vendor_answered_twice"] += answered[call.id] > 1
        wrong["charged_for_nothing"] += bool(paid) and not (call.said or answered[call.id])
    return wrong


def table(cells: list[Cell]) -> str:
    base = {cell.mode: statistics.median(cell.times) for cell in cells if cell.fault.name == "none"}
    lines = [f"{'fault':<27}{'mode':<8}{'':<10}{'good':>6}{'+p50 ms':>9}{'+p95 ms':>9}  what callers saw"]
    for cell in cells:
        good = 100 * sum(call.ok for call in cell.calls) / len(cell.calls)
        fifty, ninety = (percentile(cell.times, part) - base[cell.mode] for part in (0.5, 0.95))
        saw = ", ".join(f"{count}x {saw}" for saw, count in Counter(call.saw for call in cell.calls).most_common())
        lines.append(
            f"{cell.fault.name:<27}{cell.mode:<8}{cell.kind:<10}{good:>5.0f}%{fifty:>9.0f}{ninety:>9.0f}  {saw}"
        )
    return "\n".join(lines)


def summary(cells: list[Cell]) -> dict[str, Any]:
    faulty = [cell for cell in cells if cell.fault.name != "none"]

    def good(those: list[Cell]) -> float:
        calls = [call for cell in those for call in cell.calls]
        return round(sum(call.ok for call in calls) / len(calls), 4)

    return {
        "calls": sum(len(cell.calls) for cell in cells),
        "success_alone": good([cell for cell in faulty if cell.kind == "alone"]),
        "success_fallback": good([cell for cell in faulty if cell.kind == "fallback"]),
        "cells": {
            cell.name: {
                "success": good([cell]),
                "p50_ms": round(percentile(cell.times, 0.5), 1),
                "p95_ms": round(percentile(cell.times, 0.95), 1),
                "saw": dict(Counter(call.saw for call in cell.calls)),
            }
            for cell in cells
        },
    }


# ------------------------------------------------------------------ the run


def started(*command: str) -> tuple[subprocess.Popen[str], list[str]]:
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise SystemExit(f"{command[0]} ended before it was ready")
    return process, line.split()


async def run(count: int, clients: int, only: str) -> dict[str, Any]:
    cells = [
        Cell(fault, mode, kind)
        for fault in FAULTS
        if only in fault.name or fault.name == "none"
        for mode in fault.modes
        for kind in ("alone", "fallback")
    ]
    with tempfile.TemporaryDirectory(prefix="strata-chaos-") as folder:
        home = Path(folder)
        vendor, words = started("-m", "strata.testing.vendor")
        processes = [vendor]
        try:
            gateway, (port, key) = started(__file__, "--worker", words[-1], "--home", folder)
            processes.append(gateway)
            url, headers = f"http://127.0.0.1:{port}", {"authorization": f"Bearer {key}"}
            timeout = aiohttp.ClientTimeout(total=30)
            async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
                await run_cell(session, url, Cell(FAULTS[0], "whole", "alone", "warm-"), count, clients, home)
                for cell in cells:
                    await run_cell(session, url, cell, count, clients, home)
                    print(f"{cell.name}: {len(cell.calls)} calls", file=sys.stderr, flush=True)
                gateway.terminate()
                await asyncio.to_thread(gateway.wait, 30)
                async with session.get(words[-1].removesuffix("/v1") + "/mock/requests") as answer:
                    received = await answer.json()
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait(30)
        rows, spent, held = await rows_in(home)
    answered = Counter(
        it["body"]["messages"][0]["content"].removeprefix("call ")
        for it in received
        if it["ended"] == "whole" and it["status"] == 200 and _sound(it)
    )
    wrong = audit(cells, rows, answered)
    charged = sum(int(row["cost"]) for some in rows.values() for row in some)
    print(table(cells), file=sys.stderr)
    return {
        "uncharged": wrong["uncharged"],
        "charged_twice": wrong["charged_twice"],
        "charged_for_nothing": wrong["charged_for_nothing"],
        "vendor_answered_twice": wrong["vendor_answered_twice"],
        "held_micros": held,
        "spent_minus_rows_micros": spent - charged,
        "vendor_answers": sum(answered.values()),
        "vendor_requests": len(received),
        **summary(cells),
    }


def _sound(received: dict[str, Any]) -> bool:
    """Whether the vendor's answer had an answer in it that somebody could be charged for."""
    model = received["body"]["model"]
    return received["pieces"] > 0 or not ({"garbage", "html"} & {part.partition("=")[0] for part in model.split(";")})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=30, help="calls of each fault, mode and kind")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--only", default="", help="faults whose name holds this")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, default=Path(), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(worker(arguments.worker, arguments.home))
    else:
        print(json.dumps(asyncio.run(run(arguments.calls, arguments.clients, arguments.only))))


if __name__ == "__main__":
    main()
