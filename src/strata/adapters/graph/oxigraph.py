"""Statements in Oxigraph, one named graph per document, each question confined to the graphs that its reader may see.

Deleting a statement leaves its text in the store's files, as Oxigraph never forgets a string; `erase` builds the store
anew without it. Until then deleted text is on the disk, so no personal data belongs into a literal: statements name
people by opaque ids, and what the ids mean is kept where it can be erased with a key.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pyoxigraph as ox

from strata.adapters._address import split
from strata.adapters.graph._sparql import checked
from strata.errors import Deadline, Invalid, StrataError, Unavailable
from strata.ports.graph import Statement
from strata.types import Json, Reader

T = TypeVar("T")

META = ox.NamedNode("urn:strata:meta")
ACCESS = ox.NamedNode("urn:strata:access")
CURRENT = "CURRENT"
QUESTIONS_AT_ONCE = 4


@dataclass(slots=True)
class OxigraphGraph:
    """An Oxigraph store, in memory or in a folder below `place`. Work runs in threads; writes one after another."""

    opened: ox.Store | None
    place: Path | None = None
    seconds: float = 10.0
    writing: threading.Lock = field(default_factory=threading.Lock)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(QUESTIONS_AT_ONCE))

    @property
    def store(self) -> ox.Store:
        if self.opened is None:
            raise Unavailable("this graph is closed")
        return self.opened

    async def upsert(self, tenant: str, document: str, access: str, statements: Sequence[Statement]) -> None:
        graph = _graph(tenant, document)
        quads = [_quad(statement, graph) for statement in statements]
        label = ox.Quad(graph, ACCESS, _label(tenant, access), META)
        await self._write(lambda: self._replace(graph, [*quads, label]))

    async def delete(self, tenant: str, documents: Sequence[str]) -> None:
        graphs = [_graph(tenant, document) for document in documents]

        def work() -> None:
            for graph in graphs:
                self._replace(graph, [])

        await self._write(work)

    async def ask(self, reader: Reader, sparql: str, *, limit: int = 1000) -> list[Json]:
        checked(sparql)
        until = time.monotonic() + self.seconds
        try:
            async with asyncio.timeout(self.seconds):
                await self.slots.acquire()
                answer = await self._aside(lambda: self._ask(reader, sparql, limit, until))
        except TimeoutError:
            raise self._late() from None
        if isinstance(answer, StrataError):
            raise answer
        return answer

    async def erase(self) -> None:
        await self._write(self._rebuild)

    async def close(self) -> None:
        if self.opened is not None:
            await self._write(self._flush)
            self.opened = None

    async def _aside(self, work: Callable[[], T]) -> T:
        """Run in a thread of its own and give the slot back when that ends. Oxigraph cannot be interrupted: a question
        that was given up may go on for long, and must hold up neither other work nor the end of the process.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def end(result: T | None, error: BaseException | None) -> None:
            self.slots.release()
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result, failure = None, None
            try:
                result = work()
            except BaseException as error:
                failure = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(end, result, failure)

        threading.Thread(target=run, name="graph", daemon=True).start()
        return await answer

    async def _write(self, work: Callable[[], T]) -> T:
        def alone() -> T:
            with self.writing:
                return work()

        try:
            return await asyncio.to_thread(alone)
        except OSError as error:
            raise Unavailable(f"the graph cannot be written: {error}") from error

    def _replace(self, graph: ox.NamedNode, quads: list[ox.Quad]) -> None:
        """One transaction, so that no question sees half of it."""
        old = " ".join(
            f"DELETE WHERE {{ GRAPH {where} {{ {what} }} }};"
            for where, what in ((graph, "?s ?p ?o"), (META, f"{graph} ?p ?o"))
        )
        new = " ".join(f"GRAPH {quad.graph_name} {{ {quad.triple} }}" for quad in quads)
        self.store.update(f"{old} INSERT DATA {{ {new} }}" if quads else old)

    def _ask(self, reader: Reader, sparql: str, limit: int, until: float) -> list[Json] | StrataError:
        """The answer, or the error as a value: a raised one would carry Oxigraph's results, which may not leave their
        thread, to another.
        """
        graphs: list[Any] = [
            quad.subject
            for label in reader.labels
            for quad in self.store.quads_for_pattern(None, ACCESS, _label(reader.tenant, label), META)
        ]
        try:
            found = self.store.query(sparql, default_graph=graphs, named_graphs=graphs)
        except SyntaxError as error:
            return Invalid(f"not a question in SPARQL: {error}")
        except OSError as error:
            return Unavailable(f"the graph cannot be read: {error}")
        if isinstance(found, ox.QueryBoolean):
            return [{"boolean": bool(found)}]
        if not isinstance(found, ox.QuerySolutions):
            return Invalid("ask SELECT or ASK; CONSTRUCT and DESCRIBE are not answered here")
        names = [variable.value for variable in found.variables]
        rows: list[Json] = []
        for solution in islice(found, limit):
            if time.monotonic() > until:
                return self._late()
            rows.append({name: value.value for name in names if (value := solution[name]) is not None})
        return rows

    def _late(self) -> Deadline:
        return Deadline(f"the question took longer than {self.seconds:g} s; ask for less")

    def _flush(self) -> None:
        self.store.flush()  # called here, as a reference that a thread still holds would keep the folder locked

    def _rebuild(self) -> None:
        if self.place is None:
            fresh = ox.Store()
            fresh.bulk_extend(self.store)
            self.opened = fresh
            return
        old = self.place / (self.place / CURRENT).read_text().strip()
        new = self.place / f"store-{secrets.token_hex(4)}"
        fresh = ox.Store(str(new))
        fresh.bulk_extend(self.store)
        fresh.flush()
        point(self.place, new.name)
        self.opened = fresh
        shutil.rmtree(old)


def _graph(tenant: str, document: str) -> ox.NamedNode:
    return ox.NamedNode(f"urn:strata:document:{quote(tenant, safe='')}/{quote(document, safe='')}")


def _label(tenant: str, access: str) -> ox.NamedNode:
    return ox.NamedNode(f"urn:strata:label:{quote(tenant, safe='')}/{quote(access, safe='')}")


def _quad(statement: Statement, graph: ox.NamedNode) -> ox.Quad:
    try:
        thing = ox.Literal(statement.object) if statement.literal else ox.NamedNode(statement.object)
        return ox.Quad(ox.NamedNode(statement.subject), ox.NamedNode(statement.predicate), thing, graph)
    except ValueError as error:
        raise Invalid(f"not a statement of IRIs: {statement}: {error}") from error


def point(place: Path, name: str) -> None:
    """Make `name` the store in use, all at once: the file that names it is replaced by a rename."""
    fresh = place / f"{CURRENT}.new"
    with fresh.open("w") as file:
        file.write(name)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(place / CURRENT)
    folder = os.open(place, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_store(place: Path) -> ox.Store:
    """The store in use below this folder, made when there is none; what an interrupted `erase` left behind is removed."""
    place.mkdir(parents=True, exist_ok=True)
    current = place / CURRENT
    if not current.exists():
        point(place, "store-0")
    name = current.read_text().strip()
    for other in place.glob("store-*"):
        if other.name != name:
            shutil.rmtree(other)
    return ox.Store(str(place / name))


async def make(address: str = "graph", *, home: Path, seconds: float = 10.0) -> OxigraphGraph:
    """The store in the folder `address` below `home`. A question may take `seconds`."""
    name, given = split(address, {"seconds": float})
    place = (home / name).resolve()
    try:
        return OxigraphGraph(await asyncio.to_thread(open_store, place), place, given.get("seconds", seconds))
    except OSError as error:
        raise Unavailable(f"the graph in {place} cannot be opened: {error}") from error
