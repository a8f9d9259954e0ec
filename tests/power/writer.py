"""A process of its own that stores things one after another, saying each that is safe: `writer.py PORT FOLDER FIRST`."""

import asyncio
import itertools
import os
import sys
from pathlib import Path

from strata.adapters.analytics import duckdb
from strata.adapters.graph import oxigraph
from strata.adapters.objects import folder
from strata.testing.graph import treats


async def objects(home, n):
    store = await folder.make("objects", home=home)
    while True:
        yield await store.put(f"a/{n}", f"{n}".encode() * 20_000)
        n += 1


async def analytics(home, n):
    store = await duckdb.make("analytics", home=home)
    while True:
        yield await store.append("usage", [{"id": f"{n}", "n": n}])
        n += 1
        if n % 7 == 0:
            await store.compact()


async def graph(home, n):
    store = await oxigraph.make("graph", home=home)
    while True:
        yield await store.upsert("acme", f"doc{n}", "open", [treats(f"a{n}", f"b{m}") for m in range(5)])
        n += 1
        if n % 11 == 0:
            await store.delete("acme", ["doc-none"])
            await store.erase()


async def vectors(home, n):
    from strata.adapters.vectors import lancedb
    from strata.testing.vectors import chunk, toward

    store = await lancedb.make("vectors", home=home)
    while True:
        name = f"doc{n}"
        pieces = [chunk(name, m, f"word{n}") for m in range(3)]
        yield await store.upsert("acme", name, pieces, [toward(n + m) for m in range(3)])
        n += 1
        if n % 9 == 0:
            await store.relabel("acme", name, "label-open")
            await store.optimize()


async def main(port, home, first):
    done = {"objects": objects, "analytics": analytics, "graph": graph, "vectors": vectors}[port](home, first)
    for n in itertools.count(first):
        await anext(done)
        os.write(1, f"{n}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
