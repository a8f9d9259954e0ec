"""What an operator may set for the AI factory."""

from __future__ import annotations

from dataclasses import dataclass

from strata.types import Person


@dataclass(frozen=True, slots=True)
class Options:
    """`people` whom evaluation cases may ask as; `parallel` cases at a time; `seconds` that one case may take."""

    people: tuple[Person, ...] = ()
    parallel: int = 2
    seconds: float = 300.0
