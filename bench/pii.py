"""How much personal data the gateway finds: python bench/pii.py --texts FILE (JSON Lines: `text`, `spans` of start, end, type).

A labelled span counts as found when each of its letters and digits would be masked, whatever type it was taken for:
that is what keeps it from a vendor. A masked span counts as right when it touches a labelled one. A text leaks when one
of its labelled spans is not masked whole. Prints one JSON object last: `recall`, `precision`, `leaky_texts`,
`ms_per_kb` (thousand characters) and both per type (recall by the set's types, precision by ours).

`--types default` measures what the guardrail masks as shipped; `all`, the default here, every type that it knows.
`--missed N` shows spans that were missed and `--false N` those that were masked without a label, of each type.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Found = list[tuple[int, int, str]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--texts", type=Path, required=True)
    arguments.add_argument("--types", default="all", choices=["all", "default"])
    arguments.add_argument("--threshold", type=float, default=0.5)
    arguments.add_argument("--missed", type=int, default=0)
    arguments.add_argument("--false", type=int, default=0)
    options = arguments.parse_args()
    rows = [json.loads(line) for line in options.texts.read_text(encoding="utf-8").splitlines() if line.strip()]
    print(json.dumps(measure(rows, ours(options.types, options.threshold), options.missed, options.false)))


def ours(types: str, threshold: float) -> Callable[[str], Found]:
    from strata.gateway.guards.privacy import find
    from strata.gateway.guards.privacy.scope import masked

    def look(text: str) -> Found:
        return [(span.start, span.end, span.type) for span in masked(find(text), text, types, threshold)]

    look("Warm up: Ada Lovelace, ada@example.com")
    return look


def measure(
    rows: list[dict[str, Any]], look: Callable[[str], Found], missed: int = 0, false: int = 0
) -> dict[str, Any]:
    """Figures of one finder on labelled texts; prints up to `missed` and `false` examples of each type."""
    labelled, covered, given, right = (Counter[str]() for _ in range(4))
    misses, falses = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    leaky, seconds, characters = 0, 0.0, 0
    for row in rows:
        text = row["text"]
        begun = time.process_time()
        found = look(text)
        seconds += time.process_time() - begun
        characters += len(text)
        hidden = {at for start, end, _ in found for at in range(start, end)}
        wanted = {at for span in row["spans"] for at in range(span["start"], span["end"])}
        leaks = False
        for span in row["spans"]:
            labelled[span["type"]] += 1
            if all(at in hidden for at in _telling(text, span["start"], span["end"])):
                covered[span["type"]] += 1
            else:
                leaks = True
                misses[span["type"]].append(_shown(text, span["start"], span["end"]))
        leaky += leaks
        for start, end, kind in found:
            given[kind] += 1
            if any(at in wanted for at in range(start, end)):
                right[kind] += 1
            else:
                falses[kind].append(_shown(text, start, end))
    for title, examples, most in (("missed", misses, missed), ("false", falses, false)):
        for kind, shown in sorted(examples.items()):
            for one in shown[:: max(1, len(shown) // max(1, most))][:most]:
                print(f"{title} {kind}: {one}")
    return {
        "recall": _share(covered.total(), labelled.total()),
        "precision": _share(right.total(), given.total()),
        "leaky_texts": leaky,
        "texts": len(rows),
        "spans": labelled.total(),
        "ms_per_kb": round(seconds * 1e6 / max(1, characters), 3),
        "recall_by_type": {kind: _share(covered[kind], count) for kind, count in labelled.most_common()},
        "precision_by_type": {kind: _share(right[kind], count) for kind, count in given.most_common()},
    }


def _telling(text: str, start: int, end: int) -> Iterable[int]:
    return (at for at in range(start, end) if text[at].isalnum())


def _shown(text: str, start: int, end: int) -> str:
    return repr(text[max(0, start - 40) : start] + "⟦" + text[start:end] + "⟧" + text[end : end + 30])


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 1.0


if __name__ == "__main__":
    main()
