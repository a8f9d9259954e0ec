"""Writes labelled texts as JSON Lines for `bench/pii.py`: python bench/pii_sets.py DATA FOLDER.

DATA holds the public collections `presidio_research` (English sentences made from templates) and `meddocan_es` (Spanish
clinical cases). Each is written in two parts, the one that some rules were written with and the other: sentences by
their template (even and odd numbers), cases as their publishers split them (train, dev). No weights are learnt from
either.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def main(data: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sentences = json.loads(gzip.decompress((data / "presidio_research" / "synth_dataset_v2.json.gz").read_bytes()))
    write(folder / "presidio.seen.jsonl", (sentence(one) for one in sentences if one["template_id"] % 2 == 0))
    write(folder / "presidio.held.jsonl", (sentence(one) for one in sentences if one["template_id"] % 2 == 1))
    small = json.loads((data / "presidio_research" / "generated_small.json").read_text())
    write(folder / "presidio.small.jsonl", (sentence(one) for one in small))
    write(folder / "meddocan.seen.jsonl", cases(data / "meddocan_es" / "train.jsonl.gz"))
    write(folder / "meddocan.held.jsonl", cases(data / "meddocan_es" / "dev.jsonl.gz"))


def sentence(one: dict[str, Any]) -> dict[str, Any]:
    spans = [
        {"start": span["start_position"], "end": span["end_position"], "type": span["entity_type"]}
        for span in one["spans"]
    ]
    return {"text": one["full_text"], "spans": spans}


def cases(path: Path) -> Iterator[dict[str, Any]]:
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        case = json.loads(line)
        spans = [{"start": span["start"], "end": span["end"], "type": span["label"]} for span in case["spans"]]
        yield {"text": case["text"], "spans": spans}


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            written += 1
    print(f"{path}: {written} texts")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
