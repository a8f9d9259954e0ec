"""How many attacks the guardrail `injection` finds and how many harmless texts it takes for one, at its shipped threshold.

`--prompts FILE` is JSON Lines of `text` and `label` (1 for an attack); a line may say its `place` (`input`, or
`retrieved` for passages and tool results) and its `set`. `bench/injection_sets.py` makes such files. The last line
printed is one JSON object; `by_set` is in it where lines name their set.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from strata.gateway.injection.scorer import THRESHOLD, scorer


async def measure(rows: list[dict[str, Any]], *, orders: bool, meaning: bool) -> tuple[Any, float]:
    """Scores in the order of the rows, and CPU milliseconds a text."""
    judge = scorer(meaning=meaning)
    await judge.score("Warm up. " * 60)
    start = time.process_time()
    scores = []
    for index, row in enumerate(rows):
        score = await judge.score(row["text"])
        if orders and row.get("place") == "retrieved":
            order = await judge.order(row["text"])
            score = max(score, order.score if order else 0.0)
        scores.append(score)
        if index % 500 == 499:
            print(f"{index + 1} of {len(rows)}")
    return np.array(scores), (time.process_time() - start) * 1000 / max(len(rows), 1)


def figures(scores: Any, labels: Any, threshold: float) -> dict[str, Any]:
    """`recall`, `false_positive_rate`, `auc`; None where one kind of text is missing."""
    attacks, harmless = scores[labels == 1], scores[labels == 0]
    found: dict[str, Any] = {"attacks": len(attacks), "harmless": len(harmless)}
    found["recall"] = round(float((attacks >= threshold).mean()), 4) if len(attacks) else None
    found["false_positive_rate"] = round(float((harmless >= threshold).mean()), 4) if len(harmless) else None
    found["auc"] = round(_auc(attacks, harmless), 4) if len(attacks) and len(harmless) else None
    return found


def _auc(attacks: Any, harmless: Any) -> float:
    """The chance that an attack scores higher than a harmless text, ties counting half (Mann-Whitney)."""
    ordered = np.sort(harmless)
    below, upto = np.searchsorted(ordered, attacks, "left"), np.searchsorted(ordered, attacks, "right")
    return float(((below + upto) / 2).mean() / len(harmless))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--orders", action="store_true", help="with the option 'orders', for places 'retrieved'")
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--letters-only", action="store_true", help="without the embedder")
    parser.add_argument("--scores", type=Path, help="write each line's score to this file")
    given = parser.parse_args()
    with given.prompts.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    scores, cost = asyncio.run(measure(rows, orders=given.orders, meaning=not given.letters_only))
    labels = np.array([row["label"] for row in rows])
    if given.scores:
        given.scores.write_text("".join(f"{score:.4f}\n" for score in scores))
    sets = defaultdict(list)
    for index, row in enumerate(rows):
        if row.get("set"):
            sets[row["set"]].append(index)
    result = figures(scores, labels, given.threshold) | {"ms": round(cost, 2), "threshold": given.threshold}
    if sets:
        result["by_set"] = {name: figures(scores[at], labels[at], given.threshold) for name, at in sets.items()}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
