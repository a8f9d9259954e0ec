"""Whether a small budget holds: many gateway processes on one store, many clients at once, and some killed with -9.

Every process serves real HTTP; a vendor in this process counts for itself what it would charge. When the budget is
used up and all processes have ended, the store is opened once more, as the next start would do it, and asked what stands.
Prints progress on stderr and one JSON object as the last line: `overshoot_micros`, `leaked_reservations`,
`uncharged_micros` and `overcharged_micros` must all be 0.

`--records sqlite` (default) or `--records postgres`, on the server of `--postgres //user@host/database`, else on one of
its own where PostgreSQL is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import aiohttp
from aiohttp import web

TENANT = "bench"
PRICE = {"input": 1_000_000, "output": 2_000_000}  # a micro-unit a prompt token, two a completion token
PROMPT_TOKENS = 20
MAX_TOKENS = 50


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ------------------------------------------------------------------ a gateway


async def opened(address: str, home: Path):
    from strata.plugins import find, split

    scheme, rest = split(address)
    return await find("records", scheme).make(rest, home=home)


async def gateway(records, vendor: str, limit: int):
    from strata.access import Access
    from strata.gateway.build import build
    from strata.gateway.options import Deployment, Options
    from strata.types import Budget, Money, Price

    access = Access.of((files("strata") / "policies" / "strata.cedar").read_text())
    model = Deployment(
        "chat", "chat", "openai", "mock", price=Price(**PRICE), options={"base_url": vendor, "api_key": "sk-mock"}
    )
    budgets = (
        Budget("all", "everything", "tenant", Money(limit)),
        Budget("each", "each person", "person:*", Money(limit * 2), "day"),
        Budget("model", "the model", "model:chat", Money(limit * 2), "total"),
    )
    options = Options(models=(model,), budgets=budgets, requests_per_minute=0, reservation_ttl=60.0)
    return await build(options, tenant=TENANT, records=records, access=access)


async def work(arguments: argparse.Namespace) -> None:
    """One gateway process."""
    import uvicorn

    from strata.gateway.door.http import app

    records = await opened(arguments.address, arguments.home)
    running = await gateway(records, arguments.vendor, arguments.limit)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = uvicorn.Config(app(running), lifespan="off", access_log=False, log_level="warning", http="httptools")
    print(listener.getsockname()[1], flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])
    await running.close()
    await records.close()


# ------------------------------------------------------------------ the vendor and the clients


@dataclass
class Vendor:
    """Answers after a moment, and writes down what each call comes to; the number of the call stands in its prompt."""

    rng: random.Random
    charged: dict[str, int] = field(default_factory=dict)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        number = body["messages"][0]["content"].split()[-1]
        completion = self.rng.randint(1, MAX_TOKENS)
        self.charged[number] = self.charged.get(number, 0) + PROMPT_TOKENS + 2 * completion
        await asyncio.sleep(self.rng.uniform(0.001, 0.02))
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": completion}
        usage["total_tokens"] = PROMPT_TOKENS + completion
        if body.get("stream"):
            answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
            with suppress(ConnectionError):  # the gateway that asked was killed
                await answer.prepare(request)
                choice = {"index": 0, "delta": {"role": "assistant", "content": "yes"}, "finish_reason": None}
                for choices, used in (([choice], None), ([], usage)):
                    chunk = {"id": "c", "object": "chat.completion.chunk", "choices": choices, "usage": used}
                    await answer.write(b"data: %b\n\n" % json.dumps(chunk).encode())
                await answer.write(b"data: [DONE]\n\n")
            return answer
        message = {"role": "assistant", "content": "yes"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage})


@dataclass
class Crowd:
    """Clients that ask one thing after another of whichever process is up, until the budget says no to them."""

    ports: list[int]
    keys: list[str]
    answered: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    broken: int = 0
    number: int = 0
    took: list[float] = field(default_factory=list)

    async def client(self, session: aiohttp.ClientSession, rng: random.Random) -> None:
        refusals = 0
        while refusals < 5:
            self.number += 1
            number = str(self.number)
            body = {
                "model": "chat",
                "messages": [{"role": "user", "content": f"call number {number}"}],
                "max_tokens": MAX_TOKENS,
                "stream": rng.random() < 0.3,
            }
            if body["stream"]:
                body["stream_options"] = {"include_usage": True}
            headers = {"authorization": f"Bearer {rng.choice(self.keys)}"}
            if rng.random() < 0.5:
                headers["idempotency-key"] = number
            url = f"http://127.0.0.1:{rng.choice(self.ports)}/v1/chat/completions"
            try:
                async with session.post(url, json=body, headers=headers) as answer:
                    text = await answer.text()
                    if answer.status == 200:
                        self.answered[number] = _cost(answer, text)
                        self.took.append(time.perf_counter())
                        refusals = 0
                    elif answer.status == 429 and "budget" in text:
                        self.refused += 1
                        refusals += 1
                        await asyncio.sleep(0.05)
                    else:
                        raise SystemExit(f"a call was answered with {answer.status}: {text}")
            except (aiohttp.ClientError, ConnectionError, KeyError):
                self.broken += 1
                await asyncio.sleep(0.02)


def _cost(answer: aiohttp.ClientResponse, text: str) -> int:
    if "x-strata-cost-micros" in answer.headers:
        return int(answer.headers["x-strata-cost-micros"])
    chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    return next(chunk["usage"]["cost_micros"] for chunk in reversed(chunks) if chunk.get("usage"))


# ------------------------------------------------------------------ the run


class Fleet:
    """The gateway processes."""

    def __init__(self, arguments: argparse.Namespace, vendor: str, address: str, home: Path) -> None:
        self.command = [
            sys.executable, __file__, "--worker", "--vendor", vendor, "--address", address,
            "--home", str(home), "--limit", str(arguments.limit),
        ]  # fmt: skip
        self.processes: dict[int, subprocess.Popen[str]] = {}

    async def start(self) -> int:
        process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = await asyncio.to_thread(process.stdout.readline)
        if not line:
            raise SystemExit("a gateway process ended before it was ready")
        self.processes[int(line)] = process
        return int(line)

    def kill(self, port: int) -> None:
        process = self.processes.pop(port)
        process.send_signal(signal.SIGKILL)
        process.wait()

    async def end(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            await asyncio.to_thread(process.wait, 30)


async def run(arguments: argparse.Namespace, home: Path, address: str) -> dict[str, object]:
    rng = random.Random(arguments.seed)
    vendor = Vendor(random.Random(arguments.seed))
    application = web.Application()
    application.router.add_post("/chat/completions", vendor.chat)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    place = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"

    records = await opened(address, home)
    first = await gateway(records, place, arguments.limit)
    keys = await _keys(first)
    await first.close()

    fleet = Fleet(arguments, place, address, home)
    begun = time.perf_counter()
    left_estimates, killed = 0, 0
    try:
        crowd = Crowd([await fleet.start() for _ in range(arguments.gateways)], keys)
        say(f"{arguments.gateways} gateways are up")
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            clients = [
                asyncio.create_task(crowd.client(session, random.Random(f"{arguments.seed}/{number}")))
                for number in range(arguments.clients)
            ]
            for turn in range(arguments.kills):
                share = arguments.limit * (turn + 1) / (arguments.kills + 1)
                while sum(vendor.charged.values()) < share and not all(it.done() for it in clients):
                    await asyncio.sleep(0.005)
                victim = rng.choice(crowd.ports)
                crowd.ports.remove(victim)
                fleet.kill(victim)
                killed += 1
                orphans = [row.value for row in await records.query(f"{TENANT}/reservations", limit=100_000)]
                say(
                    f"killed a gateway; {len(orphans)} reservations stand, {sum(vendor.charged.values())} micros charged"
                )
                left_estimates += sum(value["q"][3] for value in orphans)
                crowd.ports.append(await fleet.start())
            await asyncio.gather(*clients)
    finally:
        await fleet.end()
        await runner.cleanup()
    seconds = time.perf_counter() - begun

    last = await gateway(records, place, arguments.limit)
    statuses = {status.budget.id: status for status in await last.till.spend.status() if not status.member}
    each = sum(status.spent for status in await last.till.spend.status() if status.member)
    reservations = await records.query(f"{TENANT}/reservations")
    await last.close()
    await records.close()

    spent, reserved = statuses["all"].spent, statuses["all"].reserved
    charged = vendor.charged
    wrong = [number for number, cost in crowd.answered.items() if charged.get(number) != cost]
    lost = sum(cost for number, cost in charged.items() if number not in crowd.answered)
    rest = spent - sum(crowd.answered.values())
    return {
        "overshoot_micros": max(0, spent + reserved - arguments.limit),
        "leaked_reservations": len(reservations) + (reserved != 0),
        "calls": len(charged),
        "uncharged_micros": max(0, lost - rest),
        "overcharged_micros": max(0, rest - lost - left_estimates),
        "answers_with_another_cost": len(wrong),
        "counters_that_differ": (each != spent) + (statuses["model"].spent != spent),
        "budget_micros": arguments.limit,
        "spent_micros": spent,
        "vendor_micros": sum(charged.values()),
        "refused": crowd.refused,
        "broken_by_kills": crowd.broken,
        "gateways": arguments.gateways,
        "killed": killed,
        "clients": arguments.clients,
        "records": arguments.records,
        "seconds": round(seconds, 1),
        "answers_per_second": round(len(crowd.took) / max(crowd.took[-1] - crowd.took[0], 0.001)),
    }


async def _keys(running) -> list[str]:
    from strata.types import Principal

    operator = Principal(TENANT, "operator", roles=frozenset({"operator"}), kind="service")
    made = [await running.keys.create(operator, name, owner=name, department="bench") for name in ("ines", "ben")]
    return [plain for _, plain in made]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateways", type=int, default=3)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--limit", type=int, default=100_000, help="the budget in micro-units; a call is about 70")
    parser.add_argument("--records", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--postgres", default="", help="//user@host:port/database of a running server")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    for name in ("vendor", "address"):
        parser.add_argument(f"--{name}", default="", help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, default=Path(), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        asyncio.run(work(arguments))
        return
    with ExitStack() as closing:
        home = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="strata-bench-")))
        address = "sqlite:gateway.db" if arguments.records == "sqlite" else _postgres(arguments.postgres, closing)
        print(json.dumps(asyncio.run(run(arguments, home, address))))


def _postgres(given: str, closing: ExitStack) -> str:
    if given:
        return f"postgres:{given}"
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.adapters.postgres_server import PostgresServer, binaries

    found = binaries()
    if found is None:
        raise SystemExit("PostgreSQL is not installed here; give the address of a server with --postgres")
    server = PostgresServer.begin(found)
    closing.callback(shutil.rmtree, server.folder, ignore_errors=True)
    closing.callback(server.end)
    return f"postgres:{server.address()}"


if __name__ == "__main__":
    main()
