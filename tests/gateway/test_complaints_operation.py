"""What operators of other gateways complained of, and what they must see here: memory, start, networks, licences.

`docs/reference/complaints.md` is the list; the numbers in the docstrings are its.
"""

from __future__ import annotations

import ast
import asyncio
import gc
import re
import subprocess
import sys
import tomllib
from collections import deque
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from strata.adapters.records.memory import MemoryRecords
from strata.errors import Unauthenticated
from strata.gateway import keys
from strata.gateway.build import build
from strata.gateway.options import Deployment, Options
from strata.testing.vendor import MockVendor
from strata.types import ChatRequest, Message

from .conftest import INES, TENANT, access, at, budget, doorway, echo, world

ROOT = Path(__file__).parents[2]


# ------------------------------------------------------------------ memory


def containers(of: Any) -> dict[str, int]:
    """The sizes of everything that the gateway's own objects hold, by where it is; stores are not theirs."""
    seen: set[int] = set()
    found: dict[str, int] = {}
    todo: list[tuple[str, Any]] = [("gateway", of)]
    while todo:
        place, it = todo.pop()
        if id(it) in seen or isinstance(it, MemoryRecords):
            continue
        seen.add(id(it))
        if isinstance(it, dict | list | set | deque | bytearray):
            found[place] = found.get(place, 0) + len(it)
        todo += [(f"{place}.{name}", held) for name, held in _held(it)]
    return found


def _held(it: Any) -> Iterator[tuple[str, Any]]:
    if is_dataclass(it) and not isinstance(it, type):
        yield from ((one.name, getattr(it, one.name, None)) for one in fields(it))
    elif isinstance(it, dict):
        yield from (("*", value) for value in it.values())
    elif isinstance(it, list | tuple | set | frozenset | deque):
        yield from (("*", value) for value in it)
    elif type(it).__module__.startswith("strata.") and not isinstance(it, type):
        names = {*getattr(it, "__dict__", ()), *getattr(type(it), "__slots__", ())}
        yield from ((name, getattr(it, name, None)) for name in names)


async def test_five_thousand_calls_leave_nothing_behind_in_memory():
    """1: litellm#12685, #27954, #38193, #15128: memory grew with every call until the process was killed."""
    async with world(echo(reply="a b c"), budgets=(budget(10**12),), cache_seconds=0.0, requests_per_minute=0) as it:

        async def calls(first: int, count: int) -> None:
            for start in range(first, first + count, 50):
                texts = (f"question {number}" for number in range(start, start + 50))
                asks = (ChatRequest("echo", (Message("user", text),), 8) for text in texts)
                await asyncio.gather(*(it.gateway.complete(INES, ask) for ask in asks))
            await it.gateway.settled()

        await calls(0, 200)
        before = containers(it.gateway)
        gc.collect()
        objects = len(gc.get_objects())
        it.events.clear()
        await calls(200, 5000)
        assert {place: size for place, size in containers(it.gateway).items() if size > before.get(place, 0)} == {}
        assert it.bus is not None
        await it.bus.drain()
        it.events.clear()
        it.records.cells.clear()
        it.records.keys.clear()
        gc.collect()
        assert len(gc.get_objects()) < objects + 2500, "half an object a call would be a leak"


async def test_strangers_who_try_many_keys_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    """1: what is remembered of callers has an end, also of those who are nobody."""
    monkeypatch.setattr(keys, "MAX_CACHED", 100)
    async with world() as it:
        for number in range(1000):
            with pytest.raises(Unauthenticated):
                await it.gateway.keys.caller(f"sk-strata-{number}")
        assert len(it.gateway.keys._seen) <= 100


# ------------------------------------------------------------------ the start


HEAVY = {
    "numpy", "pandas", "pyarrow", "torch", "transformers", "onnxruntime", "scipy", "sklearn", "llama_cpp", "tokenizers",
    "lancedb", "duckdb", "pyoxigraph", "fastapi", "httpx", "requests", "openai", "anthropic", "botocore", "boto3",
    "google", "cohere", "litellm", "opentelemetry", "prisma", "sqlalchemy", "playwright", "genai_prices",
}  # fmt: skip
STARTED = """
import asyncio, sys
import strata.cli, strata.workers
from strata.settings import read
from strata.wiring import build

vendor = {"kind": "chat", "options": {"base_url": "https://vendor.example/v1", "api_key": "x"}, "price": {"input": 1}}
raw = {
    "remote": {"reporting": "http://127.0.0.1:9"},
    "models": {name: {**vendor, "provider": name} for name in ("openai", "anthropic", "gemini", "cohere")},
}

async def start():
    async with build(read(raw, {"STRATA_HOME": sys.argv[1]}), ("gateway",)):
        print(*sorted({name.partition(".")[0] for name in sys.modules}))

asyncio.run(start())
"""


def test_a_gateway_starts_without_loading_what_no_call_needs(tmp_path: Path):
    """16: litellm#2677, #6175: importing it took 4 to 21 seconds. `bench/startup.py` has our time."""
    done = subprocess.run([sys.executable, "-c", STARTED, str(tmp_path)], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"strata", "uvloop", "sqlite3"} <= loaded
    assert loaded & HEAVY == set()


async def test_a_gateway_starts_and_knows_its_prices_without_any_network(monkeypatch: pytest.MonkeyPatch):
    """17: litellm#33167: database engines and the list of prices were fetched at the start."""

    def forbidden(*words: Any, **_: Any) -> Any:
        raise AssertionError(f"something wants the network: {words}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(f"socket.socket.{name}", forbidden)
    monkeypatch.setattr("socket.getaddrinfo", forbidden)
    models = (
        Deployment("large", "chat", "openai", "gpt-4o", options={"base_url": "https://nowhere.example/v1", "api_key": "x"}),
        Deployment("claude", "chat", "anthropic", "claude-sonnet-4-5", options={"api_key": "x"}),
        echo(reply="hello"),
    )  # fmt: skip
    gateway = await build(Options(models=models), tenant=TENANT, records=MemoryRecords(), access=access())
    await gateway.warm()
    assert gateway.router.routes["large"].tariff.currency == "USD"
    assert not gateway.router.routes["claude"].tariff.free
    assert (await gateway.complete(INES, ChatRequest("echo", (Message("user", "hi"),)))).text == "hello"
    await gateway.close()


# ------------------------------------------------------------------ stores that are slow


class Half(MemoryRecords):
    """A store that takes what is written and does not answer, for a while."""

    stuck: asyncio.Event | None = None

    async def commit(self, *changes: Any, **more: Any) -> None:
        if self.stuck is not None:
            await self.stuck.wait()
        await super().commit(*changes, **more)


def ask() -> ChatRequest:
    return ChatRequest("echo", (Message("user", "hi"),), 8)


async def test_while_the_store_is_stuck_callers_may_leave_and_everything_goes_on_afterwards(vendor: MockVendor):
    """10: litellm#35273, #40672, #3400: a store that was half dead took the whole gateway with it."""
    records = Half()
    options = Options(models=(at(vendor),), budgets=(budget(10_000),))
    gateway = await build(options, tenant=TENANT, records=records, access=access())
    await gateway.complete(INES, ask())
    await gateway.settled()
    records.stuck = asyncio.Event()
    waiting = [asyncio.create_task(gateway.complete(INES, ask())) for _ in range(20)]
    await asyncio.sleep(0.05)
    assert [model.name for model in await gateway.models(INES)] == ["echo"]
    for task in waiting[:10]:
        task.cancel()
    await asyncio.wait(waiting[:10])
    assert all(task.cancelled() for task in waiting[:10])
    records.stuck.set()
    assert [(await task).text for task in waiting[10:]] == ["This is the mock's answer."] * 10
    await gateway.complete(INES, ask())
    while gateway.till.under_way:
        await gateway.settled()
        await asyncio.sleep(0.01)
    (status,) = await gateway.till.spend.status()
    assert (status.spent, status.reserved) == (12 * 28, 0)
    await gateway.close()


# ------------------------------------------------------------------ what costs extra


def test_nothing_here_waits_for_a_licence_key():
    """14, 25: litellm#25762, #34241, portkey#360: sign-in, audit and virtual keys were for those who pay."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    asking = re.compile(r"licen[cs]e_?key|enterprise_|premium_|is_paid|pro_plan", re.IGNORECASE)
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "web" / "src").rglob("*.ts*")]
    assert [str(place) for place in sources if asking.search(place.read_text(encoding="utf-8"))] == []


async def test_keys_with_scope_owner_expiry_and_use_come_with_the_gateway():
    """25: portkey#360, #115, #183: keys and users were in the hosted product only."""
    async with doorway(echo(reply="x"), echo("large", reply="y")) as door:
        key = await door.world.key(models=("echo",))
        assert (await door.chat(key=key)).status == 200
        assert (await door.chat(key=key, model="large")).status == 403
        (fact,) = await door.world.facts()
        assert (fact.payer.department, fact.payer.person) == ("research", "ines")
        assert fact.payer.key.startswith("key_")


# ------------------------------------------------------------------ the list


def test_every_test_in_the_list_of_complaints_is_there():
    """Each row names the tests that show it, or says why it cannot happen."""
    page = (ROOT / "docs" / "reference" / "complaints.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|(.*)\|$", page, flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 31))
    for number, row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named or "cannot happen" in row, f"row {number} shows nothing"
        for place, name in named:
            assert name in functions(ROOT / place), f"row {number}: {place} has no {name}"


def functions(place: Path) -> set[str]:
    tree = ast.parse(place.read_text(encoding="utf-8"))
    return {it.name for it in ast.walk(tree) if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)}
