"""Passages, found by meaning and by words, only those that this reader may see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from strata.types import Chunk, Passage, Reader


class Vectors(Protocol):
    """A search index of chunks, dense and lexical.

    The reader is an argument of every search: the store filters by tenant and access label inside the query, never
    afterwards, and an empty set of labels finds nothing. A write is visible to searches once it returns.
    """

    async def upsert(
        self, tenant: str, document: str, chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]]
    ) -> None:
        """Make these the document's chunks: all others of this document, older revisions too, are gone. `vectors`
        has one row per chunk, all of the same length. Doing it twice changes nothing.
        """
        ...

    async def upsert_many(
        self, tenant: str, batch: Sequence[tuple[str, Sequence[Chunk], Sequence[Sequence[float]]]]
    ) -> None:
        """`upsert` for several documents in one write."""
        ...

    async def relabel(self, tenant: str, document: str, access: str) -> None:
        """Change the access label of all chunks of a document."""
        ...

    async def delete(self, tenant: str, documents: Sequence[str]) -> None: ...

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
        """The `k` best passages by min-max fusion of cosine similarity and BM25, best first. `candidates` are taken
        from each side before fusion. Scores are in 0..1 and comparable within one answer only; `dense` and `lexical`
        hold the two raw scores where that side found the passage.
        """
        ...

    async def chunks(self, reader: Reader, document: str) -> list[Chunk]:
        """A document's chunks in their order, as far as this reader may see them."""
        ...

    async def count(self, tenant: str) -> int: ...

    async def optimize(self) -> None:
        """Compact, bring the indexes up to date, and drop what deletes left behind (old versions and files)."""
        ...

    async def close(self) -> None: ...
