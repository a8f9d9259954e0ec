"""How long `strata serve gateway` takes until it answers, and how much memory it has then.

    .venv/bin/python bench/gateway_start.py [--runs 5]

A gateway alone, with two models of a vendor, one priced in the settings and one from the published list, new records in a
temporary home. Prints one JSON object last: `start_s` from the start of the process to the first healthy answer,
`cpu_s` of the process until then (hardly moved by what else the machine does), `rss_mb`, and `heavy`: libraries of other
roles that were loaded all the same. Medians over the runs. Needs Linux, for /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from _meter import cpu_seconds, memory_mb
from _peers import free_port

SETTINGS = """\
[strata]
tenant = "bench"
name = "Bench"
home = "home"

[serve]
host = "127.0.0.1"
port = {port}

[models.priced]
kind = "chat"
provider = "openai"
model = "mock"
price = {{ input = "0.15", output = "0.60" }}
options = {{ api_key = "sk-mock" }}

[models.published]
kind = "chat"
provider = "openai"
model = "gpt-4o-mini"
options = {{ api_key = "sk-mock" }}

[remote]
gateway = "http://127.0.0.1:{port}"
reporting = "http://127.0.0.1:9"
"""
HEAVY = ("numpy", "onnxruntime", "lancedb", "pyarrow", "duckdb", "llama_cpp", "tokenizers", "tantivy", "aiohttp")


def one_run(folder: Path) -> dict[str, object]:
    port = free_port()
    (folder / "strata.toml").write_text(SETTINGS.format(port=port))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STRATA_")}
    begun = time.perf_counter()
    command = [sys.executable, "-m", "strata", "serve", "gateway", "-s", str(folder / "strata.toml")]
    server = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL)
    try:
        while not healthy(port):
            if server.poll() is not None:
                raise SystemExit("the gateway ended before it was ready")
            time.sleep(0.02)
        took, cpu = time.perf_counter() - begun, cpu_seconds(server.pid)
        loaded = Path(f"/proc/{server.pid}/maps").read_text()
        heavy = [name for name in HEAVY if f"site-packages/{name}" in loaded]
        return {"start_s": took, "cpu_s": cpu, "rss_mb": memory_mb(server.pid), "heavy": heavy}
    finally:
        server.terminate()
        server.wait(30)


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    runs = []
    for number in range(arguments.runs):
        with tempfile.TemporaryDirectory(prefix="strata-start-") as folder:
            runs.append(one_run(Path(folder)))
        print(f"run {number + 1}: {runs[-1]}", file=sys.stderr, flush=True)
    medians = {
        name: round(statistics.median([run[name] for run in runs]), 2) for name in ("start_s", "cpu_s", "rss_mb")
    }
    print(json.dumps(medians | {"heavy": runs[-1]["heavy"], "runs": len(runs)}))


if __name__ == "__main__":
    main()
