"""What is measured of an answer: the promise of the files in `metrics/`.

Each of those files offers `make() -> Metric`; a new file is a new metric.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Protocol

from strata.types import EvalCase, Outcome


@dataclass(frozen=True, slots=True)
class Reply:
    """What an assistant did with a question.

    `sources` are the addresses `corpus/source` of the cited documents; `closed` counts citations of documents that the
    one who asked may not open. `refused` is why the question was not let in at all; there is no answer then.
    """

    text: str = ""
    outcome: Outcome | None = None
    quotes: tuple[str, ...] = ()
    sources: frozenset[str] = frozenset()
    closed: int = 0
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A score from 0 to 1, and why it is not 1."""

    score: float
    reason: str = ""


class Metric(Protocol):
    """`name` is the key of its scores. A case passes when every metric that applies to it gives 1."""

    @property
    def name(self) -> str: ...

    def judge(self, case: EvalCase, reply: Reply) -> Verdict | None:
        """The score, or None where it does not apply to a case of this kind. Pure: equal arguments, equal scores."""
        ...


def says(text: str, phrase: str) -> bool:
    """Whether the text has the phrase as whole words and whole numbers. Spaces, dashes, quotation marks, capital
    letters and Markdown marks, and what parts the thousands in `1,000`, do not matter.
    """
    wanted = normal(phrase)
    if not wanted:
        return False
    pattern = rf"(?<!\w)(?<!\d[.,]){re.escape(wanted)}(?!\w)(?![.,]\d)"
    return re.search(pattern, normal(text)) is not None


def normal(text: str) -> str:
    """Text in the form in which it is compared."""
    text = re.sub(r"(?<=\d)[,\u00a0\u2009\u202f](?=\d{3}(?!\d))", "", text)
    text = unicodedata.normalize("NFKC", text).casefold()
    text = re.sub(r"[‐‑‒–—−]", "-", text)
    text = re.sub(r"[‘’‚“”„«»\"'`*_]", "", text)
    return re.sub(r"(?<=\d) %", "%", " ".join(text.split()))
