"""Bedrock: every recorded exchange played again, requests held against AWS's own description, and scripted failures."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from strata.errors import UpstreamRefused
from strata.gateway.dialects import to_converse
from strata.gateway.eventstream import Frames
from strata.gateway.options import Deployment
from strata.gateway.providers import bedrock
from strata.testing.provider import ChatPromise, EmbeddingPromise
from strata.types import Json

from .folding import folded, pieces
from .replay import Exchange, Got, Replay, answering, exchanges
from .shapes import Shapes
from .test_eventstream import event

KEYS = {"access_key": "AKID", "secret_key": "secret", "region": "eu-central-1"}
ASKED = {"messages": [{"role": "user", "content": "?"}]}


def deployment(url: str, model: str = "amazon.nova-lite-v1:0", kind: Any = "chat", **options: Any) -> Deployment:
    return Deployment("m", kind, "bedrock", model, options={"base_url": url, **KEYS, **options})


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with Replay() as running:
        yield running


@pytest.fixture(scope="module")
def recorded(shared: Path) -> list[Exchange]:
    found = list(exchanges(shared / "data" / "wire", host="bedrock-runtime"))
    assert len(found) > 80
    return found


@pytest.fixture(scope="module")
def shapes(shared: Path) -> Shapes:
    return Shapes.of(shared / "data" / "wire" / "bedrock_runtime_model" / "service-2.json")


def action(exchange: Exchange) -> str:
    return exchange.path.rpartition("/")[2]


def model(exchange: Exchange) -> str:
    return unquote(exchange.path).removeprefix("/model/").rpartition("/")[0]


def stream(*events: tuple[str, Any], kind: str = "event") -> Exchange:
    raw = b"".join(event(name, orjson.dumps(it)) for name, it in events)
    return answering(raw, kind="application/vnd.amazon.eventstream")


USED = {"inputTokens": 9, "outputTokens": 6, "totalTokens": 15}


def vendor(got: Got) -> Exchange:
    """Answers like Bedrock, whole or streamed, in text or in vectors."""
    if got.path.endswith("/invoke"):
        text = got.json["inputText"]
        row = [float(len(text)), float(text.count("e")), 1.0]
        return answering({"embedding": row, "inputTextTokenCount": len(text.split())})
    if got.path.endswith("/converse"):
        message = {"role": "assistant", "content": [{"text": "Ice is frozen water."}]}
        return answering({"output": {"message": message}, "stopReason": "end_turn", "usage": USED})
    return stream(
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Ice is "}}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "frozen water."}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("somethingNew", {"of": "no interest"}),
        ("metadata", {"usage": USED, "metrics": {"latencyMs": 7}}),
    )


class TestBedrockChats(ChatPromise):
    @pytest.fixture
    async def provider(self, replay: Replay) -> AsyncIterator[bedrock.Bedrock]:
        replay.script = vendor
        made = bedrock.make("", deployment(replay.url))
        yield made
        await made.close()


class TestBedrockEmbeds(EmbeddingPromise):
    @pytest.fixture
    async def provider(self, replay: Replay) -> AsyncIterator[bedrock.Bedrock]:
        replay.script = vendor
        made = bedrock.make("", deployment(replay.url, "amazon.titan-embed-text-v2:0", "embedding"))
        yield made
        await made.close()


# ------------------------------------------------------------------ recorded answers


def put_together(exchange: Exchange) -> Json:
    """The whole answer that a recorded one is, put together from its events where it was streamed."""
    if not exchange.streamed:
        return exchange.answered
    blocks: dict[int, Json] = {}
    whole: Json = {}
    for message in Frames().feed(exchange.answer):
        said = json.loads(message.payload)
        at = said.get("contentBlockIndex", 0)
        if message.name == "contentBlockStart":
            blocks[at] = {name: {**value, "input": ""} for name, value in said["start"].items()}
            if "toolResult" in said["start"]:
                blocks[at] = {"toolResult": {**said["start"]["toolResult"], "content": []}}
        elif message.name == "contentBlockDelta":
            merge(blocks.setdefault(at, {}), said["delta"])
        elif message.name == "messageStop":
            whole["stopReason"] = said["stopReason"]
        elif message.name == "metadata":
            whole["usage"] = said["usage"]
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
        if "text" in block.get("reasoningContent", {}):
            block["reasoningContent"] = {"reasoningText": block["reasoningContent"]}
    content = [blocks[index] for index in sorted(blocks)]
    return {"output": {"message": {"role": "assistant", "content": content}}, **whole}


def merge(block: Json, delta: Json) -> None:
    for name, value in delta.items():
        if name == "toolResult":
            block[name]["content"] += value
        elif isinstance(value, dict):
            merge(block.setdefault(name, {}), value)
        elif name == "redactedContent":
            block[name] = base64.b64encode(base64.b64decode(block.get(name, "")) + base64.b64decode(value)).decode()
        else:
            block[name] = block.get(name, "") + value


def must_be(answer: Json, said: Json, name: str) -> None:
    """Holds a chat.completion against the Converse answer it was made of."""
    (choice,) = answer["choices"]
    blocks = said["output"]["message"]["content"]
    message = choice["message"]
    assert (message["content"] or "") == "".join(it.get("text", "") for it in blocks), name
    thoughts = [
        it["reasoningContent"].get("reasoningText", {}).get("text", "") for it in blocks if "reasoningContent" in it
    ]
    assert message.get("reasoning_content", "") == "".join(thoughts), name
    calls = [it["toolUse"] for it in blocks if "toolUse" in it and it["toolUse"].get("type") != "server_tool_use"]
    assert [
        (it["id"], it["function"]["name"], json.loads(it["function"]["arguments"]))
        for it in message.get("tool_calls", [])
    ] == [(it["toolUseId"], it["name"], it["input"]) for it in calls], name
    reasons = {"tool_use": "tool_calls" if calls else "stop", "max_tokens": "length", "end_turn": "stop"}
    assert choice["finish_reason"] == reasons[said["stopReason"]], name
    used, usage = said["usage"], answer["usage"]
    assert usage["total_tokens"] == used["totalTokens"], name
    assert usage["completion_tokens"] == used["outputTokens"], name
    assert usage["prompt_tokens_details"]["cached_tokens"] == used.get("cacheReadInputTokens", 0), name
    assert usage["prompt_tokens_details"]["cache_creation_tokens"] == used.get("cacheWriteInputTokens", 0), name


async def test_every_recorded_answer_says_the_same_in_chat(recorded: list[Exchange], replay: Replay):
    for exchange in recorded:
        if exchange.status != 200 or not action(exchange).startswith("converse"):
            continue
        said = put_together(exchange)
        provider = bedrock.make("", deployment(replay.url, model(exchange)))
        replay.cut = 0
        made = answering(said)
        path = exchange.url.replace("/converse-stream", "/converse")
        replay.play(Exchange("", 0, "POST", path, {}, b"", 200, made.answer_headers, made.answer))
        whole = await provider.whole("chat", ASKED)
        must_be(whole, said, exchange.id)
        if exchange.streamed:
            for replay.cut in (0, 13, 701):
                replay.play(exchange)
                streamed = folded(await pieces(provider.stream("chat", ASKED)))
                must_be(streamed, said, exchange.id)
                assert streamed["choices"] == whole["choices"], exchange.id
        sent = to_converse.request({"messages": [*ASKED["messages"], whole["choices"][0]["message"]]}, model(exchange))
        blocks = [it for it in said["output"]["message"]["content"] if it.get("text", "x").strip() and not unsigned(it)]
        last = sent["messages"][-1]
        back = last["content"] if last["role"] == "assistant" else []
        assert [typeless(it) for it in back] == [typeless(it) for it in blocks], exchange.id
        await provider.close()


def unsigned(block: Json) -> bool:
    """Reasoning without a signature is not sent back: the models that think so take none."""
    return "reasoningText" in block.get("reasoningContent", {}) and not block["reasoningContent"]["reasoningText"].get(
        "signature"
    )


def typeless(block: Json) -> Json:
    """A tool call may say that it is one. The text of an answer that goes on has no white space at its end."""
    if "text" in block:
        return {"text": block["text"].rstrip()}
    call = block.get("toolUse", {})
    return {"toolUse": {**call, "type": ""}} if call.get("type") in (None, "tool_use") and call else block


async def test_what_a_recorded_refusal_says_reaches_the_caller(recorded: list[Exchange], replay: Replay):
    refusals = [it for it in recorded if it.status != 200]
    assert len(refusals) >= 5
    for exchange in refusals:
        provider = bedrock.make(
            "", deployment(replay.url, model(exchange), dialect="anthropic", count_model=model(exchange))
        )
        replay.play(exchange)
        with pytest.raises(UpstreamRefused) as caught:
            if action(exchange) == "converse-stream":
                await pieces(provider.stream("chat", ASKED))
            else:
                await provider.whole("count_tokens" if action(exchange) == "count-tokens" else "chat", ASKED)
        assert caught.value.detail == exchange.answered["message"]
        assert caught.value.vendor_status == 400
        await provider.close()


async def test_tokens_are_counted_as_was_recorded(recorded: list[Exchange], replay: Replay):
    for exchange in recorded:
        if action(exchange) != "count-tokens" or "invokeModel" not in exchange.sent["input"]:
            continue
        asked = json.loads(base64.b64decode(exchange.sent["input"]["invokeModel"]["body"]))
        provider = bedrock.make("", deployment(replay.url, f"eu.{model(exchange)}".replace("eu.us.", "us.")))
        replay.play(exchange)
        if exchange.status == 200:
            assert await provider.whole("count_tokens", asked) == {"input_tokens": exchange.answered["inputTokens"]}
            got = replay.got[0]
            assert unquote(got.path) == unquote(exchange.path)
            assert json.loads(base64.b64decode(got.json["input"]["invokeModel"]["body"])) == asked
        await provider.close()


async def test_recorded_embeddings_come_out_as_they_were(recorded: list[Exchange], replay: Replay):
    names = {"input_type", "truncate", "normalize"}
    seen = 0
    for exchange in recorded:
        if action(exchange) != "invoke":
            continue
        sent, said = exchange.sent, exchange.answered
        single = sent.get("singleEmbeddingParams", {})
        size = sent.get("dimensions") or sent.get("output_dimension") or single.get("embeddingDimension")
        asked: Json = {name: sent[name] for name in names & sent.keys()}
        asked["input"] = sent.get("texts") or sent.get("inputText") or single["text"]["value"]
        if size:
            asked["dimensions"] = size
        if single:
            asked["embeddingPurpose"] = single["embeddingPurpose"]
        provider = bedrock.make("", deployment(replay.url, model(exchange), "embedding"))
        replay.play(exchange)
        answer = await provider.whole("embeddings", asked)
        vectors = said["embedding"] if "embedding" in said else said["embeddings"]
        flat = json.dumps(vectors if not isinstance(vectors, dict) else vectors["float"])
        assert all(json.dumps(row["embedding"])[1:-1] in flat for row in answer["data"]), exchange.id
        assert answer["usage"]["prompt_tokens"] == int(exchange.answer_headers["x-amzn-bedrock-input-token-count"])
        assert replay.got[0].json == sent, exchange.id
        seen += 1
        await provider.close()
    assert seen >= 8


# ------------------------------------------------------------------ recorded requests


def as_chat(sent: Json) -> Json:
    """The chat request that a recorded Converse request could have been."""
    body: Json = {name: sent[name] for name in to_converse.OWN if name in sent}
    limits = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop"}
    body |= {limits[name]: value for name, value in sent.get("inferenceConfig", {}).items()}
    more = dict(sent.get("additionalModelRequestFields", {}))
    body["additionalModelRequestFields"] = more
    if "top_k" in more:
        body["top_k"] = more.pop("top_k")
    messages: list[Json] = []
    if sent.get("system"):
        messages.append({"role": "system", "content": parts(sent["system"])})
    for message in sent["messages"]:
        if message["role"] == "assistant":
            messages.append(assistant(message["content"]))
        else:
            messages += user(message["content"])
    body["messages"] = messages
    config = sent.get("toolConfig", {})
    if config:
        body["tools"] = [tool(it) for it in config["tools"]]
        choice = config.get("toolChoice", {})
        if "tool" in choice:
            body["tool_choice"] = {"type": "function", "function": choice["tool"]}
        elif choice:
            body["tool_choice"] = {"auto": "auto", "any": "required"}[next(iter(choice))]
    return body


def tool(it: Json) -> Json:
    if "toolSpec" not in it:
        return it
    spec = it["toolSpec"]
    function = {"name": spec["name"], "description": spec.get("description"), "parameters": spec["inputSchema"]["json"]}
    return {"type": "function", "function": function}


def parts(blocks: list[Json]) -> list[Json]:
    found: list[Json] = []
    for block in blocks:
        if "cachePoint" in block:
            found[-1]["cache_control"] = {"type": "ephemeral"}
        elif "document" in block:
            document = block["document"]
            url = f"data:text/plain;base64,{document['source']['bytes']}"
            found.append({"type": "file", "file": {"filename": f"{document['name']}.txt", "file_data": url}})
        else:
            found.append({"type": "text", "text": block["text"]})
    return found


def user(blocks: list[Json]) -> list[Json]:
    results = [it["toolResult"] for it in blocks if "toolResult" in it]
    told = [
        {
            "role": "tool", "tool_call_id": it["toolUseId"], "content": parts(it["content"]),
            **({"is_error": it["status"] == "error"} if "status" in it else {}),
        }
        for it in results
    ]  # fmt: skip
    rest = [it for it in blocks if "toolResult" not in it]
    return told + ([{"role": "user", "content": parts(rest)}] if rest else [])


def assistant(blocks: list[Json]) -> Json:
    made: list[Json] = []
    message: Json = {"role": "assistant", "content": "", "reasoning_content": "", "tool_calls": []}
    for block in blocks:
        call = block.get("toolUse", {})
        thought = block.get("reasoningContent", {})
        if "text" in block:
            message["content"] += block["text"]
            made.append({"type": "text", "length": len(block["text"])})
        elif call and not call.get("type"):
            function = {"name": call["name"], "arguments": json.dumps(call["input"])}
            message["tool_calls"].append({"id": call["toolUseId"], "type": "function", "function": function})
            made.append({"type": "tool_use", "id": call["toolUseId"]})
        elif "reasoningText" in thought:
            text = thought["reasoningText"]
            message["reasoning_content"] += text["text"]
            made.append({"type": "thinking", "length": len(text["text"]), "signature": text["signature"]})
        elif "redactedContent" in thought:
            made.append({"type": "redacted_thinking", "data": base64.b64decode(thought["redactedContent"]).decode()})
        else:
            made.append({"type": "converse", "block": block})
    return {**message, "provider_fields": {"blocks": made}}


def normal(sent: Json) -> Json:
    """A request without what says nothing, and with one message a turn."""
    turns: list[Json] = []
    for message in sent["messages"]:
        blocks = [it for it in message["content"] if it.get("text", "x").strip()]
        blocks = [dict(it) for it in blocks]
        if turns and turns[-1]["role"] == message["role"]:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": message["role"], "content": blocks})
    rest = {name: value for name, value in sent.items() if name != "messages" and value not in ({}, [])}
    if "toolConfig" in rest and rest["toolConfig"].get("toolChoice") is None:
        rest["toolConfig"].pop("toolChoice", None)
    return {**rest, "messages": turns}


def test_every_recorded_request_can_be_asked_in_chat(recorded: list[Exchange], shapes: Shapes):
    asked = 0
    for exchange in recorded:
        if not action(exchange).startswith("converse") or "other_parameters" in exchange.cassette:
            continue  # that one was cut short when it was recorded
        sent = exchange.sent
        if any("cachePoint" in it for it in sent.get("toolConfig", {}).get("tools", ())):
            sent["toolConfig"]["tools"] = [it for it in sent["toolConfig"]["tools"] if "cachePoint" not in it]
        made = to_converse.request(as_chat(sent), model(exchange))
        if sent.get("additionalModelRequestFields", {}).get("inferenceConfig"):
            assert made["additionalModelRequestFields"] == sent["additionalModelRequestFields"]
        assert normal(made) == normal(sent), exchange.id
        name = "ConverseStreamRequest" if action(exchange) == "converse-stream" else "ConverseRequest"
        assert not list(shapes.mistakes(made, name)), exchange.id
        asked += 1
    assert asked > 60
