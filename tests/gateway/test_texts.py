"""Guardrails see every text of a request, wherever in its JSON it stands."""

from __future__ import annotations

from typing import Any

import pytest

from strata.gateway.dialects import chat

WORD = "jane.doe@example.org"


def message(**more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hi", **more}]}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (message(content=WORD), "input"),
        (message(role="system", content=WORD), "system"),
        (message(role="developer", content=[{"type": "text", "text": WORD}]), "system"),
        (message(role="tool", tool_call_id="c", content=WORD), "retrieved"),
        (message(role="assistant", content=None, tool_calls=[{"function": {"name": "f", "arguments": WORD}}]), "tool"),
        (message(role="assistant", content=None, tool_calls=[{"custom": {"name": "f", "input": WORD}}]), "tool"),
        (message(role="assistant", content=None, function_call={"name": "f", "arguments": WORD}), "tool"),
        (message(role="assistant", content="x", reasoning_content=WORD), "output"),
        (message(role="assistant", content="x", refusal=WORD), "output"),
        (
            message(content=[{"type": "search_result", "title": "t", "content": [{"type": "text", "text": WORD}]}]),
            "input",
        ),
        (message(content=[{"type": "a_part_of_next_year", "words": {"deep": [WORD]}}]), "input"),
        (message(role="assistant", content="x", provider_fields={"blocks": [{"type": "b", "note": WORD}]}), "output"),
        ({**message(), "tools": [{"type": "function", "function": {"name": "f", "description": WORD}}]}, "system"),
        ({**message(), "functions": [{"name": "f", "parameters": {"properties": {"a": {"enum": [WORD]}}}}]}, "system"),
        ({**message(), "prediction": {"type": "content", "content": WORD}}, "input"),
    ],
)
def test_a_text_is_seen_and_can_be_replaced(body: dict[str, Any], place: str):
    (found,) = [text for text in chat.request_texts(body) if WORD in text.value]
    assert found.place == place
    found.replace("[EMAIL_1]")
    assert WORD not in str(body)


def test_a_text_nested_without_end_is_no_endless_walk():
    deep: Any = WORD
    for _ in range(200):
        deep = {"type": "x", "inner": deep}
    chat.request_texts(message(content=[deep]))
