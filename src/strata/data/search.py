"""From a question to the passages that this reader may see: embed, search, and tell the record before showing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from strata.access import Access
from strata.contracts import Gateway
from strata.data.catalog import Catalog, Standing
from strata.errors import Invalid
from strata.events import PassagesFound
from strata.ports.vectors import Vectors
from strata.types import EmbedRequest, Passage, Principal, Query, Reader, new_id

MOST_PASSAGES = 1000
LONGEST_QUERY = 8000


@dataclass(frozen=True, slots=True)
class Searcher:
    """`candidates` are taken from each side, dense and lexical, before they are fused."""

    catalog: Catalog
    vectors: Vectors
    gateway: Gateway
    access: Access
    embedding: str
    candidates: int = 100
    _readable: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict, compare=False, repr=False)

    async def find(self, principal: Principal, query: Query) -> list[Passage]:
        """The best passages, best first. Raises `Invalid` for an empty or endless query; nothing is returned that the
        record of searches does not hold.
        """
        text = query.text.strip()
        if not text or len(text) > LONGEST_QUERY:
            raise Invalid(f"a search takes 1 to {LONGEST_QUERY:,} characters, not {len(text):,}")
        if not 1 <= query.k <= MOST_PASSAGES:
            raise Invalid(f"a search gives 1 to {MOST_PASSAGES} passages, not {query.k}")
        standing = await self.catalog.standing()
        reader = Reader(principal.tenant, await self.labels(principal, standing))
        passages = await self._search(principal, reader, query, text) if reader.labels else []
        lagging = await self._lagging(standing, passages)
        shown = _distinct([passage for passage in passages if _stands(passage, reader, lagging)])[: query.k]
        if shown:
            shown = await self._classified(shown, lagging)
        await self._record(principal, query, shown)
        return shown

    async def labels(self, principal: Principal, standing: Standing) -> frozenset[str]:
        """The keys of all labels that policy lets this principal read, remembered until a new label appears."""
        kept = self._readable.get(principal.fingerprint)
        if kept is None or kept[0] != standing.labels:
            if len(self._readable) > 10_000:
                self._readable.clear()
            kept = standing.labels, self.access.readable(principal, await self.catalog.labels())
            self._readable[principal.fingerprint] = kept
        return kept[1]

    async def _search(self, principal: Principal, reader: Reader, query: Query, text: str) -> list[Passage]:
        asked = EmbedRequest(self.embedding, (text,), "query", query.assistant)
        vector = (await self.gateway.embed(principal, asked)).vectors[0]
        more = query.k + query.k // 5 + 5
        return await self.vectors.search(
            reader, text, vector, corpora=query.corpora, k=more, candidates=max(self.candidates, more)
        )

    async def _lagging(self, before: Standing, passages: Sequence[Passage]) -> dict[str, str]:
        """Documents whose index lags, now: also those that were removed while the search ran."""
        return {**before.lagging, **(await self.catalog.standing()).lagging} if passages else {}

    async def _classified(self, passages: Sequence[Passage], lagging: dict[str, str]) -> list[Passage]:
        """Each with its document's classification; without a label that is known, the strictest."""
        known = {label.key: label.classification for label in await self.catalog.labels()}
        keys = [lagging.get(passage.chunk.document) or passage.chunk.access for passage in passages]
        return [
            replace(passage, classification=known.get(key, "restricted"))
            for passage, key in zip(passages, keys, strict=True)
        ]

    async def _record(self, principal: Principal, query: Query, passages: Sequence[Passage]) -> None:
        event = PassagesFound(
            tenant=principal.tenant,
            actor=principal.id,
            search=new_id("search"),
            assistant=query.assistant,
            passages=tuple(passage.chunk.id for passage in passages),
            documents=tuple(dict.fromkeys(passage.chunk.document for passage in passages)),
            policy=self.access.version,
        )
        await self.catalog.records.commit(events=[event])


def _stands(passage: Passage, reader: Reader, lagging: dict[str, str]) -> bool:
    """Whether the passage may be shown by its document's record, also where the index still has an older label."""
    label = lagging.get(passage.chunk.document)
    return label is None or label in reader.labels


def _distinct(passages: Sequence[Passage]) -> list[Passage]:
    """Passages without copies: of those with the same words in the same corpus the best stays."""
    seen: set[tuple[str, str]] = set()
    kept: list[Passage] = []
    for passage in passages:
        key = (passage.chunk.corpus, " ".join(passage.chunk.text.split()))
        if key not in seen:
            seen.add(key)
            kept.append(passage)
    return kept
