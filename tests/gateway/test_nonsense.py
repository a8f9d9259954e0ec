"""Whatever a vendor or a caller sends in a translated dialect, the error says whose mistake it is, and nothing breaks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata.errors import Invalid, UpstreamBroken
from strata.gateway.translations import from_cohere, from_gemini, nonsense, openai_family, to_cohere, to_gemini

NAMES = [
    "choices", "message", "delta", "content", "tool_calls", "function", "name", "arguments", "id", "index", "type", "usage",
    "prompt_tokens", "total_tokens", "finish_reason", "reasoning", "candidates", "parts", "text", "functionCall", "args",
    "finishReason", "usageMetadata", "promptFeedback", "blockReason", "logprobsResult", "chosenCandidates", "role",
    "messages", "tools", "tool_choice", "response_format", "json_schema", "image_url", "file", "thinking", "stop",
    "provider_fields", "citations", "billed_units", "tokens", "tool_plan", "tool_call_id", "prompt_tokens_details",
]  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "text", "tool", "assistant", "{", "thinking"])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6)


def chunked(make: Callable[[], Any]) -> Callable[[Any], Any]:
    return lambda told: make().chunk(told)


ANSWERS = {
    "gemini": lambda told: from_gemini.completion(told, "m"),
    "gemini stream": chunked(lambda: from_gemini.Chunks("m")),
    "cohere": lambda told: from_cohere.completion(told, "m"),
    "cohere stream": chunked(lambda: from_cohere.Chunks("m")),
    "openai's family": openai_family.completion,
    "openai's family, stream": chunked(openai_family.Chunks),
}


@pytest.mark.parametrize("read", ANSWERS.values(), ids=ANSWERS)
@settings(max_examples=60)
@given(told=OBJECTS)
def test_an_answer_of_any_shape_is_read_or_is_the_vendors_mistake(read, told):
    with suppress(UpstreamBroken), nonsense.answered("the vendor"):
        read(told)


@pytest.mark.parametrize(
    "write", [lambda it: to_gemini.request(it, "gemini-3", {}), lambda it: to_cohere.request(it, "m")]
)
@settings(max_examples=60)
@given(body=OBJECTS)
def test_a_request_of_any_shape_is_sent_or_is_the_callers_mistake(write, body):
    with suppress(Invalid), nonsense.asked():
        write(body)


def test_a_mistake_says_whose_it_is():
    with pytest.raises(UpstreamBroken, match="the vendor answered"), nonsense.answered("the vendor"):
        from_gemini.completion({"candidates": 7}, "m")
    with pytest.raises(Invalid, match="not well formed"), nonsense.asked():
        to_cohere.request({"messages": 7}, "m")
