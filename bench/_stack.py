"""The data layer and the gateway in this process, over the shipped embedded stores in a folder that is thrown away."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from strata.access import Access
from strata.data.build import build as build_data
from strata.data.library import HEARS, DocumentLibrary
from strata.data.options import Options
from strata.gateway.build import build as build_gateway
from strata.gateway.options import Deployment
from strata.gateway.options import Options as GatewayOptions
from strata.plugins import find, split
from strata.ports.bus import Bus
from strata.types import Corpus, Embeddings, EmbedRequest, Person, Principal

TENANT = "bench"
CORPUS = Corpus("bench", "Bench", "research")
READER = Person("reader", "Reader", "reader@bench.example", "research").principal(TENANT)
INGESTER = Principal(TENANT, "ingest", kind="service", roles=frozenset({"ingest", "caller"}))


@dataclass
class Meter:
    """The gateway, with the time during which at least one embedding call was under way."""

    gateway: object
    seconds: float = 0.0
    texts: int = 0
    _open: int = field(default=0)
    _since: float = field(default=0.0)

    async def embed(self, principal: Principal, request: EmbedRequest) -> Embeddings:
        if self._open == 0:
            self._since = time.perf_counter()
        self._open += 1
        try:
            return await self.gateway.embed(principal, request)
        finally:
            self._open -= 1
            self.texts += len(request.texts)
            if self._open == 0:
                self.seconds += time.perf_counter() - self._since


@dataclass
class Memory:
    """Peak resident memory: this process's own, and the most that the parsers' processes held together."""

    workers: int = 0

    async def watch(self, library: DocumentLibrary) -> None:
        while True:
            held = 0
            for process in library.indexer.parsers.workers():
                with contextlib.suppress(OSError):
                    status = Path(f"/proc/{process}/status").read_text()
                    held += int(status.partition("VmHWM:")[2].split()[0])
            self.workers = max(self.workers, held)
            await asyncio.sleep(0.2)

    @property
    def peak_mb(self) -> float:
        return round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + self.workers) / 1024, 1)


@dataclass
class Stack:
    library: DocumentLibrary
    bus: Bus
    meter: Meter
    memory: Memory


@contextlib.asynccontextmanager
async def stack(options: Options | None = None, *, vectors: str = "lancedb:vectors") -> AsyncIterator[Stack]:
    """The shipped defaults, but for `options`; everything is gone when the context ends."""
    options = options or Options(corpora=(CORPUS,))
    policies = Path(sys.modules["strata.access"].__file__).parent / "policies" / "strata.cedar"
    access = Access.of(policies.read_text())
    async with contextlib.AsyncExitStack() as closing:
        home = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="strata-bench-")))

        async def opened(port: str, address: str, **more):
            scheme, rest = split(address)
            adapter = await find(port, scheme).make(rest, home=home, **more)
            closing.push_async_callback(adapter.close)
            return adapter

        records = await opened("records", "sqlite:data.db")
        model = Deployment("embedding", "embedding", "minilm", dimensions=384)
        gateway = await build_gateway(
            GatewayOptions(models=(model,), requests_per_minute=0),
            tenant=TENANT,
            records=await opened("records", "sqlite:gateway.db"),
            access=access,
        )
        closing.push_async_callback(gateway.close)
        meter = Meter(gateway)
        library = await build_data(
            options,
            tenant=TENANT,
            objects=await opened("objects", "folder:objects"),
            records=records,
            vectors=await opened("vectors", vectors, dense_weight=options.dense_weight),
            graph=await opened("graph", "oxigraph:graph"),
            gateway=meter,
            access=access,
        )
        closing.push_async_callback(library.close)
        scheme, rest = split("sqlite:data.db")
        bus = await find("bus", scheme).make(rest, home=home, records=records)
        bus.subscribe("index", HEARS, library.on_documents_received)
        closing.push_async_callback(bus.close)
        await bus.start()
        memory = Memory()
        watching = asyncio.create_task(memory.watch(library))
        closing.callback(watching.cancel)
        yield Stack(library, bus, meter, memory)


def say(text: str) -> None:
    """Progress goes to standard error; the last line of standard output is the result."""
    print(text, file=sys.stderr, flush=True)


def progress(what: str):
    """A progress callback that says how far it is, twice a second at the most."""
    last = 0.0

    def show(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > 0.5:
            last = time.monotonic()
            print(f"\r{what}: {done} of {total} ", end="", file=sys.stderr, flush=True)

    return show
