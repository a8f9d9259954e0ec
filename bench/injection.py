"""How many attacks the guardrail `injection` finds and how many harmless texts it takes for one, at its shipped threshold.

`--prompts FILE` is JSON Lines of `text` and `label` (1 for an attack); a line may say its `place` (`input`, which a line
without one counts as, or `retrieved` for passages and tool results, whose shipped threshold is lower) and its `set`.
`bench/injection_sets.py` makes such files. The last line printed is one JSON object; `by_set` and `by_place` are in it
where lines name them.
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

from strata.gateway.guards.injection.scorer import RETRIEVED, THRESHOLD, scorer


async def measure(rows: list[dict[str, Any]], *, meaning: bool) -> tuple[Any, float]:
    """Scores in the order of the rows, and CPU milliseconds a text."""
    judge = scorer(meaning=meaning)
    await judge.score("Warm up. " * 60)
    start = time.process_time()
    scores = []
    for index, row in enumerate(rows):
        scores.append(await judge.score(row["text"]))
        if index % 500 == 499:
            print(f"{index + 1} of {len(rows)}")
    return np.array(scores), (time.process_time() - start) * 1000 / max(len(rows), 1)


def figures(scores: Any, labels: Any, bars: Any) -> dict[str, Any]:
    """`recall`, `false_positive_rate`, `auc`; None where one kind of text is missing. `bars`: each text's threshold."""
    over, attack = scores >= bars, labels == 1
    found: dict[str, Any] = {"attacks": int(attack.sum()), "harmless": int((~attack).sum())}
    found["recall"] = round(float(over[attack].mean()), 4) if attack.any() else None
    found["false_positive_rate"] = round(float(over[~attack].mean()), 4) if not attack.all() else None
    both = attack.any() and not attack.all()
    found["auc"] = round(_auc(scores[attack], scores[~attack]), 4) if both else None
    return found


def _auc(attacks: Any, harmless: Any) -> float:
    """The chance that an attack scores higher than a harmless text, ties counting half (Mann-Whitney)."""
    ordered = np.sort(harmless)
    below, upto = np.searchsorted(ordered, attacks, "left"), np.searchsorted(ordered, attacks, "right")
    return float(((below + upto) / 2).mean() / len(harmless))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--retrieved-threshold", type=float, default=RETRIEVED)
    parser.add_argument("--letters-only", action="store_true", help="without the embedder")
    parser.add_argument("--scores", type=Path, help="write each line's score to this file")
    given = parser.parse_args()
    with given.prompts.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    scores, cost = asyncio.run(measure(rows, meaning=not given.letters_only))
    labels = np.array([row["label"] for row in rows])
    if given.scores:
        given.scores.write_text("".join(f"{score:.4f}\n" for score in scores))
    bars = np.array([given.retrieved_threshold if row.get("place") == "retrieved" else given.threshold for row in rows])
    result = figures(scores, labels, bars) | {"ms": round(cost, 2), "threshold": given.threshold}
    for name in ("place", "set"):
        parts = defaultdict(list)
        for index, row in enumerate(rows):
            parts[row.get(name)].append(index)
        if set(parts) != {None}:
            result[f"by_{name}"] = {str(part): figures(scores[at], labels[at], bars[at]) for part, at in parts.items()}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
