"""Rerank, in the JSON that Cohere began and Jina, vLLM and others speak: a query and documents in, an order out.

https://docs.cohere.com/reference/rerank
"""

from __future__ import annotations

from strata.errors import Invalid
from strata.gateway.dialect import count
from strata.gateway.dialects.embeddings import (
    answer_texts,
    bound,
    closing,
    ended,
    piece_texts,
    said,
    shown,
    tail,
    whole_texts,
)
from strata.gateway.guardrail import Text
from strata.types import Json, Usage

KINDS: tuple[str, ...] = ("rerank",)
FREE = False
REPEATS = False
__all__ = [
    "FREE", "KINDS", "REPEATS", "answer_texts", "bound", "check", "closing", "ended", "piece_texts", "request_texts",
    "said", "shown", "tail", "usage", "whole", "whole_texts",
]  # fmt: skip


def check(body: Json) -> None:
    if not isinstance(body.get("query"), str) or not body["query"]:
        raise Invalid("'query' must be a text, not empty", param="query")
    if not isinstance(body.get("documents"), list) or not body["documents"]:
        raise Invalid("'documents' must be a list of texts, not empty", param="documents")


def usage(answer: Json, so_far: Usage | None = None) -> Usage | None:  # noqa: ARG001
    """Tokens where the vendor counts them; searches are charged by the call."""
    meta = answer.get("meta")
    said_ = answer.get("usage") or (meta.get("tokens") if isinstance(meta, dict) else None)
    if not isinstance(said_, dict):
        return None
    return Usage(count(said_.get("prompt_tokens") or said_.get("total_tokens") or said_.get("input_tokens")))


def whole(answer: Json) -> bool:
    return isinstance(answer.get("results"), list)


def request_texts(body: Json) -> list[Text]:
    texts = [Text("input", "query", body, "query")]
    for number, document in enumerate(body["documents"]):
        if isinstance(document, str):
            texts.append(Text("retrieved", str(number), body["documents"], number))
        elif isinstance(document, dict) and isinstance(document.get("text"), str):
            texts.append(Text("retrieved", str(number), document, "text"))
    return texts
