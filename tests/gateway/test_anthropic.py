"""Anthropic: every recorded exchange played again, natively and through chat, and what a scripted vendor shows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from strata.errors import UpstreamBroken, UpstreamRefused
from strata.gateway.dialects import to_messages
from strata.gateway.options import Deployment
from strata.gateway.providers import anthropic
from strata.testing.provider import ChatPromise
from strata.types import Json

from .folding import folded, pieces
from .replay import Exchange, Got, Replay, answering, events, exchanges


def deployment(url: str, model: str = "claude-x", **options: Any) -> Deployment:
    return Deployment("m", "chat", "anthropic", model, options={"base_url": url, "api_key": "sk-ant", **options})


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with Replay() as running:
        yield running


@pytest.fixture(scope="module")
def recorded(shared: Path) -> list[Exchange]:
    wire = shared / "data" / "wire"
    found = list(exchanges(wire, host="anthropic.com"))
    assert len(found) > 100
    return found


@pytest.fixture
async def scripted(replay: Replay) -> AsyncIterator[anthropic.Anthropic]:
    replay.script = vendor
    made = anthropic.make("", deployment(replay.url))
    yield made
    await made.close()


def vendor(got: Got) -> Exchange:
    """Answers like Anthropic, whole or streamed."""
    used = {"input_tokens": 9, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [], "usage": used}
    if not got.json.get("stream"):
        text = {"type": "text", "text": "Ice is frozen water."}
        return answering(
            {**message, "content": [text], "stop_reason": "end_turn", "usage": {**used, "output_tokens": 6}}
        )
    return events(
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Ice is "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "frozen water."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 6}},
        {"type": "message_stop"},
    )


class TestAnthropicChats(ChatPromise):
    @pytest.fixture
    def provider(self, scripted: anthropic.Anthropic) -> anthropic.Anthropic:
        return scripted


# ------------------------------------------------------------------ what was recorded


def said_events(exchange: Exchange) -> list[Json]:
    return [json.loads(line[5:]) for line in exchange.answer.decode().splitlines() if line.startswith("data:")]


def operation(exchange: Exchange) -> str:
    return "count_tokens" if "count_tokens" in exchange.path else "messages"


async def test_every_recorded_exchange_passes_untouched(recorded: list[Exchange], replay: Replay):
    for replay.cut in (0, 997):
        for exchange in recorded:
            replay.play(exchange)
            sent = exchange.sent
            provider = anthropic.make("", deployment(replay.url, sent["model"]))
            streamed = sent.pop("stream", False)
            if exchange.status != 200:
                with pytest.raises((UpstreamRefused, UpstreamBroken)) as caught:
                    await provider.whole("messages", sent)
                assert caught.value.vendor_status == exchange.status
            elif streamed:
                assert await pieces(provider.stream("messages", sent)) == said_events(exchange), exchange.id
            else:
                assert await provider.whole(operation(exchange), sent) == exchange.answered, exchange.id
            assert replay.got[0].json == {**sent, **({"stream": True} if streamed else {})}, exchange.id
            await provider.close()


def put_together(exchange: Exchange) -> Json:
    """The Message that a recorded answer is, put together from its events where it was streamed."""
    if not exchange.streamed:
        return exchange.answered
    message: Json = {}
    blocks: dict[int, Json] = {}
    inputs: dict[int, str] = {}
    for event in said_events(exchange):
        if event["type"] == "message_start":
            message = event["message"]
        elif event["type"] == "content_block_start":
            blocks[event["index"]] = event["content_block"]
        elif event["type"] == "content_block_delta":
            block, delta = blocks[event["index"]], dict(event["delta"])
            if delta["type"] == "input_json_delta":
                inputs[event["index"]] = inputs.get(event["index"], "") + delta["partial_json"]
            elif delta["type"] == "citations_delta":
                block.setdefault("citations", []).append(delta["citation"])
            else:
                for name in delta.keys() - {"type"}:
                    block[name] = block.get(name, "") + delta[name]
        elif event["type"] == "message_delta":
            message |= event["delta"]
            message["usage"] |= event["usage"]
    for index, text in inputs.items():
        if text:
            blocks[index]["input"] = json.loads(text)
    return {**message, "content": [blocks[index] for index in sorted(blocks)]}


def must_be(answer: Json, message: Json, name: str) -> None:
    """Holds a chat.completion against the Message it was made of."""
    (choice,) = answer["choices"]
    blocks = message["content"]
    of = {kind: [it for it in blocks if it["type"] == kind] for kind in ("text", "thinking", "tool_use")}
    assert (choice["message"]["content"] or "") == "".join(it["text"] for it in of["text"]), name
    assert choice["message"].get("reasoning_content", "") == "".join(it["thinking"] for it in of["thinking"]), name
    calls = choice["message"].get("tool_calls", [])
    assert [(it["id"], it["function"]["name"], json.loads(it["function"]["arguments"])) for it in calls] == [
        (it["id"], it["name"], it["input"]) for it in of["tool_use"]
    ], name
    reasons = {"tool_use": "tool_calls", "max_tokens": "length", "end_turn": "stop", "stop_sequence": "stop"}
    assert choice["finish_reason"] == reasons[message["stop_reason"]], name
    used, usage = message["usage"], answer["usage"]
    prompt = used["input_tokens"] + used["cache_read_input_tokens"] + used["cache_creation_input_tokens"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (prompt, used["output_tokens"]), name
    assert usage["total_tokens"] == prompt + used["output_tokens"], name
    assert usage["prompt_tokens_details"]["cached_tokens"] == used["cache_read_input_tokens"], name
    assert usage["prompt_tokens_details"]["cache_creation_tokens"] == used["cache_creation_input_tokens"], name
    assert (answer["id"], answer["model"]) == (message["id"], message["model"]), name


async def test_every_recorded_answer_says_the_same_in_chat(recorded: list[Exchange], replay: Replay):
    asked = {"messages": [{"role": "user", "content": "?"}], "max_completion_tokens": 9}
    provider = anthropic.make("", deployment(replay.url))
    for exchange in recorded:
        if exchange.status != 200 or operation(exchange) == "count_tokens":
            continue
        message = put_together(exchange)
        replay.cut = 0
        replay.play(answered(message))
        whole = await provider.whole("chat", asked)
        must_be(whole, message, exchange.id)
        if exchange.streamed:
            for replay.cut in (0, 61, 1499):
                replay.play(exchange)
                streamed = folded(await pieces(provider.stream("chat", asked)))
                must_be(streamed, message, exchange.id)
                assert streamed["choices"] == whole["choices"], exchange.id
    await provider.close()


async def test_every_recorded_answer_can_be_sent_back_as_it_was(recorded: list[Exchange], replay: Replay):
    provider = anthropic.make("", deployment(replay.url))
    for exchange in recorded:
        if exchange.status != 200 or operation(exchange) == "count_tokens":
            continue
        message = put_together(exchange)
        replay.play(answered(message))
        answer = await provider.whole("chat", {"messages": [{"role": "user", "content": "?"}]})
        back = to_messages.assistant(answer["choices"][0]["message"])
        assert [bare(it) for it in back if it.get("text") != ""] == [
            bare(it) for it in message["content"] if it.get("text") != ""
        ], exchange.id
    await provider.close()


def bare(block: Json) -> Json:
    """A block without fields that say nothing."""
    return {name: value for name, value in block.items() if value not in (None, [], {"type": "direct"})}


def answered(message: Json) -> Exchange:
    made = answering(message)
    return Exchange("", 0, "POST", "https://x/v1/messages", {}, b"", 200, made.answer_headers, made.answer)


# ------------------------------------------------------------------ requests, from Anthropic's back to chat


def as_chat(sent: Json) -> Json | None:
    """The chat request that a recorded Messages request could have been; None where there is none."""
    body = {
        name: value
        for name, value in sent.items()
        if name not in {"system", "messages", "tools", "tool_choice", "stream"}
    }
    body["max_completion_tokens"] = body.pop("max_tokens")
    if "stop_sequences" in body:
        body["stop"] = body.pop("stop_sequences")
    if "metadata" in body:
        body["user"] = body.pop("metadata")["user_id"]
    schema = body.get("output_config", {}).get("format")
    if schema and len(body["output_config"]) == 1:
        del body["output_config"]
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema["schema"]}}
    if "tools" in sent:
        body["tools"] = [function(tool) if "input_schema" in tool else tool for tool in sent["tools"]]
    if choice := sent.get("tool_choice"):
        body["tool_choice"] = {"any": "required"}.get(choice["type"], choice["type"])
        if choice.get("disable_parallel_tool_use"):
            body["parallel_tool_calls"] = False
    body["messages"] = [{"role": "system", "content": sent["system"]}] if sent.get("system") else []
    for message in sent["messages"]:
        if message["role"] == "system":
            return None
        body["messages"] += turn(message["role"], listed(message["content"]))
    return body


def function(tool: Json) -> Json:
    rest = {name: value for name, value in tool.items() if name not in {"input_schema", "cache_control"}}
    more = {"cache_control": tool["cache_control"]} if "cache_control" in tool else {}
    return {"type": "function", "function": {**rest, "parameters": tool["input_schema"]}, **more}


def turn(role: str, blocks: list[Json]) -> list[Json]:
    if role == "user":
        results = [it for it in blocks if it["type"] == "tool_result"]
        rest = [part(it) for it in blocks if it["type"] != "tool_result"]
        told = [{"role": "tool", **it, "tool_call_id": it["tool_use_id"]} for it in results]
        return told + ([{"role": "user", "content": rest}] if rest else [])
    message: Json = {
        "role": "assistant",
        "content": "".join(it["text"] for it in blocks if it["type"] == "text") or None,
    }
    if thoughts := [it["thinking"] for it in blocks if it["type"] == "thinking"]:
        message["reasoning_content"] = "".join(thoughts)
    calls = [it for it in blocks if it["type"] == "tool_use"]
    if calls:
        message["tool_calls"] = [
            {"id": it["id"], "type": "function", "function": {"name": it["name"], "arguments": json.dumps(it["input"])}}
            for it in calls
        ]
    message["provider_fields"] = {"blocks": [reference(it) for it in blocks]}
    return [message]


def reference(block: Json) -> Json:
    kind = block["type"]
    if kind in {"text", "thinking"}:
        return {**{name: value for name, value in block.items() if name != kind}, "length": len(block[kind])}
    return {"type": kind, "id": block["id"]} if kind == "tool_use" else block


def part(block: Json) -> Json:
    if block["type"] != "image":
        return block
    source = block["source"]
    url = source.get("url") or f"data:{source['media_type']};base64,{source['data']}"
    return {"type": "image_url", "image_url": {"url": url}}


def listed(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def normal(request: Json) -> Json:
    """A request with each content as a list, and one message a turn."""
    messages: list[Json] = []
    for message in request["messages"]:
        blocks = [
            {**it, "content": listed(it.get("content", []))} if it["type"] == "tool_result" else it
            for it in listed(message["content"])
        ]
        if messages and messages[-1]["role"] == message["role"]:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": message["role"], "content": list(blocks)})
    for message in messages:
        message["content"].sort(key=lambda it: it["type"] != "tool_result")
    rest = {name: value for name, value in request.items() if name not in {"stream", "messages", "system"}}
    system = [it for it in listed(request.get("system", [])) if it["text"]]
    return {**rest, "messages": messages, **({"system": system} if system else {})}


def test_every_recorded_request_can_be_asked_in_chat(recorded: list[Exchange]):
    asked = 0
    for exchange in recorded:
        sent = exchange.sent
        chat = None if operation(exchange) == "count_tokens" else as_chat(sent)
        if chat is None:
            continue
        made = to_messages.request(chat, sent["model"])
        wanted = normal(sent)
        if wanted.get("thinking"):
            wanted.pop("temperature", None)
        assert normal(made) == wanted, exchange.id
        asked += 1
    assert asked > 100
