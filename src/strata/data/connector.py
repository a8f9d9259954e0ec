"""What brings documents from where they live: one file in `connectors/` for each kind of place.

A connector file offers `make(corpus, …) -> Connector`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from strata.types import NewDocument


@dataclass(frozen=True, slots=True)
class Found:
    """A document at its source: what is said of it, its size in bytes, and how to fetch the bytes when it is its turn."""

    new: NewDocument
    size: int
    fetch: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something at the source that is not brought in, and why."""

    source: str
    reason: str


class Connector(Protocol):
    """Walks a source, lazily. Sources are stable: the same document has the same `source` in every walk."""

    def walk(self) -> Iterator[Found | Refusal]: ...
