"""OpenAI's embeddings: texts in, vectors out. https://platform.openai.com/docs/api-reference/embeddings"""

from __future__ import annotations

from collections.abc import Iterator

from strata.errors import Invalid
from strata.gateway.dialects.chat import usage
from strata.gateway.guardrail import Text
from strata.types import Json, Usage

KINDS: tuple[str, ...] = ("embedding",)
FREE = False
REPEATS = False
MAX_TEXTS = 2048
__all__ = [
    "FREE", "KINDS", "REPEATS", "answer_texts", "bound", "check", "closing", "ended", "piece_texts", "request_texts",
    "said", "shown", "tail", "usage", "whole", "whole_texts",
]  # fmt: skip


def check(body: Json) -> None:
    if not body.get("input") or not isinstance(body["input"], str | list):
        raise Invalid("'input' must be a text or a list of texts, not empty", param="input")
    if isinstance(body["input"], list) and len(body["input"]) > MAX_TEXTS and not isinstance(body["input"][0], int):
        raise Invalid(f"'input' has {len(body['input'])} texts; at most {MAX_TEXTS} go into one call", param="input")


def bound(body: Json, default: int) -> int:  # noqa: ARG001 - a promise's arguments
    return 0


def said(answer: Json) -> Iterator[str]:  # noqa: ARG001
    return iter(())


def whole(answer: Json) -> bool:
    rows = answer.get("data")
    return isinstance(rows, list) and bool(rows) and all(isinstance(row, dict) for row in rows)


def shown(piece: Json, model: str) -> bool:
    piece["model"] = model
    return True


def closing(kept: list[Json], last: Json, usage: Usage, cost: Json) -> list[Json]:  # noqa: ARG001
    return kept


def request_texts(body: Json) -> list[Text]:
    given = body["input"]
    if isinstance(given, str):
        return [Text("input", "0", body, "input")]
    return [Text("input", str(number), given, number) for number, text in enumerate(given) if isinstance(text, str)]


def answer_texts(answer: Json) -> list[Text]:  # noqa: ARG001
    return []


def piece_texts(piece: Json) -> list[Text]:  # noqa: ARG001
    return []


def whole_texts(piece: Json) -> list[Text]:  # noqa: ARG001
    return []


def ended(piece: Json) -> list[str]:  # noqa: ARG001
    return []


def tail(piece: Json, channel: str, text: str) -> Json:  # noqa: ARG001
    return piece
