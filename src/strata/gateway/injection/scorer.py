"""How much a text tries to steer a model that reads it, from 0 to 1.

A linear classifier, `attack`, looks at every window of a text in every reading of it. Features of letters decide the
clear windows; the rest are compared by meaning as well, with the embedded MiniLM. A second one, `order`, finds the one
sentence of a passage that asks a model for something, however harmless: a mail that suddenly wants a poem. The weights
are learnt by `bench/train_injection.py`; figures on collections that were not learnt from are in `bench/README.md`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from strata.gateway.injection.features import hashed, structure
from strata.gateway.injection.reading import LONGEST, decoded, plain, sentences, windows
from strata.gateway.meaning import Embedder, embedder

THRESHOLD = 0.5
QUIET, LOUD = -2.0, 4.0
"""Log odds beyond which the letters alone decide."""
PRIOR, LOOKS = 1.3, 0.5
"""Log odds taken off: training saw as many attacks as harmless texts, and the world does not; and a text of many windows
has many chances to look like one (this times the logarithm of their number)."""
ORDER, GAP = 5.0, 4.0
"""Log odds that an order needs, and by how much it has to stand out from every other sentence of its passage: a manual
is full of instructions to people, and they look alike."""
ORDER_LOOKS = 4
"""Sentences of a passage that are compared by meaning: those that look most like an order by their letters."""
BESIDE = 4.0
"""Log odds by which a sentence may be less suspicious than the worst of its window and still be taken out with it."""
MEANING_SCALE = 4.0
"""What the training multiplied embeddings with."""
COMPARED = 256
"""Windows of a text that are compared by meaning at most, the most suspicious first: about three seconds of one core."""
MAX_WINDOWS = 4096
"""More than any context takes; a longer text counts as an attack."""

Features = list[tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text, in characters, and its score."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Scorer:
    """`embedder` None means letters alone: quicker, and blinder to words that were not learnt."""

    weights: dict[str, Any] = field(repr=False)
    embedder: Embedder | None = None

    async def score(self, text: str) -> float:
        """The highest score of any window; 0 for an empty text."""
        return max((span.score for span in await self.spans(text)), default=0.0)

    async def spans(self, text: str) -> list[Span]:
        """Every window with its score, in the order of the text."""
        cuts = windows(text)
        if len(cuts) > MAX_WINDOWS:
            return [Span(0, len(text), 1.0)]
        return await self._judged(text, cuts, PRIOR + LOOKS * float(np.log(max(len(cuts), 1))))

    async def narrowed(self, text: str, span: Span, threshold: float) -> list[Span]:
        """The sentences of a suspicious window that make it so; the window itself when none does by itself."""
        if span.end - span.start > 2 * LONGEST:
            return [span]
        part = text[span.start : span.end]
        judged = await self._judged(part, list(sentences(part)), PRIOR)
        bar = max(threshold, _chance(_odds(max((it.score for it in judged), default=0.0)) - BESIDE))
        loud = [it for it in judged if it.score >= bar]
        return [Span(span.start + it.start, span.start + it.end, it.score) for it in loud] or [span]

    async def order(self, text: str) -> Span | None:
        """The sentence of a passage that asks a model for something while no other does, with its score; None for fewer
        than three sentences.
        """
        cuts = [cut for cut in sentences(text) if cut[1] - cut[0] > 15][:MAX_WINDOWS]
        if len(cuts) < 3:
            return None
        shown = [plain(text[start:end]) for start, end in cuts]
        features, logits = await asyncio.to_thread(self._quick, shown, "order")
        top = [int(at) for at in np.argsort(logits)[-ORDER_LOOKS:]]
        if self.embedder is not None:
            meaning = await self.embedder.vectors([shown[at] for at in top])
            judged = [self._full(features[at], vector, "order") for at, vector in zip(top, meaning, strict=True)]
        else:
            judged = [float(logits[at]) for at in top]
        ranked = sorted(zip(judged, top, strict=True), reverse=True)
        (best, at), (second, _) = ranked[0], ranked[1]
        return Span(*cuts[at], _chance(min(best - ORDER, best - second - GAP)))

    async def _judged(self, text: str, cuts: list[tuple[int, int]], off: float) -> list[Span]:
        if not cuts:
            return []
        flat = await asyncio.to_thread(_read, text, cuts)
        features, logits = await asyncio.to_thread(self._quick, [reading for _, reading in flat], "attack")
        unsure = [row for row, value in enumerate(logits) if QUIET < value < LOUD]
        unsure = sorted(unsure, key=lambda row: -logits[row])[:COMPARED]
        if self.embedder is not None and unsure:
            meaning = await self.embedder.vectors([flat[row][1] for row in unsure])
            for row, vector in zip(unsure, meaning, strict=True):
                logits[row] = self._full(features[row], vector, "attack")
        best = np.full(len(cuts), -np.inf)
        np.maximum.at(best, [index for index, _ in flat], logits)
        return [Span(start, end, _chance(value - off)) for (start, end), value in zip(cuts, best, strict=True)]

    def _quick(self, texts: list[str], head: str) -> tuple[Features, Any]:
        """The features of each text and its log odds by letters."""
        features = [(hashed(text), structure(text)) for text in texts]
        return features, np.array([self._odds(f"{head}_quick", buckets, marks) for buckets, marks in features])

    def _full(self, features: tuple[Any, Any], meaning: Any, head: str) -> float:
        return self._odds(f"{head}_full", features[0], np.concatenate([features[1], meaning * MEANING_SCALE]))

    def _odds(self, name: str, buckets: Any, dense: Any) -> float:
        sparse = self.weights[f"{name}_buckets"][buckets].sum() / max(len(buckets), 1) ** 0.5
        return float(sparse + dense @ self.weights[f"{name}_dense"])


@lru_cache(maxsize=2)
def scorer(*, meaning: bool = True) -> Scorer:
    """The shipped scorer; raises `Misconfigured` when the embedder is asked for and not installed."""
    with (files("strata.gateway.injection") / "weights.npz").open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        weights = {name: loaded[name].astype(np.float32) for name in loaded.files}
    return Scorer(weights, embedder() if meaning else None)


def _chance(odds: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(odds, -30, 30))))


def _odds(chance: float) -> float:
    chance = min(max(chance, 1e-12), 1 - 1e-12)
    return float(np.log(chance / (1 - chance)))


def _read(text: str, cuts: list[tuple[int, int]]) -> list[tuple[int, str]]:
    """What a model might read in each window of a text, with the window's number."""
    found = []
    for number, (start, end) in enumerate(cuts):
        shown = plain(text[start:end])
        found.append((number, shown))
        found += [(number, part[a:b]) for part in map(plain, decoded(shown)) for a, b in windows(part)]
    return found
