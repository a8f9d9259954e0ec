"""Chunks kept in this process, compared one by one: exact, for tests and trials, gone when it ends."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strata.adapters.vectors._checks import check
from strata.adapters.vectors._fusion import fused
from strata.types import Chunk, Passage, Reader

K1, B = 1.2, 0.75


@dataclass(frozen=True, slots=True)
class Entry:
    """A chunk with its unit vector and the counts of its words."""

    chunk: Chunk
    vector: NDArray[np.float32]
    words: Counter[str]


@dataclass(frozen=True, slots=True)
class MemoryVectors:
    """Entries by tenant and document."""

    dense_weight: float = 0.5
    kept: dict[str, dict[str, list[Entry]]] = field(default_factory=dict)

    async def upsert(
        self, tenant: str, document: str, chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]]
    ) -> None:
        await self.upsert_many(tenant, [(document, chunks, vectors)])

    async def upsert_many(
        self, tenant: str, batch: Sequence[tuple[str, Sequence[Chunk], Sequence[Sequence[float]]]]
    ) -> None:
        for document, chunks, vectors in batch:
            check(tenant, document, chunks, vectors)
        for document, chunks, vectors in batch:
            self.kept.setdefault(tenant, {})[document] = [
                Entry(chunk, _unit(vector), Counter(words(chunk.context)))
                for chunk, vector in zip(chunks, vectors, strict=True)
            ]

    async def relabel(self, tenant: str, document: str, access: str) -> None:
        entries = self.kept.get(tenant, {}).get(document, [])
        entries[:] = [replace(entry, chunk=replace(entry.chunk, access=access)) for entry in entries]

    async def delete(self, tenant: str, documents: Sequence[str]) -> None:
        for document in documents:
            self.kept.get(tenant, {}).pop(document, None)

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
        entries = {
            entry.chunk.id: entry
            for document in self.kept.get(reader.tenant, {}).values()
            for entry in document
            if entry.chunk.access in reader.labels and (not corpora or entry.chunk.corpus in corpora)
        }
        asked = _unit(vector)
        dense = _best({key: float(entry.vector @ asked) for key, entry in entries.items()}, candidates)
        lexical = _best(bm25(words(text), {key: entry.words for key, entry in entries.items()}), candidates)
        return [
            Passage(entries[key].chunk, score, dense.get(key), lexical.get(key))
            for key, score in fused(dense, lexical, weight=self.dense_weight, k=k)
        ]

    async def chunks(self, reader: Reader, document: str) -> list[Chunk]:
        entries = self.kept.get(reader.tenant, {}).get(document, [])
        readable = [entry.chunk for entry in entries if entry.chunk.access in reader.labels]
        return sorted(readable, key=lambda chunk: chunk.ordinal)

    async def count(self, tenant: str) -> int:
        return sum(len(entries) for entries in self.kept.get(tenant, {}).values())

    async def optimize(self) -> None:
        """Nothing is left behind in memory."""

    async def close(self) -> None:
        """Nothing is held open."""


def words(text: str) -> list[str]:
    """Lower-case words, a plural `s` cut off."""
    return [word.removesuffix("s") for word in re.findall(r"\w+", text.lower())]


def bm25(question: Sequence[str], texts: dict[str, Counter[str]]) -> dict[str, float]:
    """Okapi BM25 (k1 1.2, b 0.75) of the texts that hold a word of the question (Robertson and Zaragoza, 2009)."""
    if not texts:
        return {}
    lengths = {key: sum(counts.values()) for key, counts in texts.items()}
    mean = sum(lengths.values()) / len(texts) or 1.0
    scores: dict[str, float] = {}
    for word in set(question):
        holders = {key: counts[word] for key, counts in texts.items() if word in counts}
        weight = math.log(1 + (len(texts) - len(holders) + 0.5) / (len(holders) + 0.5))
        for key, count in holders.items():
            norm = count + K1 * (1 - B + B * lengths[key] / mean)
            scores[key] = scores.get(key, 0.0) + weight * count * (K1 + 1) / norm
    return scores


def _best(scores: dict[str, float], limit: int) -> dict[str, float]:
    return dict(sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:limit])


def _unit(vector: Sequence[float]) -> NDArray[np.float32]:
    array = np.asarray(vector, dtype=np.float32)
    length = float(np.linalg.norm(array))
    return array / length if length else array


async def make(address: str = "", *, home: Path | None = None, dense_weight: float = 0.5) -> MemoryVectors:
    """A new, empty index; the address is not used."""
    return MemoryVectors(dense_weight)
