"""Chunks in LanceDB: dense and lexical search over one table per tenant, the reader's filter inside both.

Both sides are asked at once, each with the filter applied before its candidates are chosen, and fused as `_fusion`
says. The lexical side is LanceDB's own BM25 over stemmed English words, stop words kept. The dense side compares every
vector: below some thousand rows by scanning, then through an inverted-file index of which all partitions are read (exact,
and ten times as fast because it stays in memory); only above `exact_rows` is a part of the partitions read. Rows that are
not in the indexes yet are scanned, so a write is found at once.

What is deleted stays in old files until `optimize` writes the table anew, with new indexes, and removes all that was
before; that needs the room for a second copy and breaks questions that other processes ask at that moment, who ask again.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import warnings
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from strata.adapters.vectors import _lance  # isort: skip  # noqa: F401  before lancedb, so that it is imported lean

import lancedb
import numpy as np
import pyarrow as pa
from lancedb import query as question
from lancedb.index import FTS, Bitmap, BTree, IvfFlat
from numpy.typing import NDArray

from strata.adapters._address import split
from strata.adapters.vectors import _rows
from strata.adapters.vectors._checks import check
from strata.adapters.vectors._fusion import fused
from strata.errors import Invalid, Misconfigured, Unavailable
from strata.types import Chunk, Passage, Reader

T = TypeVar("T")

WORDS = FTS(language="English", stem=True, remove_stop_words=False, with_position=False, max_token_length=40)
MATCH: Any = question.MatchQuery  # its defaults are set by a decorator that type checkers do not follow
LONGEST_QUESTION = 4000
INDEXED_ROWS = 1000
EXACT_ROWS = 50_000
ROWS_PER_UPKEEP = 5000
STALE = timedelta(seconds=1)
AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class _Question:
    """One side's candidates at a time: rows that pass the filter, with their distance or BM25 score."""

    table: Any
    vector: NDArray[np.float32]
    text: str
    where: str
    limit: int
    probes: int

    async def nearest(self, columns: list[str]) -> list[Any]:
        query = self.table.query().nearest_to(self.vector).distance_type("dot").nprobes(self.probes)
        return await self._rows(query, [*columns, "_distance"])

    async def matching(self, columns: list[str]) -> list[Any]:
        if not re.search(r"\w", self.text):
            return []
        query = self.table.query().nearest_to_text(MATCH(self.text[:LONGEST_QUESTION], "context"))
        return await self._rows(query, [*columns, "_score"])

    async def _rows(self, query: Any, columns: list[str]) -> list[Any]:
        query = query.where(self.where).limit(self.limit)
        if "_rowid" in columns:
            query, columns = query.with_row_id(), [column for column in columns if column != "_rowid"]
        rows: list[Any] = (await query.select(columns).to_arrow()).to_pylist()
        return rows


class LanceVectors:
    """A LanceDB database. One process writes; others may read, and see a write a second later."""

    def __init__(self, connection: Any, folder: Path, *, dense_weight: float, exact_rows: int) -> None:
        self.connection = connection
        self.folder = folder
        self.dense_weight = dense_weight
        self.exact_rows = exact_rows
        self._tables: dict[str, Any] = {}
        self._writing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._fresh: defaultdict[str, int] = defaultdict(int)
        self._probes: dict[str, int] = {}

    async def upsert(
        self, tenant: str, document: str, chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]]
    ) -> None:
        await self.upsert_many(tenant, [(document, chunks, vectors)])

    async def upsert_many(
        self, tenant: str, batch: Sequence[tuple[str, Sequence[Chunk], Sequence[Sequence[float]]]]
    ) -> None:
        for document, chunks, vectors in batch:
            check(tenant, document, chunks, vectors)
        latest = {document: (chunks, vectors) for document, chunks, vectors in batch}
        pieces = [chunk for chunks, _ in latest.values() for chunk in chunks]
        if len({chunk.id for chunk in pieces}) < len(pieces):
            raise Invalid("two documents of one batch have a chunk of the same id")
        matrix = [vector for _, vectors in latest.values() for vector in vectors]
        rows = await asyncio.to_thread(_rows.table, pieces, matrix) if pieces else None
        async with self._writing[table_name(tenant)]:
            await _told(lambda: self._replace(tenant, list(latest), rows))

    async def relabel(self, tenant: str, document: str, access: str) -> None:
        async with self._writing[table_name(tenant)]:
            if table := await self._table(tenant):
                self._marker(tenant).touch()
                await _told(lambda: table.update({"access": access}, where=_in("document", [document])))

    async def delete(self, tenant: str, documents: Sequence[str]) -> None:
        async with self._writing[table_name(tenant)]:
            await _told(lambda: self._remove(tenant, list(documents)))

    async def search(
        self,
        reader: Reader,
        text: str,
        vector: Sequence[float],
        *,
        corpora: Sequence[str] = (),
        k: int = 10,
        candidates: int = 100,
    ) -> list[Passage]:
        if not reader.labels or k < 1 or candidates < 1:
            return []
        asked = _rows.unit(vector)
        where = _in("access", sorted(reader.labels))
        if corpora:
            where += f" AND {_in('corpus', sorted(set(corpora)))}"

        async def ask(table: Any) -> list[Passage]:
            width = table_width(await table.schema())
            if len(asked) != width:
                raise Invalid(f"this index holds vectors of {width} numbers; the question has {len(asked)}")
            probes = self._probes.get(reader.tenant) or await self._count_probes(reader.tenant, table)
            question = _Question(table, asked, text, where, candidates, probes)
            quick = await self._by_place(question, k)
            return quick if quick is not None else await self._by_id(question, k)

        return await self._read(reader.tenant, ask) or []

    async def chunks(self, reader: Reader, document: str) -> list[Chunk]:
        if not reader.labels:
            return []
        where = f"{_in('document', [document])} AND {_in('access', sorted(reader.labels))}"

        async def ask(table: Any) -> list[Chunk]:
            found = await table.query().where(where).select(_rows.SHOWN).to_arrow()
            return sorted((_rows.chunk(row) for row in found.to_pylist()), key=lambda piece: piece.ordinal)

        return await self._read(reader.tenant, ask) or []

    async def count(self, tenant: str) -> int:
        return await self._read(tenant, lambda table: table.count_rows()) or 0

    async def optimize(self) -> None:
        for path in sorted(self.folder.glob("*.lance")):
            async with self._writing[path.stem]:
                await _told(lambda name=path.stem: self._tidy(name))  # type: ignore[misc]

    async def close(self) -> None:
        self._tables.clear()
        self.connection.close()

    # ------------------------------------------------------------------ reading

    async def _read(self, tenant: str, ask: Callable[[Any], Awaitable[T]]) -> T | None:
        """Ask the tenant's table; once more when its files were replaced by another process meanwhile."""
        table = await self._table(tenant)
        if table is None:
            return None
        try:
            return await ask(table)
        except (RuntimeError, OSError):
            self._tables.pop(table_name(tenant), None)
            if (table := await self._table(tenant)) is None:
                return None
            return await _told(lambda: ask(table))
        except ValueError as error:
            raise Unavailable(f"the index cannot be read: {error}") from error

    async def _by_place(self, question: _Question, k: int) -> list[Passage] | None:
        """Rank by the rows' places and fetch the winners only: quick, but a place means something in one version of the
        table. None if the version changed on the way.
        """
        version = await question.table.version()
        dense, lexical = await asyncio.gather(question.nearest(["_rowid"]), question.matching(["_rowid"]))
        near = {row["_rowid"]: 1.0 - row["_distance"] for row in dense}
        words = {row["_rowid"]: row["_score"] for row in lexical}
        best = fused(near, words, weight=self.dense_weight, k=k)
        if not best:
            return []
        taking = question.table.take_row_ids([place for place, _ in best]).with_row_id()
        rows = {row["_rowid"]: row for row in (await taking.select(_rows.SHOWN).to_arrow()).to_pylist()}
        if await question.table.version() != version or len(rows) != len(best):
            return None
        return [Passage(_rows.chunk(rows[place]), score, near.get(place), words.get(place)) for place, score in best]

    async def _by_id(self, question: _Question, k: int) -> list[Passage]:
        """The same with every candidate's row in hand, each read in one version with the filter."""
        dense, lexical = await asyncio.gather(question.nearest(_rows.SHOWN), question.matching(_rows.SHOWN))
        rows = {row["id"]: row for row in (*dense, *lexical)}
        near = {row["id"]: 1.0 - row["_distance"] for row in dense}
        words = {row["id"]: row["_score"] for row in lexical}
        return [
            Passage(_rows.chunk(rows[key]), score, near.get(key), words.get(key))
            for key, score in fused(near, words, weight=self.dense_weight, k=k)
        ]

    # ------------------------------------------------------------------ writing

    async def _replace(self, tenant: str, documents: list[str], rows: pa.Table | None) -> None:
        table = await self._table(tenant)
        if rows is None:
            await self._remove(tenant, documents)
            return
        if table is None:
            table = await self.connection.create_table(table_name(tenant), rows)
            await table.create_index("context", config=WORDS)
            self._tables[table_name(tenant)] = table
            return
        width, given = table_width(await table.schema()), table_width(rows.schema)
        if width != given:
            raise Invalid(f"this index holds vectors of {width} numbers; these have {given}: index everything anew")
        marker = self._marker(tenant)
        marked = marker.exists()
        marker.touch()
        merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        done = await merge.when_not_matched_by_source_delete(_in("document", documents)).execute(rows)
        if not marked and not done.num_deleted_rows and not done.num_updated_rows:
            marker.unlink()
        name = table_name(tenant)
        self._fresh[name] += rows.num_rows
        if self._fresh[name] >= ROWS_PER_UPKEEP:
            await self._keep_up(name, table)

    async def _remove(self, tenant: str, documents: list[str]) -> None:
        table = await self._table(tenant)
        if table is not None:
            self._marker(tenant).touch()
            for start in range(0, len(documents), AT_ONCE):
                await table.delete(_in("document", documents[start : start + AT_ONCE]))

    async def _keep_up(self, name: str, table: Any) -> None:
        """Bring the indexes up to date and join small files, cheaply: nothing is rewritten without need."""
        self._fresh[name] = 0
        await self._index(table)
        await table.optimize(cleanup_older_than=timedelta(minutes=10))
        self._probes.clear()

    async def _tidy(self, name: str) -> None:
        marker = self.folder / f"{name}.deleted"
        table = await self.connection.open_table(name)
        if not marker.exists():
            await self._keep_up(name, table)
            return
        schema = await table.schema()
        rows = await table.query().to_batches()
        held = pa.Table.from_batches([batch async for batch in rows], schema=schema)
        table = await self.connection.create_table(name, held, mode="overwrite")
        del held, rows
        await table.create_index("context", config=WORDS)
        await self._index(table)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"optimize\(cleanup_older_than=0\)")
            await table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
        self._tables[name] = table
        self._fresh[name] = 0
        self._probes.clear()
        marker.unlink()

    async def _index(self, table: Any) -> None:
        """Make the indexes that a table of this size needs and does not have; the dense one again when it outgrew."""
        rows = await table.count_rows()
        if rows < INDEXED_ROWS:
            return
        there = {index.columns[0]: index for index in await table.list_indices()}
        for column, config in (("access", Bitmap()), ("corpus", Bitmap()), ("document", BTree())):
            if column not in there:
                await table.create_index(column, config=config)
        wanted = partitions(rows, self.exact_rows)
        stats = await table.index_stats(there["vector"].name) if "vector" in there else None
        if stats is None or partitions(stats.num_indexed_rows, self.exact_rows) * 4 <= wanted:
            await table.create_index("vector", config=IvfFlat(distance_type="dot", num_partitions=wanted), replace=True)

    async def _count_probes(self, tenant: str, table: Any) -> int:
        """How many partitions a question reads: all of them up to `exact_rows` rows, then the square root, times four."""
        rows = await table.count_rows()
        there = partitions(rows, self.exact_rows)
        probes = there * 4 if rows <= self.exact_rows else max(20, 4 * math.isqrt(there))
        self._probes[tenant] = probes
        return probes

    async def _table(self, tenant: str) -> Any:
        name = table_name(tenant)
        if name not in self._tables:
            if not (self.folder / f"{name}.lance").is_dir():
                return None
            self._tables[name] = await _told(lambda: self._open(name))
        return self._tables[name]

    async def _open(self, name: str) -> Any:
        table = await self.connection.open_table(name)
        if not any(index.columns == ["context"] for index in await table.list_indices()):
            await table.create_index("context", config=WORDS)  # the process ended between making one and the other
        return table

    def _marker(self, tenant: str) -> Path:
        """A file that stands beside the table while it holds something deleted that is not erased."""
        return self.folder / f"{table_name(tenant)}.deleted"


def partitions(rows: int, exact_rows: int) -> int:
    """Of the dense index: a few while all are read anyway, then about the square root of the rows."""
    return max(1, rows // 4000) if rows <= exact_rows else max(16, math.isqrt(rows))


def table_name(tenant: str) -> str:
    """A plain name stands for itself, any other for its digest; the two cannot meet."""
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,60}", tenant):
        return f"tenant.{tenant}"
    return f"digest.{hashlib.sha256(tenant.encode()).hexdigest()[:40]}"


def table_width(schema: pa.Schema) -> int:
    """How many numbers a vector of the table has."""
    width: int = schema.field("vector").type.list_size
    return width


def _in(column: str, values: Sequence[str]) -> str:
    escaped = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"{column} IN ({escaped})" if values else "false"


async def _told(work: Callable[[], Awaitable[T]]) -> T:
    """Do it; what LanceDB cannot do becomes `Unavailable`."""
    try:
        return await work()
    except (RuntimeError, OSError, ValueError) as error:
        full = "No space left" in str(error)
        text = "the disk is full: make room on its volume" if full else str(error).split("\n", 1)[0]
        raise Unavailable(f"the search index failed: {text}") from error


async def make(
    address: str = "vectors", *, home: Path, dense_weight: float = 0.5, exact_rows: int = EXACT_ROWS
) -> LanceVectors:
    """The index in the folder `address` below `home`. `dense_weight` (0 to 1) is the share of meaning in the score;
    above `exact_rows` chunks of a tenant the dense side becomes approximate. `vectors?dense_weight=0.6` says the same.
    """
    place, given = split(address, {"dense_weight": float, "exact_rows": int})
    dense_weight, exact_rows = given.get("dense_weight", dense_weight), given.get("exact_rows", exact_rows)
    if not 0 <= dense_weight <= 1:
        raise Misconfigured(f"dense_weight is between 0 (words only) and 1 (meaning only), not {dense_weight}")
    folder = (home / place).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"the search index in {folder} cannot be opened: {error.strerror}") from error
    connection = await lancedb.connect_async(str(folder), read_consistency_interval=STALE)
    return LanceVectors(connection, folder, dense_weight=dense_weight, exact_rows=exact_rows)
