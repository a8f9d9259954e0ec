"""How good retrieval is, and how fast: the platform's own ingestion and search on a judged collection.

`--collection DIR` holds `corpus.jsonl[.gz]` (`_id`, `title`, `text`), `queries.jsonl[.gz]` (`_id`, `text`) and
`qrels.tsv` (query, document, grade; a header line is passed over). Documents are ranked by their best passage.
nDCG uses the grade itself as gain and a discount of log2(rank + 1), as trec_eval does; the mean is over the queries
that have a judged document.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from _stack import CORPUS, INGESTER, READER, Stack, progress, say, stack
from strata.data.connector import Found
from strata.data.ingest import ingest
from strata.data.options import Options
from strata.types import NewDocument, Passage, Query

ASKED = 10
RANKED = 30
DEEP = 300


@dataclass(frozen=True)
class Collection:
    """A folder of documents, queries and judgements; it is itself the source that is ingested."""

    place: Path

    def walk(self) -> Iterator[Found]:
        for row in lines(self.place, "corpus.jsonl"):
            data = row["text"].encode()
            new = NewDocument(CORPUS.id, f"{row['_id']}.txt", title=row.get("title", ""))
            yield Found(new, len(data), lambda data=data: data)

    def queries(self) -> dict[str, str]:
        return {str(row["_id"]): row["text"] for row in lines(self.place, "queries.jsonl")}

    def judgements(self) -> dict[str, dict[str, float]]:
        judged: dict[str, dict[str, float]] = {}
        for line in (self.place / "qrels.tsv").read_text().splitlines():
            query, document, grade = line.split("\t")[:3]
            if grade.strip().lstrip("-").replace(".", "", 1).isdecimal():
                judged.setdefault(query, {})[document] = float(grade)
        return judged


def lines(place: Path, name: str) -> Iterator[dict]:
    packed = place / f"{name}.gz"
    body = gzip.decompress(packed.read_bytes()) if packed.exists() else (place / name).read_bytes()
    for line in body.decode("utf-8").split("\n"):
        if line.strip():
            yield json.loads(line)


def ndcg(ranking: Sequence[str], grades: dict[str, float], depth: int = 10) -> float:
    """Normalised discounted cumulative gain of a ranking: linear gain, discount log2(rank + 1)."""

    def dcg(gains: Sequence[float]) -> float:
        return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains[:depth]))

    best = dcg(sorted((grade for grade in grades.values() if grade > 0), reverse=True))
    return dcg([max(grades.get(document, 0.0), 0.0) for document in ranking]) / best if best else 0.0


def recall(ranking: Sequence[str], grades: dict[str, float], depth: int = 100) -> float:
    relevant = {document for document, grade in grades.items() if grade > 0}
    return len(relevant & set(ranking[:depth])) / len(relevant) if relevant else 0.0


def documents(passages: Sequence[Passage]) -> list[str]:
    """The documents of these passages, by their best."""
    return list(dict.fromkeys(passage.chunk.source.removesuffix(".txt") for passage in passages))


async def measure(place: Path, most: int, vectors: str) -> dict[str, object]:
    collection = Collection(place)
    judged = {query: grades for query, grades in collection.judgements().items() if max(grades.values()) > 0}
    queries = {key: text for key, text in collection.queries().items() if key in judged}
    queries = dict(list(queries.items())[: most or None])
    say(f"{len(queries)} judged queries")
    options = Options(corpora=(replace(CORPUS, readers=frozenset({"research"})),))
    async with stack(options, vectors=vectors) as parts:
        began = time.perf_counter()
        summary = await ingest(parts.library, INGESTER, collection, progress=progress("ingested"))
        seconds = time.perf_counter() - began
        taken = summary.outcomes["received"]
        busy = parts.meter.seconds
        say(f"\n{taken} documents in {seconds:.1f} s, {busy:.1f} s of it in the embedder")
        await parts.library.optimize()
        scores, times = await _ask_all(parts, queries, judged)
        chunks = await parts.library.indexer.vectors.count(READER.tenant)
    return {
        "collection": place.name,
        "queries": len(queries),
        "documents": taken,
        "chunks": chunks,
        "ndcg@10": round(statistics.mean(score for score, _ in scores), 4),
        "recall@100": round(statistics.mean(score for _, score in scores), 4),
        "query_ms_p50": round(statistics.median(times), 2),
        "query_ms_p95": round(statistics.quantiles(times, n=20)[18], 2),
        "documents_per_s": round(taken / seconds, 1),
        "embedder_share": round(busy / seconds, 3),
        "quarantined": len(summary.quarantined),
        "peak_rss_mb": parts.memory.peak_mb,
    }


async def _ask_all(
    parts: Stack, queries: dict[str, str], judged: dict[str, dict[str, float]]
) -> tuple[list[tuple[float, float]], list[float]]:
    """(nDCG@10, recall@100) of each query, and the milliseconds that a search for `ASKED` passages takes.

    Several passages may be of one document: ten documents are ranked from `RANKED` passages, a hundred from `DEEP`.
    """
    scores: list[tuple[float, float]] = []
    times: list[float] = []
    show = progress("asked")
    for number, (key, text) in enumerate(queries.items(), 1):
        began = time.perf_counter()
        await parts.library.search(READER, Query(text, k=ASKED))
        times.append(1000 * (time.perf_counter() - began))
        near = documents(await parts.library.search(READER, Query(text, k=RANKED)))
        deep = documents(await parts.library.search(READER, Query(text, k=DEEP)))
        scores.append((ndcg(near, judged[key]), recall(deep, judged[key])))
        show(number, len(queries))
    say("")
    return scores, times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collection", type=Path, required=True, help="folder with corpus, queries and qrels")
    parser.add_argument("--queries", type=int, default=0, help="only so many queries (0: all)")
    parser.add_argument("--vectors", default="lancedb:vectors", help="another vector store")
    given = parser.parse_args()
    print(json.dumps(asyncio.run(measure(given.collection, given.queries, given.vectors))))


if __name__ == "__main__":
    main()
