"""Whether the gateway's memory stays flat: many mixed requests through one worker, its resident memory all the way.

    .venv/bin/python bench/soak.py [--requests 500000] [--trace 30]

Plain answers, streams, requests that the gateway refuses, vendors that fail, and clients that hang up in the middle of a
stream; every text differs, so that nothing repeats that a cache could keep. Memory is sampled after every 1 %. The first
fifth is warm-up. Flat means less than 5 MB more at the end than after the warm-up, by the line through the samples.
`--trace N` lets the worker tell which N lines of code hold more memory at the end than after the warm-up; it is slow,
and what it remembers counts as memory. Prints progress on stderr and one JSON object as the last line. Needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from _meter import Client, cpu_seconds, memory_mb

HERE = Path(__file__).parent
CLIENTS = 8
WARM, FLAT_MB = 0.2, 5.0
MODELS = {
    "chat": "mock",
    "stream": "mock;chunks=8",
    "slow": "mock;chunks=8;delay=0.02",
    "failing": "mock;every=3;fail=500",
    "refusing": "mock;fail=400",
    "broken": "mock;every=3;chunks=8;drop=3",
}
MIX = {
    "chat": 50,
    "stream": 25,
    "leaves": 5,
    "vendor refuses": 5,
    "vendor fails": 3,
    "stream breaks": 2,
    "unknown model": 3,
    "wrong key": 3,
    "no JSON": 4,
}
"""How many of a hundred requests are of which kind."""


def request(kind: str, key: str, number: int) -> bytes:
    """One request; no two of them say the same."""
    model = {
        "chat": "chat",
        "stream": "stream",
        "leaves": "slow",
        "vendor refuses": "refusing",
        "vendor fails": "failing",
        "stream breaks": "broken",
        "unknown model": f"unknown-{number}",
    }.get(kind, "chat")
    said = f"Question {number}: which batch of the freeze-dried product was released last? " * (1 + number % 5)
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": "user", "content": said}],
        "max_tokens": 64,
        "user": f"user-{number}",
    }
    if kind in {"stream", "leaves", "stream breaks"}:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    data = b'{"model": "chat", ' if kind == "no JSON" else json.dumps(body).encode()
    bearer = f"sk-wrong-{number}" if kind == "wrong key" else key
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {bearer}\r\n"
        f"x-request-id: soak-{number}\r\nx-strata-session: {number}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    ).encode() + data


@dataclass
class Soak:
    """Clients that draw requests from one row until it is empty; what became of them."""

    port: int
    key: str
    kinds: Iterator[str]
    number: int = 0
    ended: dict[str, Counter[str]] = field(default_factory=lambda: {kind: Counter() for kind in MIX})

    async def client(self) -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = None, None
        for kind in self.kinds:
            self.number += 1
            data = request(kind, self.key, self.number)
            if transport is None or transport.is_closing():
                transport, protocol = await loop.create_connection(Client, "127.0.0.1", self.port)
            if kind == "leaves":
                protocol.ask(data)
                await asyncio.sleep(random.uniform(0.0, 0.1))
                transport.abort()
                self.ended[kind]["left"] += 1
                continue
            ok = await protocol.ask(data)
            status = protocol.buffer[9:12].decode("latin-1")
            self.ended[kind][status if ok or status != "200" else "200, broken off"] += 1
        if transport is not None:
            transport.abort()


def kinds(count: int) -> Iterator[str]:
    names, weights = list(MIX), list(MIX.values())
    chosen = random.Random(7)
    for _ in range(count):
        yield chosen.choices(names, weights)[0]


async def run(count: int, trace: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="strata-soak-") as home:
        processes: list[subprocess.Popen[str]] = []
        try:
            vendor = subprocess.Popen(
                [sys.executable, "-m", "strata.testing.vendor"], stdout=subprocess.PIPE, text=True
            )
            processes.append(vendor)
            assert vendor.stdout
            address = vendor.stdout.readline().split()[-1]
            models = [part for name, model in MODELS.items() for part in ("--model", f"{name}={model}")]
            command = [sys.executable, str(HERE / "_gateway_worker.py"), "--vendor", address, "--home", home, *models]
            worker = subprocess.Popen([*command, "--trace", str(trace)], stdout=subprocess.PIPE, text=True)
            processes.append(worker)
            assert worker.stdout
            port, key = worker.stdout.readline().split()
            return await soak(worker, int(port), key, count, Path(home), trace)
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait(30)


async def soak(
    worker: subprocess.Popen[str], port: int, key: str, count: int, home: Path, trace: int
) -> dict[str, object]:
    step = max(count // 100, 1)
    samples: list[tuple[int, float]] = []
    ended: dict[str, Counter[str]] = {kind: Counter() for kind in MIX}
    mixed, done, begun, cpu = kinds(count), 0, time.perf_counter(), cpu_seconds(worker.pid)
    while done < count:
        size = min(step, count - done)
        share = iter([next(mixed) for _ in range(size)])
        part = Soak(port, key, share, done, ended)
        await asyncio.gather(*(part.client() for _ in range(CLIENTS)))
        done += size
        samples.append((done, memory_mb(worker.pid)))
        if trace and len(samples) in {20, 100}:
            worker.send_signal(signal.SIGUSR1)
        if len(samples) % 5 == 0:
            rate = done / (time.perf_counter() - begun)
            print(f"{done} of {count}: {samples[-1][1]:.1f} MB, {rate:.0f}/s", file=sys.stderr, flush=True)
    cost = (cpu_seconds(worker.pid) - cpu) * 1000 / count
    return verdict(samples, count) | {
        "requests": count,
        "seconds": round(time.perf_counter() - begun),
        "cpu_ms": round(cost, 3),
        "on_disk_mb": {file.name: round(file.stat().st_size / 2**20, 1) for file in sorted(home.glob("gateway.db*"))},
        "ended": {kind: dict(counter) for kind, counter in ended.items()},
    }


def verdict(samples: list[tuple[int, float]], count: int) -> dict[str, object]:
    """First and last memory after the warm-up, the line through the samples between, and whether it is flat."""
    kept = [(done, mb) for done, mb in samples if done >= count * WARM]
    slope, _ = statistics.linear_regression([done for done, _ in kept], [mb for _, mb in kept])
    grown = slope * (kept[-1][0] - kept[0][0])
    return {
        "flat": grown < FLAT_MB and kept[-1][1] - kept[0][1] < FLAT_MB,
        "first_mb": round(kept[0][1], 1),
        "last_mb": round(kept[-1][1], 1),
        "most_mb": round(max(mb for _, mb in samples), 1),
        "fresh_mb": round(samples[0][1], 1),
        "mb_per_100k": round(slope * 100_000, 2),
        "samples": [round(mb, 1) for _, mb in samples],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=500_000)
    parser.add_argument("--trace", type=int, default=0, metavar="N", help="tell the N lines of code that grew most")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(json.dumps(asyncio.run(run(arguments.requests, arguments.trace))))


if __name__ == "__main__":
    main()
