"""What texts mean, as vectors of length 1: the embedded MiniLM, shared by the guardrails that compare meanings."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from strata.gateway.options import Deployment
from strata.gateway.providers import minilm

DIMENSIONS = minilm.DIMENSIONS


@dataclass(frozen=True, slots=True)
class Embedder:
    """`model` runs in a thread of its own; nothing leaves the process."""

    model: minilm.MiniLM

    async def vectors(self, texts: Sequence[str]) -> Any:
        """Float32 vectors in the order of the texts, shape (texts, 384)."""
        import numpy as np

        answer = await self.model.whole("embeddings", {"input": list(texts), "encoding_format": "base64"})
        return np.stack([np.frombuffer(base64.b64decode(row["embedding"]), np.float32) for row in answer["data"]])


@lru_cache(maxsize=1)
def embedder() -> Embedder:
    """The embedder of this process; raises `Misconfigured` when its packages are not installed."""
    return Embedder(minilm.make("", Deployment("guardrails", "embedding", "minilm", options={"threads": 1})))
