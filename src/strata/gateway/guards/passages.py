"""Tells passages from questions in the requests of the other layers, so that guardrails can judge them by their place.

An assistant puts what it has found and what was asked into one message. For the guardrails the message is taken apart
into stretches, each a text of its own, and put together again when they have looked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strata.gateway.guardrail import Place, Text
from strata.types import ChatRequest, Json


@dataclass(frozen=True, slots=True)
class Mixed:
    """A message in stretches: `parts` are its texts in order, as guardrails leave them."""

    message: Json
    parts: list[str]

    def join(self) -> None:
        self.message["content"] = "".join(self.parts)


def apart(
    texts: Sequence[Text], retrieved: dict[int, tuple[str, ...]], messages: list[Json]
) -> tuple[list[Text], list[Mixed]]:
    """The texts with those messages taken apart that hold passages; `retrieved` are these by the message's number."""
    mixed: list[Mixed] = []
    found = [text for text in texts if not (text.key == "content" and _number(text, messages) in retrieved)]
    for number, passages in retrieved.items():
        message = messages[number]
        stretches = list(_stretches(str(message.get("content") or ""), passages))
        parts = [text for _, text in stretches]
        mixed.append(Mixed(message, parts))
        found += [
            Text(place, f"{number}.{index}", parts, index) for index, (place, text) in enumerate(stretches) if text
        ]
    return found, mixed


def classified(request: ChatRequest) -> dict[int, tuple[str, ...]]:
    """The passages of a request by the number of the message that holds them."""
    return {number: message.retrieved for number, message in enumerate(request.messages) if message.retrieved}


def _number(text: Text, messages: Sequence[Json]) -> int:
    return next((number for number, message in enumerate(messages) if message is text.holder), -1)


def _stretches(content: str, passages: Sequence[str]) -> list[tuple[Place, str]]:
    """The content cut where passages begin and end; a passage that is not in it, word for word, changes nothing."""
    spans = sorted((start, start + len(it)) for it in passages if it and (start := content.find(it)) >= 0)
    stretches: list[tuple[Place, str]] = []
    at = 0
    for start, end in spans:
        if start < at:
            continue
        stretches += [("input", content[at:start]), ("retrieved", content[start:end])]
        at = end
    return [*stretches, ("input", content[at:])]
