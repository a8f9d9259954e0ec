"""Answers made of quotations: the one to three statements that carry an answer best, in the order of their document."""

from __future__ import annotations

from collections.abc import Sequence

from strata.app.evidence import THRESHOLDS, Evidence, Thresholds
from strata.app.words import keys

MOST = 3
"""An extractive answer has at most this many statements."""


def chosen(
    evidence: Sequence[Evidence], language: str = "en", most: int = MOST, limits: Thresholds = THRESHOLDS
) -> list[Evidence]:
    """The best statement, and those that come close to it and say something else; `evidence` is best first."""
    picked: list[Evidence] = []
    for one in evidence:
        if len(picked) == most:
            break
        if picked and one.score < _needed(one, picked[0], limits):
            continue
        if not any(_same(one, other, language, limits) for other in picked):
            picked.append(one)
    picked = _whole_lists(picked, evidence)
    first = {statement.document: rank for rank, statement in reversed(list(enumerate(e.statement for e in picked)))}
    return sorted(picked, key=lambda one: (first[one.statement.document], one.statement.start))


def _needed(one: Evidence, best: Evidence, limits: Thresholds) -> float:
    """The score that a statement needs beside the best one: less for the very next sentence, which often completes it."""
    mine, its = one.statement, best.statement
    near = mine.document == its.document and mine.kind == its.kind == "sentence" and 0 <= mine.start - its.end <= 2
    return (limits.neighbour if near else limits.companion) * best.score


def _whole_lists(picked: list[Evidence], evidence: Sequence[Evidence]) -> list[Evidence]:
    """Where two entries of a list would be quoted, the list is quoted whole."""
    for whole in evidence:
        if whole.statement.kind != "list":
            continue
        entries = [one for one in picked if _within(one, whole)]
        if len(entries) > 1:
            place = picked.index(entries[0])
            picked = [one for one in picked if one not in entries]
            picked.insert(place, whole)
    return picked


def _within(one: Evidence, whole: Evidence) -> bool:
    inner, outer = one.statement, whole.statement
    same = inner.kind == "entry" and inner.document == outer.document
    return same and outer.start <= inner.start and inner.end <= outer.end


def _same(one: Evidence, other: Evidence, language: str, limits: Thresholds) -> bool:
    """Whether two statements overlap in place or say the same in other words."""
    mine, its = one.statement, other.statement
    if mine.document == its.document and mine.start < its.end and its.start < mine.end:
        return True
    left, right = keys(mine.text, language), keys(its.text, language)
    smaller = min(len(left), len(right))
    return bool(smaller) and len(left & right) / smaller >= limits.near_copy
