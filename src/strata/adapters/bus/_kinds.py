"""Which kinds of events a subscription means, by name: a class stands for its subclasses too."""

from __future__ import annotations

from collections.abc import Sequence

from strata.events import KINDS, Event


def names(kinds: Sequence[type[Event]]) -> frozenset[str]:
    """The names of all stored kinds that are one of these classes or derived from one."""
    return frozenset(name for name, kind in KINDS.items() if issubclass(kind, tuple(kinds)))


PAUSE = 0.05
LONGEST_PAUSE = 30.0


def pause(attempts: int) -> float:
    """Seconds to wait after the n-th failure in a row: 0.05, 0.1, 0.2 … up to 30."""
    return float(min(PAUSE * 2 ** min(attempts - 1, 20), LONGEST_PAUSE))
