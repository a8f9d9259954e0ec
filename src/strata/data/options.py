"""What an operator may set for the data layer."""

from __future__ import annotations

from dataclasses import dataclass

from strata.types import Corpus


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes: `chunk_tokens` and `overlap_tokens` in the embedder's own tokens, `max_bytes` of an original in bytes,
    `parse_memory` (bytes) for one file, which may take `parse_seconds` plus `parse_seconds_per_mb` for each MiB of its
    size: a dense PDF needs about 4 s of an idle processor for each. `dense_weight` is the share of the dense score in
    the fused one, in 0..1. `embedding` is the platform's name of the embedding model.
    """

    corpora: tuple[Corpus, ...] = ()
    embedding: str = "embedding"
    chunk_tokens: int = 220
    overlap_tokens: int = 30
    max_bytes: int = 64 * 1024 * 1024
    parse_seconds: float = 60.0
    parse_seconds_per_mb: float = 20.0
    parse_memory: int = 2 * 1024 * 1024 * 1024
    workers: int = 2
    embed_batch: int = 64
    dense_weight: float = 0.5
    candidates: int = 100
    optimize_every: float = 60.0
