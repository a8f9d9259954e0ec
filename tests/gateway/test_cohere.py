"""Cohere: recorded answers are played back, streams and orders are those of its documentation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from strata.errors import Invalid, Misconfigured, UpstreamBroken
from strata.gateway.options import Deployment
from strata.gateway.providers import cohere
from strata.gateway.translations import from_cohere, to_cohere
from strata.types import Json

from .published import mistakes
from .replay import Exchange, Replay, exchanges


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with Replay() as running:
        yield running


@pytest.fixture(scope="module")
def recorded(shared) -> list[Exchange]:
    wire = shared / "data" / "wire" / "recordings_pydantic_ai" / "files"
    found = [*exchanges(wire, host="api.cohere.com")]
    assert len(found) >= 5
    return found


def made(replay: Replay, model: str = "command-a-03-2025", **options: Any) -> cohere.Cohere:
    given = {"base_url": f"{replay.url}/v2", "api_key": "k", **options}
    return cohere.make("", Deployment("c", "chat", "cohere", model, options=given))


def exchange(path: str, answer: Any, status: int = 200, kind: str = "application/json") -> Exchange:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Exchange("made", 0, "POST", f"https://x/v2{path}", {}, b"", status, {"content-type": kind}, body)


def as_chat(sent: Json) -> Json:
    """A recorded request as a chat request."""
    messages = []
    for message in sent["messages"]:
        content = message["content"]
        thoughts = (
            "".join(it["thinking"] for it in content if it["type"] == "thinking") if isinstance(content, list) else ""
        )
        if thoughts:
            texts = [it["text"] for it in content if it["type"] == "text"]
            messages.append({"role": "assistant", "content": texts[0] if texts else "", "reasoning_content": thoughts})
        else:
            messages.append(message)
    return {**sent, "messages": messages}


async def test_every_recorded_chat_is_sent_and_understood(recorded, replay, shared):
    played = [it for it in recorded if it.path == "/v2/chat"]
    assert len(played) >= 4
    for it in played:
        replay.play(it)
        provider = made(replay, it.sent["model"])
        answer = await provider.whole("chat", as_chat(it.sent))
        sent = replay.got[-1].json
        assert sent == {name: value for name, value in it.sent.items() if name != "stream"}, it.id
        told, choice = it.answered, answer["choices"][0]
        parts = told["message"]["content"]
        assert choice["message"]["content"] == "".join(part["text"] for part in parts if part["type"] == "text")
        thoughts = "".join(part["thinking"] for part in parts if part["type"] == "thinking")
        assert (choice["message"].get("reasoning_content") or "") == thoughts
        assert choice["finish_reason"] == "stop"
        billed = told["usage"]["billed_units"]
        assert answer["usage"]["prompt_tokens"] == billed["input_tokens"]
        assert answer["usage"]["completion_tokens"] == billed["output_tokens"]
        assert answer["usage"]["tokens"] == told["usage"]["tokens"]
        assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] <= answer["usage"]["prompt_tokens"]
        assert mistakes(shared, "CreateChatCompletionResponse", answer) == [], it.id
        await provider.close()


async def test_the_recorded_error_is_the_operators_matter(recorded, replay):
    (it,) = [it for it in recorded if it.status == 404]
    replay.play(it)
    provider = made(replay, "nonexistent")
    with pytest.raises(UpstreamBroken, match="does not know the model"):
        await provider.whole("embeddings", {"input": "Hello, world!", "input_type": "query"})
    sent = {name: value for name, value in it.sent.items() if value is not None}
    assert replay.got[-1].json == {name: value for name, value in sent.items() if name != "truncate"}
    await provider.close()


# ------------------------------------------------------------------ streams


def stream_of(*events: Json) -> bytes:
    return b"".join(f"event: {it['type']}\ndata: {json.dumps(it)}\n\n".encode() for it in events)


def message(**more: Any) -> Json:
    return {"delta": {"message": more}}


USAGE = {"billed_units": {"input_tokens": 10, "output_tokens": 6}, "tokens": {"input_tokens": 500, "output_tokens": 20}}
CALLS = (
    {"type": "message-start", "id": "m1", "delta": {"message": {"role": "assistant"}}},
    {"type": "tool-plan-delta", **message(tool_plan="I will look")},
    {"type": "tool-call-start", "index": 0, **message(tool_calls={"id": "t1", "type": "function", "function": {"name": "a", "arguments": ""}})},
    {"type": "tool-call-delta", "index": 0, **message(tool_calls={"function": {"arguments": '{"x":'}})},
    {"type": "tool-call-delta", "index": 0, **message(tool_calls={"function": {"arguments": "1}"}})},
    {"type": "tool-call-end", "index": 0},
    {"type": "tool-call-start", "index": 1, **message(tool_calls={"id": "t2", "type": "function", "function": {"name": "b", "arguments": "{}"}})},
    {"type": "tool-call-end", "index": 1},
    {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": USAGE}},
)  # fmt: skip
TEXT = (
    {"type": "message-start", "id": "m2", "delta": {"message": {"role": "assistant"}}},
    {"type": "content-start", "index": 0, **message(content={"type": "thinking", "thinking": "h"})},
    {"type": "content-delta", "index": 0, **message(content={"thinking": "m"})},
    {"type": "content-end", "index": 0},
    {"type": "content-start", "index": 1, **message(content={"type": "text", "text": ""})},
    {"type": "content-delta", "index": 1, **message(content={"text": "It is "})},
    {"type": "content-delta", "index": 1, **message(content={"text": "cold."})},
    {"type": "citation-start", "index": 0, **message(citations={"start": 0, "end": 2, "text": "It"})},
    {"type": "content-end", "index": 1},
    {"type": "something-new", "of": "another year"},
    {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}},
)  # fmt: skip


async def chunks_of(replay: Replay, events: bytes) -> list[Json]:
    replay.play(exchange("/chat", events, kind="text/event-stream"))
    provider = made(replay)
    try:
        question = {"messages": [{"role": "user", "content": "?"}]}
        return [it async for some in provider.stream("chat", question) for it in some]
    finally:
        await provider.close()


@pytest.mark.parametrize("cut", [0, 1, 50])
async def test_a_stream_of_calls_keeps_every_call_and_all_its_arguments(shared, cut):
    async with Replay(cut=cut) as replay:
        chunks = await chunks_of(replay, stream_of(*CALLS))
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        assert mistakes(shared, "CreateChatCompletionStreamResponse", chunk) == []
        for call in chunk["choices"][0]["delta"].get("tool_calls", ()):
            one = calls.setdefault(call["index"], ["", "", ""])
            one[0] += call.get("id", "")
            one[1] += call["function"].get("name", "")
            one[2] += call["function"].get("arguments", "")
    assert calls == {0: ["t1", "a", '{"x":1}'], 1: ["t2", "b", "{}"]}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert chunks[-1]["usage"]["prompt_tokens"] == 10
    assert "".join(it["choices"][0]["delta"].get("reasoning_content", "") for it in chunks) == "I will look"
    assert {it["id"] for it in chunks} == {"m1"}


async def test_a_stream_of_text_says_what_a_whole_answer_says(replay):
    chunks = await chunks_of(replay, stream_of(*TEXT))
    deltas = [it["choices"][0]["delta"] for it in chunks]
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "It is cold."}]
    citations = [{"start": 0, "end": 2, "text": "It"}]
    told = {"role": "assistant", "content": parts, "citations": citations}
    whole = from_cohere.completion({"id": "m2", "message": told, "finish_reason": "COMPLETE", "usage": USAGE}, "m")
    answer = whole["choices"][0]["message"]
    assert "".join(it.get("content", "") for it in deltas) == answer["content"] == "It is cold."
    assert "".join(it.get("reasoning_content", "") for it in deltas) == answer["reasoning_content"] == "hm"
    assert [it["provider_fields"] for it in deltas if "provider_fields" in it] == [answer["provider_fields"]]
    assert chunks[-1]["usage"] == whole["usage"]


async def test_a_stream_that_fails_or_breaks_off_says_so(replay):
    failed = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "out of memory"}}
    with pytest.raises(UpstreamBroken, match="out of memory"):
        await chunks_of(replay, stream_of(*TEXT[:6], failed))
    with pytest.raises(UpstreamBroken, match="broke off"):
        await chunks_of(replay, stream_of(*TEXT[:6]))


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [("COMPLETE", "stop"), ("STOP_SEQUENCE", "stop"), ("MAX_TOKENS", "length"), ("TOOL_CALL", "tool_calls"), ("ERROR_TOXIC", "content_filter")],
)  # fmt: skip
def test_every_reason_to_end_has_its_common_name(reason, wanted):
    assert from_cohere.finish(reason, called=False) == wanted


# ------------------------------------------------------------------ what is sent


def test_the_fields_of_a_request_get_coheres_names_and_unknown_ones_are_left_out():
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    tools = [{"type": "function", "function": {"name": name, "parameters": schema}} for name in ("a", "b")]
    sent = to_cohere.request(
        {
            "messages": [{"role": "developer", "content": "brief"}, {"role": "user", "content": [{"type": "text", "text": "hi"}]}],
            "max_completion_tokens": 9, "top_p": 0.5, "stop": "END", "user": "u", "store": True, "tools": tools,
            "tool_choice": {"type": "function", "function": {"name": "b"}}, "documents": ["d"], "reasoning_effort": "none",
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        },
        "command",
    )  # fmt: skip
    assert sent == {
        "model": "command",
        "messages": [{"role": "system", "content": "brief"}, {"role": "user", "content": "hi"}],
        "documents": ["d"], "p": 0.5, "max_tokens": 9, "stop_sequences": ["END"], "thinking": {"type": "disabled"},
        "response_format": {"type": "json_object", "json_schema": schema},
        "tools": [{"type": "function", "function": {"name": "b", "parameters": schema}}], "tool_choice": "REQUIRED",
    }  # fmt: skip


def test_a_conversation_with_calls_goes_back_with_its_plan():
    call = {"id": "t1", "type": "function", "function": {"name": "a", "arguments": '{"x":1}'}}
    messages = [
        {"role": "assistant", "content": None, "reasoning_content": "I will look", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t1", "content": "11"},
    ]
    assert to_cohere.request({"messages": messages}, "m")["messages"] == [
        {"role": "assistant", "tool_calls": [call], "tool_plan": "I will look"},
        {"role": "tool", "tool_call_id": "t1", "content": "11"},
    ]


def test_what_cohere_has_no_words_for_is_refused():
    for body, words in (
        ({"messages": [], "n": 2}, "one answer"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input_audio"),
        ({"messages": [], "tools": [{"type": "web_search"}]}, "functions"),
    ):
        with pytest.raises(Invalid, match=words):
            to_cohere.request(body, "m")


# ------------------------------------------------------------------ embeddings and rerank


async def test_many_texts_are_embedded_in_several_requests_and_stay_in_order(replay):
    def row(count: int, first: int) -> Exchange:
        answer = {
            "embeddings": {"float": [[float(first + it), 1.0] for it in range(count)]},
            "meta": {"billed_units": {"input_tokens": count}},
        }
        return exchange("/embed", answer)

    replay.play(row(96, 0), row(4, 96))
    provider = made(replay, "embed-v4.0")
    answer = await provider.whole("embeddings", {"input": [str(it) for it in range(100)], "dimensions": 256})
    assert [it["embedding"][0] for it in answer["data"]] == [float(it) for it in range(100)]
    assert answer["usage"]["prompt_tokens"] == 100
    assert [len(it.json["texts"]) for it in replay.got] == [96, 4]
    assert replay.got[0].json["output_dimension"] == 256
    assert replay.got[0].json["input_type"] == "search_document"
    await provider.close()


async def test_too_few_vectors_are_no_answer(replay):
    replay.play(exchange("/embed", {"embeddings": {"float": [[1.0]]}}))
    with pytest.raises(UpstreamBroken, match="1 vectors for 2 texts"):
        await made(replay).whole("embeddings", {"input": ["a", "b"]})


async def test_an_order_passes_with_all_that_cohere_says_of_it(replay):
    told = {"id": "r", "results": [{"index": 1, "relevance_score": 0.9}], "meta": {"billed_units": {"search_units": 1}}}
    replay.play(exchange("/rerank", told))
    provider = made(replay, "rerank-v3.5")
    documents = ["a", {"text": "b"}]
    answer = await provider.whole(
        "rerank", {"query": "q", "documents": documents, "top_n": 1, "return_documents": True}
    )
    assert answer == {**told, "results": [{"index": 1, "relevance_score": 0.9, "document": {"text": "b"}}]}
    assert replay.got[-1].json == {"model": "rerank-v3.5", "query": "q", "documents": ["a", "b"], "top_n": 1}
    await provider.close()


async def test_the_next_key_is_tried_where_one_is_over_its_limit(replay):
    no = exchange("/rerank", {"message": "trial limit"}, 429)
    replay.play(no, exchange("/rerank", {"results": []}))
    provider = made(replay, api_keys=["a", "b"])
    assert await provider.whole("rerank", {"query": "q", "documents": ["a"]}) == {"results": []}
    assert [it.headers["authorization"] for it in replay.got] == ["Bearer a", "Bearer b"]
    await provider.close()


def test_what_is_missing_in_a_deployment_is_said():
    with pytest.raises(Misconfigured, match="api_key"):
        cohere.make("", Deployment("c", "chat", "cohere", "m"))
    with pytest.raises(Misconfigured, match="rows"):
        cohere.make("v1", Deployment("c", "chat", "cohere", "m", options={"api_key": "k"}))
