"""Turn SciFact (claims and abstracts, CC BY 4.0 and ODC-By 1.0) into a collection for `bench/retrieval.py`.

Reads `data/retrieval/scifact` below `STRATA_SHARED` and writes corpus, queries and qrels to the given folder. The
queries are the claims of the training part: its test part is not public with judgements.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from pathlib import Path


def convert(source: Path, target: Path) -> dict[str, int]:
    """Write the collection; returns how many documents, queries and judgements it has."""
    target.mkdir(parents=True, exist_ok=True)
    with gzip.open(source / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        corpus = [json.loads(line) for line in file]
    with (target / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for row in corpus:
            text = " ".join(sentence.strip() for sentence in row["abstract"])
            file.write(json.dumps({"_id": row["doc_id"], "title": row["title"], "text": text}) + "\n")
    claims = [json.loads(line) for line in (source / "claims_train.jsonl").read_text().splitlines()]
    judged = [(claim["id"], document) for claim in claims for document in dict.fromkeys(claim["cited_doc_ids"])]
    with (target / "queries.jsonl").open("w", encoding="utf-8") as file:
        for claim in claims:
            file.write(json.dumps({"_id": str(claim["id"]), "text": claim["claim"]}) + "\n")
    with (target / "qrels.tsv").open("w", encoding="utf-8") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        file.writelines(f"{query}\t{document}\t1\n" for query, document in judged)
    return {"documents": len(corpus), "queries": len(claims), "judgements": len(judged)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="folder to write the collection to")
    beside = Path(__file__).parents[2] / "shared"
    shared = Path(os.environ.get("STRATA_SHARED", beside))
    parser.add_argument("--source", type=Path, default=shared / "data/retrieval/scifact")
    given = parser.parse_args()
    print(json.dumps(convert(given.source, given.target)))


if __name__ == "__main__":
    main()
