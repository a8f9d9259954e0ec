"""Orders that do not belong where they stand: a request to whoever answers, in the middle of a text about something else.

A mail that suddenly wants a poem, a comment in code that asks for a file to be sent. Such an order may be harmless if a
person gives it, so only its surroundings tell: what the other sentences are like, and how near they are in meaning. The
numbers of `surroundings` are weighed by a small network learnt by `bench/train_injection.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from strata.gateway.guards.injection.reading import sentences

Cut = tuple[int, int]
SHORTEST = 12
"""Characters of the shortest order worth a look."""
BLOCK = 40
"""Sentences that are compared with each other; a longer text is judged block by block."""
BESIDE = 160
"""Characters of the text before and after a sentence that it is compared with by meaning."""
NUMBERS = 21

_WORD = re.compile(r"\w{4,}")
_POINTS = re.compile(
    r"\b(?:this|these|the following|above|below|the (?:text|mail|e-mail|passage|article|document|context|code|paragraph)|folgende[nrs]?|diesen?|obigen?"
    r"|este|siguiente|ce(?:tte)?|suivant)\b",
    re.IGNORECASE,
)
_READER = re.compile(
    r"\b(?:your (?:final )?(?:answer|response|reply|output|summary)|the (?:user|assistant|model|reader)|deine[rn]? antwort|tu respuesta|ta réponse)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:please|kindly|can you|could you|you (?:must|should|need)|bitte|por favor|merci de)\b", re.IGNORECASE
)
_LETTER = re.compile(
    r"(?:^|\n)\s*(?:hi|hello|dear|hey|subject:|from:|sehr geehrte|hallo|hola|bonjour)\b|\b(?:regards|cheers|thanks|sincerely|best wishes|unsubscribe)\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"[{};=<>]|\w\(|^\s*(?:def|import|from|class|return|if|for|#|//)\b|\w\.\w", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a text, where it starts, and its sentences, counted from there."""

    text: str
    start: int
    cuts: list[Cut]

    def beside(self, at: int) -> str:
        """The text around a sentence, without it."""
        start, end = self.cuts[at]
        return f"{self.text[max(0, start - BESIDE) : start]} {self.text[end : end + BESIDE]}".strip()


def blocks(text: str) -> list[Block]:
    """Sentences that could be an order, in runs of at most `BLOCK`; texts of fewer than three have no surroundings."""
    cuts = [(start, end) for start, end in sentences(text) if end - start >= SHORTEST]
    if len(cuts) < 3:
        return []
    count = -(-len(cuts) // BLOCK)
    size = -(-len(cuts) // count)
    runs = [cuts[at : at + size] for at in range(0, len(cuts), size)]
    edges = [0, *(run[0][0] for run in runs[1:]), len(text)]
    return [
        Block(text[first:last], first, [(start - first, end - first) for start, end in run])
        for run, (first, last) in zip(runs, pairwise(edges), strict=True)
    ]


def surroundings(block: Block, at: int, looks: Any, order: float, near: float, attacks: tuple[float, float]) -> Any:
    """`NUMBERS` float32 numbers about the sentence `at` of a block.

    `looks`: log odds of every sentence by letters; `order`: those of this one by letters and meaning; `near`: cosine
    similarity of its meaning to that of the text around it; `attacks`: log odds of an attack, of the block's worst window by
    letters and of the sentence by letters and meaning.
    """
    text, cuts = block.text, block.cuts
    start, end = cuts[at]
    own = text[start:end]
    others = np.delete(looks, at)
    apart = np.array([value for index, value in enumerate(looks) if abs(index - at) > 1], np.float32)
    second = float(apart.max()) if len(apart) else float(others.max())
    words = {word[:6] for word in _WORD.findall(own.lower())}
    rest = {word[:6] for word in _WORD.findall(f"{text[cuts[0][0] : start]} {text[end : cuts[-1][1]]}".lower())}
    code_own, code_all = len(_CODE.findall(own)) / len(own), len(_CODE.findall(text)) / len(text)
    return np.array(
        [
            order / 4,
            float(looks[at]) / 4,
            (float(looks[at]) - second) / 4,
            second / 4,
            float(others.mean()) / 4,
            float((others > 0).mean()),
            near,
            len(words & rest) / max(len(words), 1),
            np.log(len(cuts)) / 3,
            start <= 2,
            end >= len(text.rstrip()) - 1,
            _POINTS.search(own) is not None,
            _READER.search(own) is not None,
            _ASKS.search(own) is not None,
            own.rstrip().endswith(":"),
            own.rstrip().endswith("?"),
            min(len(_LETTER.findall(text)), 3) / 3,
            min(code_all * 8, 2),
            min((code_own - code_all) * 8, 2),
            *(min(max(attack, -8), 8) / 4 for attack in attacks),
        ],
        np.float32,
    )


def weighed(numbers: Any, weights: dict[str, Any]) -> float:
    """Log odds that the sentence does not belong where it stands."""
    hidden = np.maximum(numbers @ weights["foreign_in"] + weights["foreign_in_bias"], 0)
    return float(hidden @ weights["foreign_out"] + weights["foreign_out_bias"][0])
