"""The shapes of requests and answers, one module each; `gateway/dialect.py` says what a module offers."""

from __future__ import annotations

from strata.gateway.dialect import Dialect
from strata.gateway.dialects import chat, count_tokens, embeddings, media, messages, rerank, responses

DIALECTS: dict[str, Dialect] = {
    "chat": chat,
    "responses": responses,
    "messages": messages,
    "count_tokens": count_tokens,
    "embeddings": embeddings,
    "rerank": rerank,
    "images": media.IMAGES,
    "speech": media.SPEECH,
    "transcriptions": media.TRANSCRIPTIONS,
}
"""The dialects that the gateway reads, by their operation."""
