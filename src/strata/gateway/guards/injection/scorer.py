"""How much a text tries to steer a model that reads it, from 0 to 1.

A linear classifier, `attack`, looks at every window of a text in every reading of it. Features of letters decide the
clear windows; the rest are compared by meaning as well, with the embedded MiniLM. A second one, `order`, finds sentences
that ask whoever answers for something, however harmless, and `foreign` weighs whether they belong where they stand: a
mail that suddenly wants a poem. The weights are learnt by `bench/train_injection.py`; figures on collections that were not learnt from are in `bench/README.md`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from strata.gateway.guards.injection.features import hashed, structure
from strata.gateway.guards.injection.foreign import Block, blocks, surroundings, weighed
from strata.gateway.guards.injection.reading import LONGEST, WINDOW, decoded, plain, sentences, windows
from strata.gateway.guards.meaning import Embedder, embedder

THRESHOLD, RETRIEVED = 0.5, 0.4
"""The shipped thresholds of what people say and of passages, where a mistake costs no more than a sentence."""
QUIET, LOUD = -2.0, 4.0
"""Log odds beyond which the letters alone decide."""
PRIOR, LOOKS = 1.3, 0.5
"""Log odds taken off: training saw as many attacks as harmless texts, and the world does not; and a text of many windows
has many chances to look like one (this times the logarithm of their number)."""
FOREIGN, FOREIGN_LOOKS = 0.5, 0.5
"""The same for sentences that do not belong where they stand, and for texts of many blocks."""
CANDIDATES, UNLIKE = 3, -1.0
"""Sentences of a block that are compared by meaning: those that look most like an order, from these log odds."""
MAX_BLOCKS, LONG = 256, 4000
CERTAIN = 0.95
"""Where the windows say this much, sentences are not compared any more."""
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
class Candidate:
    """The sentence `at` of a block that it may not belong to, and what is known of both."""

    block: Block
    at: int
    shown: str
    features: tuple[Any, Any]
    looks: Any
    attack: float


@dataclass(frozen=True, slots=True)
class Scorer:
    """`embedder` None means letters alone: quicker, and blinder to words that were not learnt."""

    weights: dict[str, Any] = field(repr=False)
    embedder: Embedder | None = None

    async def score(self, text: str) -> float:
        """The highest score of any window or sentence; 0 for an empty text."""
        best = max((span.score for span in await self.spans(text)), default=0.0)
        if best >= CERTAIN:
            return best
        return max([best, *(span.score for span in await self.foreign(text))])

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

    async def foreign(self, text: str) -> list[Span]:
        """The sentences that ask whoever answers for something and do not belong where they stand, with their scores;
        none without the embedder, in fewer than three sentences, or in a text that is too long anyway.
        """
        if self.embedder is None or len(text) > MAX_WINDOWS * WINDOW:
            return []
        found = await asyncio.to_thread(self._candidates, text)
        if not found:
            return []
        meaning = await self.embedder.vectors([one.shown for one in found])
        orders = [self._full(one.features, own, "order") for one, own in zip(found, meaning, strict=True)]
        kept = [row for row, order in enumerate(orders) if order > UNLIKE]
        if not kept:
            return []
        others = await self.embedder.vectors([plain(found[row].block.beside(found[row].at)) for row in kept])
        off = FOREIGN + FOREIGN_LOOKS * float(np.log(1 + len(text) // LONG))
        return [
            self._placed(found[row], orders[row], meaning[row], other, off)
            for row, other in zip(kept, others, strict=True)
        ]

    def _candidates(self, text: str) -> list[Candidate]:
        """The likeliest orders by their letters."""
        found = []
        for block in blocks(text)[:MAX_BLOCKS]:
            shown = [plain(block.text[start:end]) for start, end in block.cuts]
            features, looks = self._quick(shown, "order")
            top = [int(at) for at in np.argsort(looks)[-CANDIDATES:] if looks[at] > UNLIKE]
            if top:
                _, attacks = self._quick([plain(block.text[a:b]) for a, b in windows(block.text)], "attack")
                found += [Candidate(block, at, shown[at], features[at], looks, float(attacks.max())) for at in top]
        return sorted(found, key=lambda one: -float(one.looks[one.at]))[:COMPARED]

    def _placed(self, one: Candidate, order: float, own: Any, other: Any, off: float) -> Span:
        attacks = (one.attack, self._full(one.features, own, "attack"))
        numbers = surroundings(one.block, one.at, one.looks, order, float(own @ other), attacks)
        start, end = one.block.cuts[one.at]
        first = one.block.start
        return Span(first + start, first + end, _chance(weighed(numbers, self.weights) - off))

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
    with (files("strata.gateway.guards.injection") / "weights.npz").open("rb") as file:
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
