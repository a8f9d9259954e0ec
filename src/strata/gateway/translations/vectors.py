"""Embeddings in OpenAI's shape: the texts of a request, and the answer made of vectors."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence

from strata.errors import Invalid
from strata.types import Json


def texts_in(request: Json) -> list[str]:
    """The texts to embed. Raises `Invalid` for anything else: tokens of OpenAI's mean nothing to other vendors."""
    given = request.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise Invalid("'input' must be a text or a list of texts for this model", param="input")
    return texts


def answer(vectors: Sequence[Sequence[float]], model: str, tokens: int, form: object) -> Json:
    """`form` is the request's `encoding_format`: as numbers, or as base64 of little-endian 32-bit floats."""
    rows = [
        {"object": "embedding", "index": index, "embedding": packed(vector) if form == "base64" else list(vector)}
        for index, vector in enumerate(vectors)
    ]
    return {
        "object": "list", "data": rows, "model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }  # fmt: skip


def packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
