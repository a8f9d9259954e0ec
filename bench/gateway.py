"""What the gateway costs: CPU per chat and per 8-chunk stream, latency, throughput, memory and time to start.

A mock vendor that answers at once, one gateway worker with everything on, and beside it the floor: the leanest proxy
made of the same parts. Rounds alternate between the two, so that whatever else the machine does hits both. Prints
progress on stderr and one JSON object as the last line. Needs Linux, for /proc.
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
from pathlib import Path

from _meter import Load, cpu_seconds, memory_mb, percentile

HERE = Path(__file__).parent
PROMPT = "Which batch of the freeze-dried product was released last, and who signed for it? " * 4


def request(model: str, key: str, *, stream: bool) -> bytes:
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 64}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    data = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def started(*command: str) -> tuple[subprocess.Popen[str], list[str], float]:
    """A process, the words of its first line, and the seconds until it said them."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise SystemExit(f"{command[0]} ended before it was ready")
    return process, line.split(), time.perf_counter() - begun


async def measure(process: subprocess.Popen[str], port: int, data: bytes, count: int) -> tuple[float, Load]:
    """CPU milliseconds of the process per request, and the load that was run."""
    before = cpu_seconds(process.pid)
    load = await Load(port, data).run(count)
    if load.failed:
        raise SystemExit(f"{load.failed} of {count} requests failed")
    return (cpu_seconds(process.pid) - before) * 1000 / count, load


async def run(rounds: int, count: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="strata-bench-") as home:
        processes: list[subprocess.Popen[str]] = []
        try:
            vendor, words, _ = started("-m", "strata.testing.vendor")
            processes.append(vendor)
            address = words[-1]
            worker = str(HERE / "_gateway_worker.py")
            gateway, (port, key), start_s = started(worker, "--vendor", address, "--home", home)
            processes.append(gateway)
            floor, (floor_port, *_), _ = started(worker, "--vendor", address, "--floor")
            processes.append(floor)
            say(f"gateway ready in {start_s:.2f} s with {memory_mb(gateway.pid):.0f} MB")
            return await compare(gateway, int(port), key, floor, int(floor_port), start_s, rounds, count)
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait(10)


async def compare(
    gateway: subprocess.Popen[str],
    port: int,
    key: str,
    floor: subprocess.Popen[str],
    floor_port: int,
    start_s: float,
    rounds: int,
    count: int,
) -> dict[str, object]:
    results: dict[str, dict[str, list[float]]] = {}
    took: list[float] = []
    rates: list[float] = []
    for name, stream in (("chat", False), ("stream", True)):
        data, bare = request(name, key, stream=stream), request(name, "none", stream=stream)
        for process, at, what in ((gateway, port, data), (floor, floor_port, bare)):
            await measure(process, at, what, max(count // 4, 50))
        mine: list[float] = []
        theirs: list[float] = []
        for number in range(rounds):
            cost, load = await measure(gateway, port, data, count)
            least, _ = await measure(floor, floor_port, bare, count)
            mine.append(cost)
            theirs.append(least)
            if not stream:
                took += load.took
                rates.append(count / load.seconds)
            say(
                f"{name} round {number + 1}/{rounds}: {cost:.3f} ms CPU, floor {least:.3f}, {count / load.seconds:.0f}/s"
            )
        results[name] = {"mine": mine, "floor": theirs}
    chat, stream_ = (statistics.median(results[name]["mine"]) for name in ("chat", "stream"))
    bare_chat, bare_stream = (statistics.median(results[name]["floor"]) for name in ("chat", "stream"))
    return {
        "chat_cpu_ms": round(chat, 3),
        "stream_cpu_ms": round(stream_, 3),
        "p50_ms": round(percentile(took, 0.5), 2),
        "p99_ms": round(percentile(took, 0.99), 2),
        "rps": round(statistics.median(rates)),
        "rss_mb": round(memory_mb(gateway.pid), 1),
        "start_s": round(start_s, 2),
        "floor": {
            "chat_cpu_ms": round(bare_chat, 3),
            "stream_cpu_ms": round(bare_stream, 3),
            "chat_ratio": round(chat / bare_chat, 2),
            "stream_ratio": round(stream_ / bare_stream, 2),
            "rss_mb": round(memory_mb(floor.pid), 1),
        },
        "clients": 8,
        "requests": rounds * count,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1000, help="requests in a round")
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(run(arguments.rounds, arguments.requests))))


if __name__ == "__main__":
    main()
