"""Which statements carry a sentence that a model wrote: the check that stands between a model's text and its reader.

A statement carries a sentence when every number (with what is counted), every name and every code of the sentence
stands in it, when both affirm or both deny, when the words and the meaning agree, and when names and numbers stand in the
same order among the other words (so that "A informs B" does not carry "B informs A"). Two statements may carry a sentence
together, but not one with numbers: "25 mg" here and "50 mg" there say nothing of both. What passes is cited by its exact place; what does not is never given a citation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from strata.app.statements import Statement
from strata.app.words import Term, keys, matches, measures, negated, numbers, terms
from strata.types import Citation, Passage

OWN, STEADY = 0.5, 0.7
"""At least this share of a claim's terms stands in the statements themselves, not only in the headings above them,
and at least STEADY of those that do stand in the same order."""

WORDS_ALONE, WORDS, MEANING, NEAR, GAIN = 0.85, 0.75, 0.7, 0.3, 0.15
"""A sentence is carried when the share of its words that are met is at least WORDS_ALONE and the cosine at least NEAR,
or when it is at least WORDS and the cosine at least MEANING. Two statements are taken for one when they meet GAIN more."""

_MARKER = re.compile(r"\s*[\[(](?:(?:passage|source|quelle)\s*)?\d+(?:\s*,\s*\d+)*[\])]", re.IGNORECASE)
_WEIGHT = {"light": 0.5}


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer reduced to what has to be carried."""

    text: str
    terms: tuple[Term, ...]
    language: str

    @classmethod
    def of(cls, text: str, language: str = "en") -> Claim:
        return cls(text, tuple({term.key: term for term in terms(text, language)}.values()), language)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to carry: a greeting, "Here is what I found:"."""
        return sum(1 for term in self.terms if term.kind != "light") < 2 and not numbers(self.text, self.language)


def carriers(claim: Claim, statements: Sequence[Statement], cosines: Sequence[float]) -> list[tuple[Statement, float]]:
    """The statement that carries the claim best, or the two that carry it together, with how well; else nothing."""
    ranked = sorted(
        (
            (_met(claim, [statement]), cosine, statement)
            for statement, cosine in zip(statements, cosines, strict=True)
            if statement.kind != "title"
        ),
        key=lambda one: -(one[0] + one[1]),
    )
    alone: list[tuple[Statement, float]] = []
    reached = 0.0
    for met, cosine, statement in ranked[:8]:
        if _enough(met, cosine) and _exact(claim, [statement]) and _ordered(claim, statement):
            alone, reached = [(statement, _score(met, cosine))], met
            break
    if reached >= WORDS_ALONE or numbers(claim.text, claim.language):
        return alone
    for place, (_, first_cosine, first) in enumerate(ranked[:4]):
        for _, second_cosine, second in ranked[place + 1 : 5]:
            met, cosine = _met(claim, [first, second]), max(first_cosine, second_cosine)
            if min(first_cosine, second_cosine) < NEAR or met < reached + GAIN:
                continue
            if _enough(met, cosine) and _exact(claim, [first, second]):
                return [(first, _score(met, cosine)), (second, _score(met, cosine))]
    return alone


def without_markers(text: str) -> str:
    """The text without the passage numbers that a model writes of itself: they are not evidence of anything."""
    return _MARKER.sub("", text)


@dataclass(slots=True)
class Citations:
    """The citations of one answer, numbered from 1 in the order of their first use; one place has one number."""

    passages: Sequence[Passage]
    given: list[Citation] = field(default_factory=list)

    def cite(self, statement: Statement, score: float) -> tuple[Citation, bool]:
        """The citation of a statement, and whether it is new in this answer."""
        for citation in self.given:
            if (citation.document, citation.start, citation.end) == (
                statement.document,
                statement.start,
                statement.end,
            ):
                return citation, False
        chunk = self.passages[statement.passage].chunk
        place = chunk.place(statement.start)
        citation = Citation(
            number=len(self.given) + 1,
            document=chunk.document,
            title=chunk.title or chunk.source,
            media=chunk.media,
            page=place.page,
            headings=place.headings,
            start=statement.start,
            end=statement.end,
            quote=statement.quote,
            score=round(min(max(score, 0.0), 1.0), 4),
        )
        self.given.append(citation)
        return citation, True


def _enough(met: float, cosine: float) -> bool:
    return (met >= WORDS_ALONE and cosine >= NEAR) or (met >= WORDS and cosine >= MEANING)


def _score(met: float, cosine: float) -> float:
    return 0.5 * met + 0.5 * max(cosine, 0.0)


def _met(claim: Claim, statements: Sequence[Statement]) -> float:
    """The weighted share of the claim's terms that stand in the statements or above them."""
    pool = _pool(statements, claim.language)
    total = sum(_WEIGHT.get(term.kind, 1.0) for term in claim.terms)
    met = sum(_WEIGHT.get(term.kind, 1.0) * matches(term.key, pool) for term in claim.terms)
    return met / total if total else 0.0


def _exact(claim: Claim, statements: Sequence[Statement]) -> bool:
    """Numbers with what they count, names and codes all stand there, and nothing is denied that was affirmed."""
    text = "\n".join(statement.text for statement in statements)
    pool = _pool(statements, claim.language)
    if not numbers(claim.text, claim.language) <= numbers(text, claim.language):
        return False
    if any(term.kind in {"name", "code"} and not matches(term.key, pool) for term in claim.terms):
        return False
    if not measures(claim.text, claim.language) <= measures(text, claim.language, window=4):
        return False
    own = frozenset().union(*(keys(statement.text, claim.language) for statement in statements))
    if sum(1 for term in claim.terms if matches(term.key, own)) < OWN * len(claim.terms):
        return False
    denies = negated(claim.text, claim.language)
    return all(negated(statement.text, claim.language) == denies for statement in statements)


def _ordered(claim: Claim, statement: Statement) -> bool:
    """Whether every name, code and number of the claim stands among its other words as it does in the statement.

    The claim's words have places in the statement; each of those terms must lie on a longest rising run of places.
    A table's row has the order of its columns, which says nothing.
    """
    if statement.kind in {"row", "list"}:
        return True
    written = [term.key for term in terms(statement.text, claim.language)]
    held: list[tuple[Term, int]] = []
    last = -1
    for term in claim.terms:
        places = [place for place, key in enumerate(written) if matches(term.key, {key})]
        if places:
            last = next((place for place in places if place > last), places[0])
            held.append((term, last))
    upto = [0] * len(held)
    since = [0] * len(held)
    for here in range(len(held)):
        upto[here] = 1 + max((upto[i] for i in range(here) if held[i][1] < held[here][1]), default=0)
    for here in reversed(range(len(held))):
        since[here] = 1 + max((since[i] for i in range(here + 1, len(held)) if held[i][1] > held[here][1]), default=0)
    longest = max(upto, default=0)
    if longest < STEADY * len(held):
        return False
    exact = {"name", "code", "number"}
    return all(upto[i] + since[i] - 1 == longest for i, (term, _) in enumerate(held) if term.kind in exact)


def _pool(statements: Sequence[Statement], language: str) -> frozenset[str]:
    return frozenset().union(
        *(keys(statement.text, language) | keys(statement.context, language) for statement in statements)
    )
