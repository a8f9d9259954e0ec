"""Statements (RDF) with the source that they rest on, asked in SPARQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from strata.types import Json, Reader


@dataclass(frozen=True, slots=True)
class Statement:
    """A triple of IRIs (`object` may be a literal, marked by `literal`). No personal data belongs into a literal."""

    subject: str
    predicate: str
    object: str
    literal: bool = False


class Graph(Protocol):
    """Statements kept by the document that they come from, in one named graph each.

    A question sees only the graphs of documents whose access label the reader holds.
    """

    async def upsert(self, tenant: str, document: str, access: str, statements: Sequence[Statement]) -> None:
        """Make these the document's statements: all earlier ones are gone."""
        ...

    async def delete(self, tenant: str, documents: Sequence[str]) -> None: ...

    async def ask(self, reader: Reader, sparql: str, *, limit: int = 1000) -> list[Json]:
        """SPARQL 1.1 SELECT or ASK over what the reader may see; one JSON object per solution, variable → value as
        text (ASK: one object with `boolean`). Updates, SERVICE and FROM are refused with `Invalid`.
        """
        ...

    async def erase(self) -> None:
        """Rebuild the store so that nothing deleted is left on disk."""
        ...

    async def close(self) -> None: ...
