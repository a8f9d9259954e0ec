"""Anthropic's counting of tokens: a Messages request that is not answered. It costs nothing, and passes every guardrail.

https://docs.claude.com/en/api/messages-count-tokens
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from strata.gateway.dialects.embeddings import (
    answer_texts,
    closing,
    ended,
    piece_texts,
    said,
    tail,
    whole_texts,
)
from strata.gateway.dialects.messages import check, request_texts
from strata.gateway.money.estimate import likely_tokens
from strata.types import Json, Usage

KINDS: tuple[str, ...] = ("chat",)
FREE = True
REPEATS = False
FRAME = 4
"""Tokens around a message."""

PICTURE = 1600
"""Tokens of a picture or a page, as Anthropic counts the larger ones."""

__all__ = [
    "FREE", "KINDS", "REPEATS", "answer_texts", "bound", "check", "closing", "counted", "ended", "piece_texts",
    "request_texts", "said", "shown", "tail", "usage", "whole", "whole_texts",
]  # fmt: skip


def bound(body: Json, default: int) -> int:  # noqa: ARG001 - a promise's arguments
    return 0


def usage(answer: Json, so_far: Usage | None = None) -> Usage | None:  # noqa: ARG001
    return Usage()


def whole(answer: Json) -> bool:
    return isinstance(answer.get("input_tokens"), int)


def shown(piece: Json, model: str) -> bool:  # noqa: ARG001
    return True


def counted(body: Json, count: Callable[[str], int]) -> Json:
    """Our count, for a vendor that does not offer one: by the model's tokenizer where it is at hand, otherwise about four
    bytes a token.
    """
    texts = [text.value for text in request_texts(body)]
    if body.get("tools"):
        texts.append(orjson.dumps(body["tools"]).decode())
    told = sum(min(count(text), likely_tokens(text)) if _bytes(text, count) else count(text) for text in texts)
    return {"input_tokens": told + FRAME * (len(body["messages"]) + 1) + PICTURE * _pictures(body["messages"])}


def _bytes(text: str, count: Callable[[str], int]) -> bool:
    """Whether the count is only the bound by bytes."""
    return count(text) >= len(text.encode())


def _pictures(messages: list[Json]) -> int:
    contents = [message["content"] for message in messages if isinstance(message.get("content"), list)]
    return sum(isinstance(it, dict) and it.get("type") in {"image", "document"} for blocks in contents for it in blocks)
