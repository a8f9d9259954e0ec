"""A library over memory adapters, and a model gateway whose vectors count words, so that likeness can be foretold."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from strata.access import Access
from strata.adapters.bus import memory as memory_bus
from strata.adapters.graph import memory as memory_graph
from strata.adapters.objects import memory as memory_objects
from strata.adapters.records import memory as memory_records
from strata.adapters.vectors import memory as memory_vectors
from strata.data.build import build
from strata.data.library import HEARS, DocumentLibrary
from strata.data.options import Options
from strata.types import Corpus, Embeddings, EmbedRequest, Money, NewDocument, Person, Principal, Usage

TENANT = "acme"
POLICIES = (Path(__file__).parents[2] / "src/strata/policies/strata.cedar").read_text()
CORPORA = (
    Corpus("lab", "Lab", "research"),
    Corpus("news", "News", "quality", frozenset({"everyone"})),
)
SIZE = 64


@dataclass
class CountingGateway:
    """Embeds by hashing words. `trouble` is raised by the next call and then forgotten, `outage` by every call."""

    texts: list[str] = field(default_factory=list)
    trouble: Exception | None = None
    outage: Exception | None = None
    failures: int = 0

    async def embed(self, principal: Principal, request: EmbedRequest) -> Embeddings:
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble
        if self.outage is not None:
            self.failures += 1
            raise self.outage
        if request.purpose == "document":
            self.texts.extend(request.texts)
        vectors = [vector(text) for text in request.texts]
        return Embeddings(request.request_id, request.model, vectors, Usage(len(request.texts)), Money(0))


def vector(text: str) -> list[float]:
    counts = [0.01] * SIZE
    for word in re.findall(r"\w+", text.lower()):
        counts[int(hashlib.md5(word.encode()).hexdigest(), 16) % SIZE] += 1.0
    length = math.sqrt(sum(count * count for count in counts))
    return [count / length for count in counts]


@dataclass
class House:
    """A library with everything around it that a test may want to look at or take away."""

    library: DocumentLibrary
    gateway: CountingGateway
    records: Any
    objects: Any
    vectors: Any
    graph: Any
    bus: Any
    options: Options = field(default_factory=Options)

    async def add(self, principal: Principal, source: str, text: str | bytes, corpus: str = "lab", **more: Any) -> Any:
        data = text.encode() if isinstance(text, str) else text
        return await self.library.add(principal, NewDocument(corpus, source, **more), data)

    async def settled(self, principal: Principal, source: str, text: str | bytes, corpus: str = "lab", **more: Any):
        """Add a document and wait until it is indexed or in quarantine; returns it as it is then."""
        report = await self.add(principal, source, text, corpus, **more)
        await self.bus.drain(20)
        (document,) = await self.library.settle(principal, [report.document.id], 20)
        return document

    async def found(self, principal: Principal, text: str, **more: Any) -> list[str]:
        """The sources of the documents that a search finds, best first."""
        from strata.types import Query

        passages = await self.library.search(principal, Query(text, **more))
        return list(dict.fromkeys(passage.chunk.source for passage in passages))

    async def events(self) -> list[Any]:
        """Every event that has been delivered."""
        await self.bus.drain(20)
        return self.heard

    heard: list[Any] = field(default_factory=list)


async def make_house(options: Options, records: Any = None, objects: Any = None, vectors: Any = None) -> House:
    records = records or await memory_records.make()
    objects = objects or await memory_objects.make()
    vectors = vectors or await memory_vectors.make()
    graph = await memory_graph.make()
    gateway = CountingGateway()
    access = Access.of(POLICIES)
    library = await build(
        options,
        tenant=TENANT,
        objects=objects,
        records=records,
        vectors=vectors,
        graph=graph,
        gateway=gateway,  # type: ignore[arg-type]
        access=access,
    )
    bus = await memory_bus.make(records=records)
    house = House(library, gateway, records, objects, vectors, graph, bus, options)
    bus.subscribe("index", HEARS, library.on_documents_received)

    async def hear(events: Any) -> None:
        house.heard.extend(events)

    from strata.events import KINDS

    bus.subscribe("hear", tuple(KINDS.values()), hear)
    await bus.start()
    return house


@pytest.fixture
def options() -> Options:
    return Options(corpora=CORPORA, workers=1)


@pytest.fixture
async def house(options: Options) -> AsyncIterator[House]:
    house = await make_house(options)
    yield house
    await house.bus.close()
    await house.library.close()


def person(name: str, department: str, *groups: str, roles: tuple[str, ...] = ("member",)) -> Principal:
    whole = Person(name, name, f"{name}@acme.example", department, groups=frozenset(groups), roles=frozenset(roles))
    return whole.principal(TENANT)


@pytest.fixture
def ingester() -> Principal:
    return Principal(TENANT, "ingest", kind="service", roles=frozenset({"ingest", "caller"}))


@pytest.fixture
def editor() -> Principal:
    return person("ines", "research", roles=("member", "editor"))


@pytest.fixture
def reader() -> Principal:
    return person("rob", "research")


@pytest.fixture
def stranger() -> Principal:
    return person("sam", "quality")


@pytest.fixture
def elsewhere(reader: Principal) -> Principal:
    return replace(reader, tenant="other")
