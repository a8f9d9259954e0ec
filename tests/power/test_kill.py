"""Kill -9 at any moment: what a store said is safe is there whole, and what it was doing is there wholly or not at all."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from strata.adapters.analytics import duckdb
from strata.adapters.graph import oxigraph
from strata.adapters.objects import folder
from strata.adapters.vectors import lancedb
from strata.testing.graph import EVERYBODY as GRAPH_READER
from strata.testing.vectors import EVERYBODY, toward

WRITER = Path(__file__).with_name("writer.py")
LIVES = 3


def last_safe(port, home, first, rng):
    """Let a writer live for a while, kill it, and tell the last number that it said is safe (or the one before)."""
    process = subprocess.Popen([sys.executable, WRITER, port, home, str(first)], stdout=subprocess.PIPE, text=True)
    said = [process.stdout.readline() for _ in range(rng.randrange(1, 16))]
    os.kill(process.pid, signal.SIGKILL)
    said += process.communicate()[0].splitlines()
    return max([int(line) for line in said if line.strip()], default=first - 1)


async def objects(home):
    store = await folder.make("objects", home=home)
    for meta in [meta async for meta in store.list()]:
        number = meta.name.removeprefix("a/")
        assert await store.get(meta.name) == number.encode() * 20_000
        yield int(number)


async def analytics(home):
    store = await duckdb.make("analytics", home=home)
    for row in await store.ask("SELECT n, count(*) AS times FROM usage GROUP BY n"):
        assert row["times"] == 1
        yield row["n"]
    await store.close()


async def graph(home):
    store = await oxigraph.make("graph", home=home)
    rows = await store.ask(GRAPH_READER, "SELECT ?s (COUNT(?o) AS ?n) { ?s ?p ?o } GROUP BY ?s", limit=10**6)
    await store.close()
    for row in rows:
        assert row["n"] == "5"
        yield int(row["s"].removeprefix("urn:d:a"))


async def vectors(home):
    store = await lancedb.make("vectors", home=home)
    found = await store.search(EVERYBODY, "word", toward(0), k=10**4, candidates=10**4)
    counts = {}
    for passage in found:
        counts[passage.chunk.document] = counts.get(passage.chunk.document, 0) + 1
    assert set(counts.values()) <= {3}
    numbers = [int(document.removeprefix("doc")) for document in counts]
    asked = " ".join(f"word{number}" for number in numbers)
    by_words = await store.search(EVERYBODY, asked, toward(0), k=10**4, candidates=10**4)
    assert len([passage for passage in by_words if passage.lexical is not None]) == len(found)
    await store.optimize()
    assert await store.count("acme") == 3 * len(counts)
    await store.close()
    for number in numbers:
        yield number


@pytest.mark.parametrize("check", [objects, analytics, graph, vectors], ids=lambda check: check.__name__)
async def test_what_was_safe_is_there_after_every_kill(check, tmp_path):
    rng, following = random.Random(check.__name__), 0
    for _ in range(2 if check is vectors else LIVES):
        safe = last_safe(check.__name__, tmp_path, following, rng)
        there = sorted([number async for number in check(tmp_path)])
        assert there == list(range(len(there)))
        assert len(there) >= safe + 1
        following = len(there)
    assert following > 2
