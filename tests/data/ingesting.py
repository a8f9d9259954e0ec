"""A process that ingests a folder over the embedded stores until it is done or killed: `test_crash` runs it.

    python ingesting.py HOME FOLDER

It writes a line for every step that a test may want to kill it at.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from conftest import CORPORA, POLICIES, TENANT, CountingGateway
from strata.access import Access
from strata.adapters.bus import sqlite as bus_adapter
from strata.adapters.graph import memory as graph_adapter
from strata.adapters.objects import folder as objects_adapter
from strata.adapters.records import sqlite as records_adapter
from strata.adapters.vectors import lancedb as vectors_adapter
from strata.data.build import build
from strata.data.ingest import ingest
from strata.data.library import HEARS
from strata.data.options import Options
from strata.types import Principal

INGESTER = Principal(TENANT, "ingest", kind="service", roles=frozenset({"ingest", "caller"}))


class TellingGateway(CountingGateway):
    async def embed(self, principal: Any, request: Any) -> Any:
        print("embedding", flush=True)
        await asyncio.sleep(0.01)
        answer = await super().embed(principal, request)
        print("embedded", flush=True)
        return answer


@contextlib.asynccontextmanager
async def opened(home: Path):
    """The library over SQLite, a folder and LanceDB in `home`, with its bus delivering."""
    async with contextlib.AsyncExitStack() as stack:

        async def keep(adapter: Any) -> Any:
            stack.push_async_callback(adapter.close)
            return adapter

        records = await keep(await records_adapter.make("data.db", home=home))
        library = await build(
            Options(corpora=CORPORA, workers=1, embed_batch=4, optimize_every=0),
            tenant=TENANT,
            objects=await keep(await objects_adapter.make("objects", home=home)),
            records=records,
            vectors=await keep(await vectors_adapter.make("vectors", home=home)),
            graph=await keep(await graph_adapter.make()),
            gateway=TellingGateway(),  # type: ignore[arg-type]
            access=Access.of(POLICIES),
        )
        stack.push_async_callback(library.close)
        bus = await bus_adapter.make("data.db", home=home, records=records)
        bus.subscribe("index", HEARS, library.on_documents_received)
        await keep(bus)
        await bus.start()
        yield library, bus


async def main() -> None:
    async with opened(Path(sys.argv[1])) as (library, bus):
        print("ready", flush=True)
        summary = await ingest(
            library,
            INGESTER,
            [Path(sys.argv[2])],
            "lab",
            progress=lambda done, total: print("step", done, total, flush=True),
        )
        await bus.drain(60)
        print("done", sum(summary.outcomes.values()), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
