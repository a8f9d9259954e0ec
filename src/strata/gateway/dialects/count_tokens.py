"""Anthropic's counting of tokens: a Messages request that is not answered. It costs nothing, and passes every guardrail.

https://docs.claude.com/en/api/messages-count-tokens
"""

from __future__ import annotations

from collections.abc import Callable

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
from strata.gateway.estimate import likely_prompt, prompt_bound
from strata.types import Json, Usage

KINDS: tuple[str, ...] = ("chat",)
FREE = True
REPEATS = False
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
    """Our count, for a vendor that does not offer one: by the model's tokenizer where it is at hand (`count` is then far
    below one token a byte), otherwise about four bytes a token.
    """
    own = {name: value for name, value in body.items() if name in {"system", "messages", "tools"}}
    most, likely = prompt_bound(own, count), likely_prompt(own)
    return {"input_tokens": most if most <= 2 * likely else likely}
