"""What a request costs at our gateway and at those of others, side by side in one run.

    .venv/bin/python bench/gateway_peers.py [--peers strata,envoy,tensorzero] [--rounds 3] [--requests 1000]

Installs the peers below a cache folder (some 1.5 GB, once), starts each of them once against the same mock vendor, and
measures them in turn, round by round, so that whatever else the machine does hits all of them. All get the same body
from the same client. CPU time is that of all processes of a peer, from /proc. Our gateway has everything on; the peers
run as fast as they can be set: no database, no log, one worker. Prints a table on stderr and one JSON object as the
last line. Needs Linux; Portkey needs node.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from _meter import Load, family, family_cpu_seconds, memory_mb, percentile
from _peers import PEERS, ROOT, Peer, Setting, Start, Unavailable, environment, free_port, ready

PROMPT = "Which batch of the freeze-dried product was released last, and who signed for it? " * 4
CLIENTS, CHUNKS = 8, 8
SETTLE = 0.5
"""Seconds after a round, so that work put off is counted too."""
PATIENCE = 90.0
"""Seconds in which a peer has to answer its first request."""
SAID = re.compile(rb'"content":\s*"[^"]')
PORT = re.compile(r"^(\d{2,5})(?: (\S+))? *$", re.MULTILINE)
OURS = {"chat": "mock", "stream": f"mock;chunks={CHUNKS}"}
OTHERS = {"chat": "gpt-4o-mini", "stream": f"mock-chunks.{CHUNKS}"}
GOALS = {"chat": 0.35 / 0.22, "stream": 0.45 / 0.50}
"""The most that we may cost of what TensorZero costs in the same run."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def told(body: bytes) -> bool:
    """A whole answer with something said."""
    return SAID.search(body) is not None and b'"usage"' in body


def streamed(body: bytes) -> bool:
    """All pieces, each with something said, and the end."""
    return len(SAID.findall(body)) >= CHUNKS and b"[DONE]" in body


CHECKS = {"chat": told, "stream": streamed}


@dataclass
class Running:
    """A started peer, and what has been measured of it: CPU milliseconds a request, by kind and round."""

    peer: Peer
    process: subprocess.Popen[str]
    start: Start
    port: int
    key: str
    start_s: float = 0.0
    fresh_mb: float = 0.0
    p50_ms: float = 0.0
    loaded_mb: float = 0.0
    cost: dict[str, list[float]] = field(default_factory=lambda: {"chat": [], "stream": []})

    def request(self, kind: str) -> bytes:
        body: dict[str, object] = {
            "model": self.start.models[kind],
            "messages": [{"role": "user", "content": PROMPT}],
            "max_tokens": 64,
        }
        if kind == "stream":
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        data = json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.key}"} | dict(self.start.headers)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (
            f"POST {self.start.path} HTTP/1.1\r\nhost: bench\r\n{lines}"
            f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        ).encode() + data

    async def load(self, kind: str, count: int, clients: int = CLIENTS) -> tuple[float, Load]:
        """CPU milliseconds of all its processes per request, and the load that was run."""
        before = family_cpu_seconds(self.process.pid)
        load = await Load(self.port, self.request(kind), clients, CHECKS[kind]).run(count)
        if load.failed:
            raise Unavailable(f"{load.failed} of {count} answers to a {kind} were not 200 with all of their content")
        await asyncio.sleep(SETTLE)
        return (family_cpu_seconds(self.process.pid) - before) * 1000 / count, load

    def memory(self) -> float:
        return sum(memory_mb(pid) for pid in family(self.process.pid) if Path(f"/proc/{pid}").exists())


# ------------------------------------------------------------------ starting and stopping


@contextmanager
def vendor(mock: Path | None) -> Iterator[str]:
    """Our own mock vendor, or another one that takes `--port`; its base URL."""
    if mock is None:
        process = subprocess.Popen([sys.executable, "-m", "strata.testing.vendor"], stdout=subprocess.PIPE, text=True)
        address = first_line(process, PATIENCE)[-1]
    else:
        port = free_port()
        process = subprocess.Popen([sys.executable, str(mock), "--port", str(port)], stdout=subprocess.DEVNULL)
        address = f"http://127.0.0.1:{port}/v1"
    try:
        yield address
    finally:
        stop(process)


def first_line(process: subprocess.Popen[str], seconds: float) -> list[str]:
    """The words of the first line that a process prints. Raises `Unavailable` if it says nothing in this time."""
    alarm = threading.Timer(seconds, process.kill)
    alarm.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
    finally:
        alarm.cancel()
    if not line:
        raise Unavailable("the mock vendor ended before it was ready")
    return line.split()


async def said(process: subprocess.Popen[str], log: Path, until: float) -> tuple[int, str]:
    """The port and the key that a peer prints on a line of their own, when it does."""
    while True:
        ended = process.poll() is not None
        if found := PORT.search(log.read_text(errors="replace")):
            return int(found[1]), found[2] or "none"
        if ended or time.perf_counter() > until:
            raise Unavailable("it ended before it was ready." if ended else f"not ready within {PATIENCE:.0f} s.")
        await asyncio.sleep(0.02)


def stop(process: subprocess.Popen[str]) -> None:
    """End a process and everything that it started."""
    below = family(process.pid) - {process.pid} if process.poll() is None else set()
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
    for pid in below:
        try:
            os.kill(pid, 15)
        except ProcessLookupError:
            continue


async def started(peer: Peer, cache: Path, home: Path, address: str, models: dict[str, str]) -> Running:
    """A peer that has answered its first request."""
    place = ready(peer, cache)
    below = home / peer.name
    below.mkdir()
    setting = Setting(place, below, address, free_port(), models)
    start = peer.start(setting)
    environ = environment(start) | {"HOME": str(below)}
    begun = time.perf_counter()
    log = below / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            start.command, stdout=output, stderr=subprocess.STDOUT, text=True, env=environ, cwd=below
        )
    try:
        until = begun + PATIENCE
        port, key = await said(process, log, until) if start.says_port else (setting.port, "none")
        running = Running(peer, process, start, port, key)
        await answering(running, until)
    except Unavailable as error:
        stop(process)
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise Unavailable(f"{error} {' '.join(last)[:200]}".strip()) from None
    except BaseException:
        stop(process)
        raise
    running.start_s = time.perf_counter() - begun
    running.fresh_mb = running.memory()
    return running


async def answering(running: Running, until: float) -> None:
    while True:
        try:
            load = await Load(running.port, running.request("chat"), 1, told).run(1)
            if not load.failed:
                return
        except OSError:
            pass
        if running.process.poll() is not None:
            raise Unavailable("it ended before it answered.")
        if time.perf_counter() > until:
            raise Unavailable(f"no answer within {PATIENCE:.0f} s.")
        await asyncio.sleep(0.02)


# ------------------------------------------------------------------ measuring


async def compare(
    peers: Sequence[Peer], cache: Path, mock: Path | None, rounds: int, count: int
) -> tuple[list[Running], dict[str, str]]:
    """The peers with what they cost, and why the others were left out."""
    running: list[Running] = []
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="strata-peers-") as home, vendor(mock) as address:
        try:
            for peer in peers:
                try:
                    one = await started(peer, cache, Path(home), address, OTHERS if mock else OURS)
                    running.append(one)
                    for kind in CHECKS:
                        await one.load(kind, max(count // peer.weight, CLIENTS))
                    say(f"{peer.name}: first answer after {one.start_s:.1f} s")
                except Unavailable as error:
                    skipped[peer.name] = str(error)
                    say(f"{peer.name} is left out: {error}")
            kept = [one for one in running if one.peer.name not in skipped]
            for number in range(rounds):
                for kind in CHECKS:
                    costs = [(await one.load(kind, count // one.peer.weight))[0] for one in kept]
                    for one, cost in zip(kept, costs, strict=True):
                        one.cost[kind].append(cost)
                    told_costs = "  ".join(f"{one.peer.name} {cost:.3f}" for one, cost in zip(kept, costs, strict=True))
                    say(f"round {number + 1}/{rounds} {kind}: {told_costs}")
            for one in kept:
                _, alone = await one.load("chat", max(count // one.peer.weight // 4, 20), 1)
                one.p50_ms = percentile(alone.took, 0.5)
                one.loaded_mb = one.memory()
        finally:
            for one in reversed(running):
                stop(one.process)
    return kept, skipped


def report(kept: Sequence[Running], skipped: dict[str, str], rounds: int, count: int) -> dict[str, object]:
    ours = next((one for one in kept if one.peer.name == "strata"), None)
    return {
        "peers": {one.peer.name: figures(one, count) for one in kept},
        "ratios": {one.peer.name: ratios(ours, one) for one in kept if ours and one is not ours},
        "goal_to_tensorzero": {kind: round(goal, 2) for kind, goal in GOALS.items()},
        "skipped": skipped,
        "ours_has": PEERS[0].about,
        "peers_have": "features off: no database, no log, one worker",
        "rounds": rounds,
        "requests": count,
        "clients": CLIENTS,
    }


def figures(one: Running, count: int) -> dict[str, object]:
    result: dict[str, object] = {"about": one.peer.about}
    for kind, costs in one.cost.items():
        result[f"{kind}_cpu_ms"] = round(statistics.median(costs), 3)
        result[f"{kind}_cpu_ms_range"] = [round(min(costs), 3), round(max(costs), 3)]
    return result | {
        "p50_ms": round(one.p50_ms, 2),
        "rss_mb": round(one.loaded_mb),
        "rss_fresh_mb": round(one.fresh_mb),
        "start_s": round(one.start_s, 2),
        "requests_a_round": count // one.peer.weight,
    }


def ratios(ours: Running, other: Running) -> dict[str, object]:
    """What we cost of what it costs: of the medians, of the cheapest rounds, and the range over the rounds."""
    result: dict[str, object] = {}
    for kind in CHECKS:
        rounds = [mine / max(theirs, 1e-6) for mine, theirs in zip(ours.cost[kind], other.cost[kind], strict=True)]
        medians = statistics.median(ours.cost[kind]) / max(statistics.median(other.cost[kind]), 1e-6)
        result[kind] = round(medians, 2)
        result[f"{kind}_cheapest"] = round(min(ours.cost[kind]) / max(min(other.cost[kind]), 1e-6), 2)
        result[f"{kind}_range"] = [round(min(rounds), 2), round(max(rounds), 2)]
    return result


def table(kept: Sequence[Running]) -> str:
    lines = [
        "| | CPU ms a chat | CPU ms an 8-chunk stream | p50, one client | resident | start |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in kept:
        cells = [f"{statistics.median(costs):.2f} ({min(costs):.2f}–{max(costs):.2f})" for costs in one.cost.values()]
        more = f"{one.p50_ms:.1f} ms | {one.loaded_mb:.0f} MB | {one.start_s:.1f} s"
        lines.append(f"| {one.peer.name} | {' | '.join(cells)} | {more} |")
    return "\n".join(lines)


def main() -> None:
    names = [peer.name for peer in PEERS]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "strata-bench"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join(names), help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=1000, help="in a round; slow peers get a share of them")
    parser.add_argument("--cache", type=Path, default=cache, help="where peers are installed (default: %(default)s)")
    parser.add_argument("--mock", type=Path, help="another mock vendor: a script that takes --port")
    arguments = parser.parse_args()
    wanted = arguments.peers.split(",")
    if unknown := sorted(set(wanted) - set(names)):
        parser.error(f"no peers called {', '.join(unknown)}; there are {', '.join(names)}")
    if arguments.cache.resolve().is_relative_to(ROOT):
        parser.error("the cache folder must be outside of the repository")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    peers = [peer for peer in PEERS if peer.name in wanted]
    kept, skipped = asyncio.run(compare(peers, arguments.cache, arguments.mock, arguments.rounds, arguments.requests))
    say(table(kept))
    print(json.dumps(report(kept, skipped, arguments.rounds, arguments.requests)))


if __name__ == "__main__":
    main()
