"""Several gateway workers behind one port: they share keys and budgets, die and are replaced, and end together."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from strata.adapters.records import postgres as postgres_records
from strata.adapters.records import sqlite
from strata.errors import Misconfigured
from strata.settings import read
from strata.workers import run

SETTINGS = """
[strata]
tenant = "acme"

[serve]
workers = 3

[stores]
records = "{records}"

[remote]
reporting = "http://127.0.0.1:{reporting}"
gateway = "http://127.0.0.1:{gateway}"

[models.chat]
kind = "chat"
provider = "echo"
price = {{ request = "0.01" }}

[models.cheap]
kind = "chat"
provider = "echo"
price = {{ request = "0.0001" }}

[models.slow]
kind = "chat"
provider = "echo"
price = {{ request = "0.01" }}
options = {{ script = {{ delay = 30 }} }}

[[departments]]
id = "lab"
name = "Laboratory"

[[budgets]]
id = "lab"
name = "Laboratory"
subject = "department:lab"
limit = 0.50
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """`strata serve gateway` with three workers, and reporting beside it."""

    def __init__(self, folder: Path, records: str) -> None:
        self.folder = folder
        self.port = free_port()
        text = SETTINGS.format(records=records, reporting=free_port(), gateway=self.port)
        (folder / "strata.toml").write_text(text)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("STRATA_")}
        self.environ = clean | {"STRATA_HOME": str(folder / "home"), "STRATA_SETTINGS": str(folder / "strata.toml")}
        self.processes: list[subprocess.Popen[str]] = []

    def strata(self, *words: str) -> subprocess.Popen[str]:
        with (self.folder / f"{words[-1]}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "strata", *words], env=self.environ, stdout=log, stderr=log, text=True
            )
        self.processes.append(process)
        return process

    def start(self) -> None:
        self.strata("serve", "reporting")
        self.boss = self.strata("serve", "gateway")
        self.wait(lambda: "3 workers serve gateway" in (self.folder / "gateway.log").read_text())
        made = subprocess.run(
            [sys.executable, "-m", "strata", "keys", "create", "test", "--department", "lab"],
            env=self.environ, capture_output=True, text=True, check=True,
        )  # fmt: skip
        self.key = made.stdout.strip()

    def wait(self, condition) -> None:
        while not condition():
            dead = [process.args for process in self.processes if process.poll() is not None]
            assert not dead, "\n".join(log.read_text() for log in self.folder.glob("*.log"))
            time.sleep(0.05)

    def workers(self) -> set[int]:
        return children(self.boss.pid)

    def ask(self, path: str = "/v1/chat/completions", **body: object) -> tuple[int, dict]:
        """A call over a connection of its own."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=json.dumps(body).encode() if body else None,
            headers={"authorization": f"Bearer {self.key}", "content-type": "application/json", "connection": "close"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def chat(self, text: str, model: str = "chat") -> int:
        """The status of a call; 0 where the connection broke."""
        try:
            return self.ask(model=model, messages=[{"role": "user", "content": text}], max_tokens=10)[0]
        except (OSError, http.client.HTTPException):
            return 0

    def end(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def children(pid: int) -> set[int]:
    try:
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except FileNotFoundError:
        return set()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def gateway(request, tmp_path):
    records = "sqlite:records/{layer}.db"
    if request.param == "postgres":
        schema = request.getfixturevalue("schema")
        records = f"postgres:{request.getfixturevalue('postgres').address(schema=f'{schema}_{{layer}}')}"
    gateway = Gateway(tmp_path, records)
    gateway.start()
    yield gateway
    gateway.end()


async def stored(gateway: Gateway, partition: str) -> dict[str, dict]:
    address = read({}, {"STRATA_HOME": str(gateway.folder / "home")}).stores.records
    text = (gateway.folder / "strata.toml").read_text()
    address = next(line for line in text.splitlines() if line.startswith("records")).split('"')[1]
    scheme, _, rest = address.replace("{layer}", "gateway").partition(":")
    module = {"sqlite": sqlite, "postgres": postgres_records}[scheme]
    records = await module.make(rest, home=gateway.folder / "home")
    found = {record.key: record.value for record in await records.query(partition)}
    await records.close()
    return found


def test_workers_share_the_port_keys_and_budgets_are_replaced_and_end_together(gateway):
    assert len(gateway.workers()) == 3
    with ThreadPoolExecutor(16) as threads:
        statuses = Counter(threads.map(gateway.chat, [f"number {n}" for n in range(40)]))
    assert statuses == {200: 40}
    assert len(asyncio.run(stored(gateway, "acme/leases"))) == 3

    killed = min(gateway.workers())
    os.kill(killed, signal.SIGKILL)
    gateway.wait(lambda: len(gateway.workers() - {killed}) == 3)
    with ThreadPoolExecutor(16) as threads:
        statuses = Counter(threads.map(gateway.chat, [f"more {n}" for n in range(40)]))
    assert statuses == {200: 10, 429: 30}  # the limit is 50 calls at 0.01

    gateway.wait(lambda: sum(gateway.ask("/readyz")[1]["backlog"]["gateway"].values()) == 0)
    assert budget(gateway) == {"held": 500_000, "spent": 500_000}

    workers = gateway.workers()
    gateway.boss.send_signal(signal.SIGTERM)
    assert gateway.boss.wait(60) == 0
    assert not [pid for pid in workers if alive(pid)]
    assert asyncio.run(stored(gateway, "acme/leases")) == {}


def budget(gateway: Gateway) -> dict:
    (counter,) = asyncio.run(stored(gateway, "acme/budgets")).values()
    return counter


def test_calls_that_die_with_all_workers_are_paid_for_by_those_who_come_after(gateway):
    with ThreadPoolExecutor(9) as threads:
        calls = [threads.submit(gateway.chat, f"number {n}", "slow") for n in range(9)]
        gateway.wait(lambda: len(asyncio.run(stored(gateway, "acme/reservations"))) == 9)
        for pid in gateway.workers():
            os.kill(pid, signal.SIGKILL)
        assert [call.result() for call in calls] == [0] * 9
    gateway.wait(lambda: not asyncio.run(stored(gateway, "acme/reservations")))
    assert budget(gateway) == {"held": 90_000, "spent": 90_000}
    gateway.wait(lambda: gateway.chat("and one more") == 200)


@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize("gateway", ["postgres"], indirect=True)
def test_a_database_that_crashes_under_the_workers_costs_no_call_and_no_cent(gateway, postgres):
    statuses: list[int] = []
    ending = threading.Event()

    def keep_asking() -> None:
        while not ending.is_set():
            statuses.append(gateway.chat("again", "cheap"))

    with ThreadPoolExecutor(4) as threads:
        for _ in range(4):
            threads.submit(keep_asking)
        gateway.wait(lambda: len(statuses) > 10)
        postgres.stop("immediate")
        postgres.start()
        before = len(statuses)
        gateway.wait(lambda: len(statuses) > before + 10)
        ending.set()
    assert set(statuses) == {200}
    gateway.wait(lambda: not asyncio.run(stored(gateway, "acme/reservations")))
    assert budget(gateway) == {"held": 100 * len(statuses), "spent": 100 * len(statuses)}
    gateway.wait(lambda: sum(gateway.ask("/readyz")[1]["backlog"]["gateway"].values()) == 0)


def test_workers_end_when_nobody_looks_after_them_any_more(tmp_path):
    gateway = Gateway(tmp_path, "sqlite:records/{layer}.db")
    try:
        gateway.start()
        workers = gateway.workers()
        gateway.boss.kill()
        gateway.boss.wait()
        deadline = time.monotonic() + 60
        while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not [pid for pid in workers if alive(pid)]
    finally:
        gateway.end()


def test_what_no_worker_can_start_with_is_told_once(tmp_path):
    (tmp_path / "strata.toml").write_text('[stores]\nrecords = "sqlite:run"\n[serve]\nworkers = 2\n')
    done = subprocess.run(
        [sys.executable, "-m", "strata", "serve", "gateway", "--port", str(free_port())],
        env=os.environ | {"STRATA_HOME": str(tmp_path), "STRATA_SETTINGS": str(tmp_path / "strata.toml")},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("gateway needs reporting") == 1


def test_only_the_gateway_over_shared_records_can_have_several_workers(tmp_path):
    settings = read({}, {"STRATA_HOME": str(tmp_path)})
    with pytest.raises(Misconfigured, match="only the gateway"):
        run(settings, ("gateway", "app"), 2, print)
    settings = read({"stores": {"records": "memory:"}}, {"STRATA_HOME": str(tmp_path)})
    with pytest.raises(Misconfigured, match="memory"):
        run(settings, ("gateway",), 2, print)
