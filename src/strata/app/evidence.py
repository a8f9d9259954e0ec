"""How well what was found carries an answer: statements weighed against the question, and the decision to abstain.

Everything here is arithmetic on words and vectors; nothing is asked of a model. All thresholds stand together in
`Thresholds`, so that a release that changes one is a change of one line that a reviewer sees.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from strata.app.statements import Statement
from strata.app.words import Term, keys, matches, measures, spelled_out, terms, within
from strata.types import Passage


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`strength` is what the best statement must reach for an answer when everything found mentions all telling words of
    the question; each word that nothing mentions asks for `absence` more, up to two. `coverage` is how much of the
    question's own words must be met around it, `cosine` how near it must be in meaning; each in 0..1. A statement joins
    the best one in an answer when it reaches the share `companion` of its score, its neighbour in the text the share
    `neighbour`. `near_copy` is the overlap from which two say the same.
    """

    strength: float = 0.45
    absence: float = 0.06
    coverage: float = 0.3
    cosine: float = 0.3
    companion: float = 0.84
    neighbour: float = 0.75
    near_copy: float = 0.8


THRESHOLDS = Thresholds()
CANDIDATES = 32
"""At most this many statements are embedded for one question."""

_WEIGHTS = {"word": 1.0, "light": 0.35, "name": 1.6, "code": 2.0, "number": 1.2}
_OWN, _ABOVE, _BESIDE = 1.0, 0.8, 0.5
_INHERITED, _OWN_LIGHT = 0.4, 2.0
_COUNTS = re.compile(
    r"\b(?:how (?:many|much|long|often|old|far|soon|quickly|late|large|high|low|big|frequently|early)|what (?:dose|age"
    r"|percentage|proportion|share|rate|limit|amount|number|temperature|time|deadline|maximum|minimum|interval|budget)"
    r"|when|by when|deadline|maximum|minimum|half-life|shelf life|percent(?:age)?|wie (?:viele?|lange?|oft|hoch|alt|weit"
    r"|groß|schnell|spät)|wann|frist|höchstens|mindestens|prozent|anteil)\b",
    re.IGNORECASE,
)
_OUTDATED = re.compile(
    r"\b(?:superseded|obsolete|withdrawn|outdated|no longer valid|archived|draft|ersetzt|ungültig|veraltet|entwurf)\b",
    re.IGNORECASE,
)
_WHO = re.compile(r"\b(?:who|whom|whose|wer|wem|wen|wessen)\b", re.IGNORECASE)
_FIGURE = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|once|twice|daily|weekly|monthly|quarterly|annually"
    r"|yearly|immediately|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|zwölf|einmal|zweimal|täglich|wöchentlich"
    r"|monatlich|jährlich|sofort|unverzüglich)\b",
    re.IGNORECASE,
)
_SOMEBODY = re.compile(
    r"\b[A-ZÄÖÜ][\w'’-]+ (?:[A-Z]\. )?[A-ZÄÖÜ][\w'’-]+\b|\b(?:head|officer|manager|director|lead|team|department"
    r"|physician|leiter|leiterin|abteilung|beauftragte[rn]?|committee|board)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question reduced to what can be compared. `wants` says what kind of answer it asks for."""

    text: str
    terms: tuple[Term, ...]
    wants: frozenset[str]
    inherited: frozenset[str] = frozenset()
    measures: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A statement weighed: nearness in meaning, the share of the question's words it meets, and both in one score."""

    statement: Statement
    cosine: float
    coverage: float
    score: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether there is an answer in the evidence; `absent` are the question's own words that nothing found mentions."""

    answerable: bool
    reason: str
    strength: float = 0.0
    absent: tuple[str, ...] = ()


def question(
    text: str,
    language: str = "en",
    neutral: frozenset[str] = frozenset(),
    inherited: frozenset[str] = frozenset(),
) -> Question:
    """The question's terms, each once, without the `neutral` keys (the organisation's and the assistant's own names).
    `inherited` are keys that a follow-up has from an earlier question: they weigh less.
    """
    unique: dict[str, Term] = {}
    for term in terms(text, language):
        if term.key not in neutral:
            unique.setdefault(term.key, term)
    wants = {name for name, pattern in (("figure", _COUNTS), ("somebody", _WHO)) if pattern.search(text)}
    return Question(text, tuple(unique.values()), frozenset(wants), inherited, measures(text, language))


@dataclass(frozen=True, slots=True)
class Ground:
    """The statements found, as sets of keys: their own, those above them, and those beside them in the passage."""

    statements: tuple[Statement, ...]
    own: tuple[frozenset[str], ...]
    above: tuple[frozenset[str], ...]
    beside: tuple[frozenset[str], ...]
    implied: tuple[frozenset[str], ...]
    weights: dict[str, float]

    @classmethod
    def of(cls, asked: Question, statements: Sequence[Statement], language: str = "en") -> Ground:
        own = [keys(statement.text, language) for statement in statements]
        above = [keys(statement.context, language) for statement in statements]
        beside = []
        for place, statement in enumerate(statements):
            near: set[str] = set()
            for other in (place - 1, place + 1):
                if 0 <= other < len(statements) and statements[other].passage == statement.passage:
                    near |= own[other]
            beside.append(frozenset(near))
        implied = tuple(_implied(asked, statement, language) for statement in statements)
        weights = {term.key: _weight(term, own, above) * _share(term, asked) for term in asked.terms}
        return cls(tuple(statements), tuple(own), tuple(above), tuple(beside), implied, weights)

    def coverage(self, place: int) -> float:
        """The weighted share of the question's terms that are met in, above or beside the statement."""
        total = sum(self.weights.values())
        if not total:
            return 0.0
        met = 0.0
        for key, weight in self.weights.items():
            met += weight * max(
                _OWN * (key in self.implied[place]),
                _OWN * matches(key, self.own[place]),
                _ABOVE * matches(key, self.above[place]),
                _BESIDE * matches(key, self.beside[place]),
            )
        return met / total


def _implied(asked: Question, statement: Statement, language: str) -> frozenset[str]:
    """The question's terms that a statement holds without writing them: an abbreviation in full, a number in a range."""
    text = f"{statement.context} {statement.text}"
    found = {term.key for term in asked.terms if term.kind == "name" and spelled_out(term.text, text)}
    ranges = within(statement.text, language)
    for value, unit in asked.measures:
        if any(low <= float(value) <= high and counted == unit for low, high, counted in ranges):
            found.add(value)
    return frozenset(found)


def candidates(ground: Ground, passages: Sequence[Passage], limit: int = CANDIDATES) -> list[int]:
    """The places of the statements worth a closer look: the best by words and by the score of their passage."""
    order = sorted(
        range(len(ground.statements)),
        key=lambda place: -(ground.coverage(place) + 0.5 * passages[ground.statements[place].passage].score),
    )
    return sorted(order[:limit])


def weigh(
    asked: Question, ground: Ground, passages: Sequence[Passage], places: Sequence[int], cosines: Sequence[float]
) -> list[Evidence]:
    """The candidates with their scores, best first."""
    weighed = []
    for place, cosine in zip(places, cosines, strict=True):
        statement = ground.statements[place]
        coverage = ground.coverage(place)
        score = 0.5 * max(cosine, 0.0) + 0.4 * coverage + 0.1 * passages[statement.passage].score
        weighed.append(Evidence(statement, cosine, coverage, score + _fit(asked, statement)))
    return sorted(weighed, key=lambda evidence: -evidence.score)


def judge(asked: Question, ground: Ground, evidence: Sequence[Evidence], limits: Thresholds = THRESHOLDS) -> Verdict:
    """Whether the evidence carries an answer.

    It does not when a name, a code or a number of the question occurs nowhere in what was found, when too little of the
    question's weight is met around any one statement, or when the best statement is too far from it in meaning.
    """
    if not evidence:
        return Verdict(False, "nothing was found")
    absent = tuple(term.text for term in asked.terms if term.kind != "light" and not _known(term, ground))
    named = [
        term
        for term in asked.terms
        if term.text in absent and term.kind in {"name", "code", "number"} and term.key not in asked.inherited
    ]
    best = max(evidence, key=_strength)
    strength = _strength(best)
    if named:
        return Verdict(False, "what the question names is in nothing that was found", strength, absent)
    if best.coverage < limits.coverage:
        return Verdict(False, "too few of the question's words are met", strength, absent)
    if best.cosine < limits.cosine:
        return Verdict(False, "nothing found is near the question in meaning", strength, absent)
    if strength < limits.strength + limits.absence * min(len(absent), 2):
        return Verdict(False, "the evidence is weak", strength, absent)
    return Verdict(True, "", strength, absent)


def cosines(one: Sequence[float], others: Sequence[Sequence[float]]) -> list[float]:
    """The cosine of the angle between a vector and each of the others; 0 where one of them has no length."""
    if not others:
        return []
    mine, theirs = np.asarray(one, dtype=np.float32), np.asarray(others, dtype=np.float32)
    lengths = np.linalg.norm(theirs, axis=1) * np.linalg.norm(mine)
    return [float(value) for value in (theirs @ mine) / np.where(lengths > 0, lengths, 1.0)]


def _strength(evidence: Evidence) -> float:
    return 0.5 * max(evidence.cosine, 0.0) + 0.5 * evidence.coverage


def _weight(term: Term, own: Sequence[frozenset[str]], above: Sequence[frozenset[str]]) -> float:
    """A term's weight: rarer among what was found is heavier (as in BM25), and names and codes are heavier than words."""
    count = sum(1 for mine, over in zip(own, above, strict=True) if term.key in mine or term.key in over)
    rarity = math.log(1 + (len(own) + 0.5) / (count + 0.5)) / math.log(1 + (len(own) + 0.5) / 0.5)
    return _WEIGHTS[term.kind] * (0.6 + 0.4 * rarity)


def _share(term: Term, asked: Question) -> float:
    """In a follow-up its own words count most, also the light ones, for they are what is asked anew."""
    if not asked.inherited:
        return 1.0
    if term.key in asked.inherited:
        return _INHERITED
    return _OWN_LIGHT if term.kind == "light" else 1.0


def _fit(asked: Question, statement: Statement) -> float:
    """A little more for a statement that has what the question asks for, a little less for one that lacks it."""
    fit = 0.0
    if "figure" in asked.wants:
        fit += 0.04 if _FIGURE.search(statement.text) else -0.06
    if "somebody" in asked.wants:
        fit += 0.03 if _SOMEBODY.search(statement.text) else -0.03
    if _OUTDATED.search(statement.context) and not _OUTDATED.search(asked.text):
        fit -= 0.12
    if statement.kind == "title" or len(statement.text) < 25 or statement.text.endswith("?"):
        fit -= 0.06
    return fit


def _known(term: Term, ground: Ground) -> bool:
    for place, (own, above) in enumerate(zip(ground.own, ground.above, strict=True)):
        if matches(term.key, own) or matches(term.key, above) or term.key in ground.implied[place]:
            return True
    return False
