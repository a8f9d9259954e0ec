"""Requests and answers with something wrong anywhere: the caller is told to mend the one, the vendor blamed for the other."""

from __future__ import annotations

import copy
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from strata.errors import Invalid, UpstreamBroken
from strata.gateway.translations import from_converse, from_messages, nonsense, to_converse, to_messages
from strata.gateway.translations.answer import Answer
from strata.types import Json

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-9, 2**40),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=9),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}
BLOCKS = [
    {"type": "thinking", "length": 2, "signature": "s"},
    {"type": "text", "length": 4},
    {"type": "tool_use", "id": "c1"},
]
REQUEST: Json = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "?", "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        ]},
        {"role": "assistant", "content": "Ice.", "reasoning_content": "hm", "tool_calls": [CALL], "provider_fields": {"blocks": BLOCKS}},
        {"role": "tool", "tool_call_id": "c1", "content": "one", "is_error": False},
    ],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}],
    "tool_choice": {"type": "function", "function": {"name": "look"}}, "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "properties": {}}}},
    "reasoning_effort": "high", "max_completion_tokens": 9000, "temperature": 0.5, "top_p": 0.5, "stop": ["x"],
    "user": "ines", "service_tier": "auto", "n": 1, "metadata": {"user_id": "x"}, "output_config": {"effort": "low"},
}  # fmt: skip
MESSAGE: Json = {
    "id": "m", "model": "claude", "stop_reason": "tool_use", "stop_sequence": None,
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Ice.", "citations": [{"of": "x"}]},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"a": 1}}, {"type": "server_tool_use", "input": {}},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 2, "iterations": [{"type": "compaction", "input_tokens": 1}]},
}  # fmt: skip
EVENTS: list[Json] = [
    {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Ice."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "c", "name": "x", "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]  # fmt: skip
CONVERSE: Json = {
    "output": {"message": {"role": "assistant", "content": [
        {"text": "Ice."}, {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": "AAAA"}}, {"toolUse": {"toolUseId": "c", "name": "x", "input": {}}},
        {"citationsContent": {"content": [{"text": "x"}], "citations": [{}]}}, {"toolResult": {"content": []}},
    ]}},
    "stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
}  # fmt: skip
PIECES: list[Any] = [
    ["messageStart", {"role": "assistant"}],
    ["contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "c", "name": "x"}}}],
    ["contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": "{}"}}}],
    ["contentBlockStop", {"contentBlockIndex": 0}],
    ["contentBlockDelta", {"contentBlockIndex": 1, "delta": {"reasoningContent": {"text": "hm"}}}],
    ["contentBlockDelta", {"contentBlockIndex": 1, "delta": {"reasoningContent": {"redactedContent": "AAAA"}}}],
    ["contentBlockStop", {"contentBlockIndex": 1}],
    ["messageStop", {"stopReason": "tool_use"}],
    ["metadata", {"usage": {"inputTokens": 1}, "trace": {}}],
]  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in JSON."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, it in inner for found in [(*at, key), *places(it, (*at, key))]]


@st.composite
def spoilt(draw: st.DrawFn, value: Any) -> Any:
    """The value with anything at up to two places of it."""
    made = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 2))):
        where = draw(st.sampled_from(places(made)))
        holder = made
        for key in where[:-1]:
            holder = holder[key]
        holder[where[-1]] = draw(JSON)
        if not places(made):
            break
    return made


@settings(max_examples=300)
@given(spoilt(REQUEST), st.sampled_from(["claude-sonnet-4-6", "claude-sonnet-4-5", "amazon.nova-lite-v1:0"]))
def test_a_request_is_translated_or_refused(body: Json, model: str):
    for translate in (to_messages.request, to_converse.request):
        before = copy.deepcopy(body)
        try:
            with nonsense.asked():
                made = translate(body, model)
        except Invalid:
            continue
        finally:
            assert body == before
        orjson.dumps(made)


@settings(max_examples=300)
@given(spoilt(MESSAGE), spoilt(CONVERSE))
def test_an_answer_is_read_or_the_vendor_is_blamed(message: Any, said: Any):
    for read in (lambda: from_messages.completion(message), lambda: from_converse.completion(said, "x", "m")):
        try:
            with nonsense.answered("the vendor"):
                orjson.dumps(read())
        except UpstreamBroken as error:
            assert "makes no sense" in error.detail


@settings(max_examples=300)
@given(spoilt(EVENTS), spoilt(PIECES))
def test_a_stream_is_read_or_the_vendor_is_blamed(events: Any, pieces: Any):
    try:
        with nonsense.answered("the vendor"):
            orjson.dumps(from_messages.Reading().chunks(events))
    except UpstreamBroken as error:
        assert "makes no sense" in error.detail
    reading = from_converse.Reading(Answer("x", "m"))
    try:
        with nonsense.answered("the vendor"):
            for name, event in pieces:
                reading.read(name, event)
            orjson.dumps(reading.answer.taken())
    except UpstreamBroken as error:
        assert "makes no sense" in error.detail
