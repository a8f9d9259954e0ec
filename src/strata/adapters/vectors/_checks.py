"""What a batch of chunks must be before a store takes it."""

from __future__ import annotations

from collections.abc import Sequence

from strata.errors import Invalid
from strata.types import Chunk


def check(tenant: str, document: str, chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]]) -> None:
    """Raise `Invalid` unless there is one vector per chunk, all as long, and the chunks are of this document."""
    if len(chunks) != len(vectors):
        raise Invalid(f"{len(chunks)} chunks came with {len(vectors)} vectors; one is needed for each")
    if len({len(vector) for vector in vectors}) > 1:
        raise Invalid("the vectors differ in length; a document is embedded by one model")
    if any(chunk.tenant != tenant or chunk.document != document for chunk in chunks):
        raise Invalid(f"a chunk belongs to another tenant or document than {tenant}/{document}")
    if len({chunk.id for chunk in chunks}) != len(chunks):
        raise Invalid("two chunks have the same id")
