"""How long from `strata serve` to the first answered question, and how much memory that takes.

    .venv/bin/python bench/startup.py [--settings FILE] [--runs N]

Loads the sample company into a temporary home (not measured), then starts the server N times. Each time a person signs
in and asks a real question through the web application's API, with the embedded models. Prints one JSON object last:
`ready_s` (first healthy answer), `first_answer_s` (the first question, answered in quotations), `written_answer_s` (a
second one, written by the embedded model and checked), all from the start of the process, and `rss_mb` after that, both
models loaded, children included; medians over the runs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

ROOT = Path(__file__).parents[1]
PERSON = "tomas.lindqvist"
QUOTED = ("company", "When may I fly business class?")
WRITTEN = ("research", "How is Algentis stored?")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=Path, default=ROOT / "examples" / "cryodyne" / "strata.toml")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environ = {**os.environ, "STRATA_HOME": home, "STRATA_PORT": str(port)}
        strata = [sys.executable, "-m", "strata"]
        print("loading the sample company …", file=sys.stderr)
        subprocess.run([*strata, "ingest", "-s", str(args.settings)], env=environ, check=True, stdout=sys.stderr)
        secret = asyncio.run(token(environ, args.settings))
        runs = []
        for number in range(args.runs):
            runs.append(one_run([*strata, "serve", "-s", str(args.settings)], environ, port, secret))
            print(f"run {number + 1}: {runs[-1]}", file=sys.stderr)
    medians = {key: round(statistics.median(run[key] for run in runs), 3) for key in runs[0]}
    print(json.dumps({**medians, "runs": len(runs)}))


def one_run(command: list[str], environ: dict[str, str], port: int, secret: str) -> dict[str, float]:
    begun = time.perf_counter()
    server = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    try:
        asyncio.run(healthy(port))
        ready = time.perf_counter() - begun
        asyncio.run(answered(port, secret, *QUOTED))
        first = time.perf_counter() - begun
        asyncio.run(answered(port, secret, *WRITTEN))
        written = time.perf_counter() - begun
        return {
            "ready_s": ready,
            "first_answer_s": first,
            "written_answer_s": written,
            "rss_mb": resident(server.pid),
        }
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


async def token(environ: dict[str, str], path: Path) -> str:
    from strata.settings import load
    from strata.wiring import open_signin

    async with open_signin(load(path, environ)) as door:
        return (await door.links([PERSON]))[PERSON]


async def healthy(port: int) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(6000):
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{port}/healthz"):
                    return
            await asyncio.sleep(0.01)
    raise SystemExit("the server did not become healthy within a minute")


async def answered(port: int, token: str, assistant: str, question: str) -> None:
    url = f"http://127.0.0.1:{port}/api"
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(headers={"x-strata": "web"}, cookie_jar=jar, raise_for_status=True) as person:
        await person.post(f"{url}/sign-in", json={"token": token})
        async with person.post(f"{url}/sessions", json={"assistant": assistant}) as opened:
            session = (await opened.json())["id"]
        async with person.post(f"{url}/sessions/{session}/messages", json={"text": question}) as stream:
            body = (await stream.read()).decode()
    if '"answered"' not in body:
        raise SystemExit(f"the question was not answered: {body[-500:]}")


def resident(pid: int) -> float:
    """Resident megabytes of the process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (kilobytes,) = [
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return kilobytes / 1024 + sum(resident(int(child)) for child in children)


if __name__ == "__main__":
    main()
