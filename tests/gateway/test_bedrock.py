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

from strata.errors import Invalid, Misconfigured, RateLimited, UpstreamBroken, UpstreamRefused
from strata.gateway.money.estimate import byte_bound, prompt_bound
from strata.gateway.options import Deployment
from strata.gateway.providers import bedrock
from strata.gateway.translations import to_converse
from strata.gateway.translations.hidden import hidden
from strata.gateway.wire.eventstream import Frames
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
        used, chat = put_together(exchange).get("usage", {}), as_chat(exchange.sent)
        bound = prompt_bound(chat, byte_bound) + hidden(chat)
        assert used.get("totalTokens", 0) - used.get("outputTokens", 0) <= bound, exchange.id
        asked += 1
    assert asked > 60


# ------------------------------------------------------------------ natively


async def test_messages_go_to_invoke_model_untouched_and_come_back_so(replay: Replay):
    events = [
        {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 3}}},
        {"type": "brand_new_event", "of": ["tomorrow"]},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}},
    ]
    raw = b"".join(
        event("chunk", orjson.dumps({"bytes": base64.b64encode(orjson.dumps(it)).decode(), "p": "abc"}))
        for it in events
    )
    asked = {"model": "m", "max_tokens": 5, "messages": [], "field_of_tomorrow": 1, "betas": ["b-1"]}
    sent = {
        "max_tokens": 5, "messages": [], "field_of_tomorrow": 1, "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["b-1"],
    }  # fmt: skip
    profile = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2"
    provider = bedrock.make("", deployment(replay.url, profile, dialect="anthropic"))
    for replay.cut in (0, 1, 64):
        replay.script = lambda _: answering(raw, kind="application/vnd.amazon.eventstream")
        assert await pieces(provider.stream("messages", asked)) == events
    assert replay.got[-1].json == sent
    escaped = "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Aapplication-inference-profile%2Fa1b2/"
    assert replay.got[-1].path == escaped + "invoke-with-response-stream"
    replay.script = lambda _: answering({"id": "msg_1", "of": "tomorrow"})
    assert await provider.whole("messages", asked) == {"id": "msg_1", "of": "tomorrow"}
    assert (replay.got[-1].json, replay.got[-1].path) == (sent, escaped + "invoke")
    await provider.close()


async def test_only_anthropics_models_take_messages(replay: Replay):
    for name, takes in (("amazon.nova-lite-v1:0", False), ("eu.anthropic.claude-sonnet-4-6", True)):
        assert ("messages" in bedrock.make("", deployment(replay.url, name)).operations) == takes
    assert bedrock.make("", deployment(replay.url, "cohere.embed-v4:0", "embedding")).operations == {"embeddings"}


# ------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("throttlingException", RateLimited), ("validationException", UpstreamRefused),
        ("modelStreamErrorException", UpstreamBroken), ("modelTimeoutException", UpstreamBroken),
        ("internalServerException", UpstreamBroken), ("serviceUnavailableException", UpstreamBroken),
        ("exceptionOfTomorrow", UpstreamBroken),
    ],
)  # fmt: skip
async def test_an_exception_in_a_stream_comes_after_what_came_before_it(
    replay: Replay, name: str, error: type[Exception]
):
    begun = event("messageStart", b'{"role":"assistant"}') + event(
        "contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Ice "}}'
    )
    failed = event(name, b'{"message":"it went wrong"}', "exception")
    replay.script = lambda _: answering(begun + failed, kind="application/vnd.amazon.eventstream")
    provider = bedrock.make("", deployment(replay.url))
    for replay.cut in (0, 5):
        seen: list[Json] = []
        with pytest.raises(error, match="it went wrong"):
            async for chunks in provider.stream("chat", ASKED):
                seen += chunks
        assert folded(seen)["choices"][0]["message"]["content"] == "Ice "
    await provider.close()


@pytest.mark.parametrize(
    ("status", "name", "error"),
    [
        (429, "ThrottlingException", RateLimited), (429, "ModelNotReadyException", RateLimited),
        (400, "ServiceQuotaExceededException", RateLimited), (400, "ValidationException", UpstreamRefused),
        (408, "ModelTimeoutException", UpstreamBroken), (424, "ModelErrorException", UpstreamBroken),
        (503, "ServiceUnavailableException", UpstreamBroken), (500, "", UpstreamBroken),
        (403, "ExpiredTokenException", UpstreamBroken), (404, "ResourceNotFoundException", UpstreamBroken),
    ],
)  # fmt: skip
async def test_a_refusal_is_what_can_be_done_about_it(replay: Replay, status: int, name: str, error: type[Exception]):
    replay.script = lambda _: answering({"message": "no"}, status, x_amzn_errortype=name, retry_after="7")
    provider = bedrock.make("", deployment(replay.url))
    for call in (provider.whole("chat", ASKED), pieces(provider.stream("chat", ASKED))):
        with pytest.raises(error) as caught:
            await call
        assert error is not RateLimited or caught.value.retry_after == 7
    await provider.close()


async def test_no_chunk_of_a_stream_is_lost_wherever_it_is_cut(replay: Replay):
    words = [f"{number} " for number in range(200)]
    deltas = [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}}) for word in words]
    begun, ended = ("messageStart", {"role": "assistant"}), ("messageStop", {"stopReason": "end_turn"})
    answer = stream(begun, *deltas, ended, ("metadata", {"usage": USED, "metrics": {}}))
    provider = bedrock.make("", deployment(replay.url))
    replay.script = lambda _: answer
    for replay.cut in (0, 3, 100, 1000, 4096):
        said = folded(await pieces(provider.stream("chat", ASKED)))
        assert said["choices"][0]["message"]["content"] == "".join(words)
        assert said["usage"]["total_tokens"] == 15
    assert len(provider.aws.service.host._idle) == 1  # one connection served them all
    await provider.close()


async def test_a_stream_that_breaks_off_is_never_a_whole_answer(replay: Replay):
    whole = vendor(Got("POST", "/model/m/converse-stream", {}, b"{}")).answer
    ends = {len(whole[: at - 4]) for at in range(5, len(whole), 40)}
    provider = bedrock.make("", deployment(replay.url))
    for end in sorted(ends):
        replay.script = lambda _, end=end: answering(whole[:end], kind="application/vnd.amazon.eventstream")
        finished = False
        try:
            chunks = await pieces(provider.stream("chat", ASKED))
            finished = any(it["choices"] and it["choices"][0]["finish_reason"] for it in chunks)
        except UpstreamBroken:
            continue
        assert finished, end
    garbled = bytearray(whole)
    garbled[200] ^= 1
    replay.script = lambda _: answering(bytes(garbled), kind="application/vnd.amazon.eventstream")
    with pytest.raises(UpstreamBroken, match="cannot be read"):
        await pieces(provider.stream("chat", ASKED))
    await provider.close()


async def test_one_text_that_cannot_be_embedded_fails_the_call_with_its_reason(replay: Replay):
    def some(got: Got) -> Exchange:
        if got.json["inputText"] == "bad":
            return answering({"message": "too long"}, 400, x_amzn_errortype="ValidationException")
        return vendor(got)

    replay.script = some
    provider = bedrock.make("", deployment(replay.url, "amazon.titan-embed-text-v2:0", "embedding"))
    with pytest.raises(UpstreamRefused, match="too long"):
        await provider.whole("embeddings", {"input": ["good", "bad", "good"]})
    await provider.close()


# ------------------------------------------------------------------ requests


def sent(body: Json, name: str = "amazon.nova-lite-v1:0") -> Json:
    return to_converse.request({**ASKED, **body}, name)


FUNCTION = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CALLED = [
    {"role": "user", "content": "Look twice."},
    {
        "role": "assistant", "content": None,
        "tool_calls": [
            {"id": "functions.look:0", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}},
            {"id": "b" * 80, "type": "function", "function": {"name": "look", "arguments": ""}},
        ],
    },
    {"role": "tool", "tool_call_id": "functions.look:0", "content": "one"},
    {"role": "tool", "tool_call_id": "b" * 80, "content": ""},
    {"role": "user", "content": "And?"},
]  # fmt: skip


def test_parallel_calls_and_their_results_stand_in_one_turn_each(shapes: Shapes):
    made = sent({"messages": CALLED})
    assert [turn["role"] for turn in made["messages"]] == ["user", "assistant", "user"]
    calls = [it["toolUse"] for it in made["messages"][1]["content"]]
    results = [it["toolResult"] for it in made["messages"][2]["content"] if "toolResult" in it]
    assert [it["input"] for it in calls] == [{"at": 1}, {}]
    assert [it["toolUseId"] for it in calls] == [it["toolUseId"] for it in results]
    assert calls[0]["toolUseId"] == "functions.look:0"
    assert made["messages"][2]["content"][-1] == {"text": "And?"}
    assert [it["toolSpec"]["name"] for it in made["toolConfig"]["tools"]] == ["look"]  # described, as Converse wants
    assert not list(shapes.mistakes(made, "ConverseRequest"))


def test_every_choice_of_tools_is_said_as_converse_can():
    claude = "anthropic.claude-sonnet-4-6"
    assert sent({"tools": [FUNCTION], "tool_choice": "required"})["toolConfig"]["toolChoice"] == {"any": {}}
    named = {"type": "function", "function": {"name": "look"}}
    assert sent({"tools": [FUNCTION], "tool_choice": named})["toolConfig"]["toolChoice"] == {"tool": {"name": "look"}}
    assert "toolConfig" not in sent({"tools": [FUNCTION], "tool_choice": "none"})
    one = sent({"tools": [FUNCTION], "parallel_tool_calls": False}, claude)
    assert one["additionalModelRequestFields"]["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_pictures_files_and_schemas_are_said_as_converse_describes_them(shapes: Shapes):
    url = "data:image/jpg;base64,AAAA"
    pdf = {"filename": "Q3_report (final).pdf", "file_data": "data:application/pdf;base64,AAAA"}
    content = [
        {"type": "text", "text": "Read."}, {"type": "image_url", "image_url": {"url": url}},
        {"type": "file", "file": pdf}, {"type": "file", "file": pdf, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]  # fmt: skip
    schema = {"name": "x", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    made = sent({
        "messages": [{"role": "user", "content": content}], "stop": "END", "temperature": 1.5, "top_p": 0.5,
        "max_completion_tokens": 7, "response_format": {"type": "json_schema", "json_schema": schema},
        "service_tier": "flex", "seed": 3, "user": "ines",
    })  # fmt: skip
    assert not list(shapes.mistakes(made, "ConverseRequest"))
    blocks = made["messages"][0]["content"]
    assert blocks[1] == {"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}}
    assert [it["document"]["name"] for it in blocks if "document" in it] == [
        "Q3 report (final)",
        "Q3 report (final) (2)",
    ]
    assert blocks[-1] == {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert made["inferenceConfig"] == {"maxTokens": 7, "temperature": 1, "topP": 0.5, "stopSequences": ["END"]}
    assert json.loads(made["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"])["type"] == "object"
    assert "additionalModelRequestFields" not in made


def test_what_converse_cannot_take_is_refused_with_the_reason():
    for part, told in (
        ({"type": "image_url", "image_url": {"url": "https://x/y.png"}}, "not by their address"),
        ({"type": "file", "file": {"file_id": "f1"}}, "not by address or id"),
        ({"type": "input_audio", "input_audio": {}}, "does not take 'input_audio'"),
    ):
        with pytest.raises(Invalid, match=told):
            sent({"messages": [{"role": "user", "content": [part]}]})
    with pytest.raises(Invalid, match="does not know tools"):
        sent({"tools": [{"type": "web_search_20250305", "name": "web_search"}]})


def test_models_of_different_makers_are_told_to_think_in_their_own_ways():
    def more(name: str) -> Json:
        body = {"reasoning_effort": "high", "temperature": 0.5, "max_tokens": 30_000}
        return sent(body, name)["additionalModelRequestFields"]

    assert more("openai.gpt-oss-120b-1:0") == {"reasoning_effort": "high"}
    assert more("us.anthropic.claude-sonnet-4-5-20250929-v1:0") == {
        "thinking": {"type": "enabled", "budget_tokens": 16384}
    }
    adaptive = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
    assert more("eu.anthropic.claude-sonnet-4-6") == adaptive
    assert sent({"reasoning_effort": "high", "temperature": 0.5})["inferenceConfig"] == {"temperature": 0.5}


def test_thoughts_that_anthropic_signed_are_not_sent_to_models_of_others():
    fields = {"blocks": [{"type": "thinking", "length": 2, "signature": "s"}, {"type": "text", "length": 4}]}
    said = {"role": "assistant", "content": "Ice.", "reasoning_content": "hm", "provider_fields": fields}
    messages = [*ASKED["messages"], said, *ASKED["messages"]]
    thought = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}
    assert sent({"messages": messages})["messages"][1]["content"] == [{"text": "Ice."}]
    claude = sent({"messages": messages}, "eu.anthropic.claude-sonnet-4-6")
    assert claude["messages"][1]["content"] == [thought, {"text": "Ice."}]


async def test_a_guardrail_of_the_settings_cannot_be_changed_by_a_caller(replay: Replay):
    replay.script = vendor
    options = {"guardrail": {"id": "g1", "version": 2}, "performance": "optimized", "beta": ["b-1"]}
    provider = bedrock.make("", deployment(replay.url, "anthropic.claude-sonnet-4-6", **options))
    await provider.whole("chat", {**ASKED, "guardrailConfig": {"guardrailIdentifier": "mine"}, "performanceConfig": {}})
    got = replay.got[-1].json
    assert got["guardrailConfig"] == {"guardrailIdentifier": "g1", "guardrailVersion": "2"}
    assert got["performanceConfig"] == {}
    assert got["additionalModelRequestFields"] == {"anthropic_beta": ["b-1"]}
    replay.script = lambda _: answering({})
    await provider.whole("messages", {"messages": []})
    assert replay.got[-1].headers["x-amzn-bedrock-guardrailidentifier"] == "g1"
    assert replay.got[-1].headers["x-amzn-bedrock-performanceconfig-latency"] == "optimized"
    await provider.close()


async def test_a_bedrock_key_is_sent_instead_of_a_signature(replay: Replay):
    replay.script = vendor
    options = {"region": "eu-central-1", "api_key": "bedrock-key", "base_url": replay.url}
    provider = bedrock.make("", Deployment("m", "chat", "bedrock", "amazon.nova-lite-v1:0", options=options))
    await provider.whole("chat", ASKED)
    assert replay.got[-1].headers["authorization"] == "Bearer bedrock-key"
    assert "x-amz-date" not in replay.got[-1].headers
    assert "bedrock-key" not in repr(provider)
    await provider.close()


async def test_json_that_is_no_answer_is_none(replay: Replay):
    provider = bedrock.make("", deployment(replay.url))
    for said in ({}, {"content": "Ice."}, {"output": {}}):
        replay.script = lambda _, said=said: answering(said)
        with pytest.raises(UpstreamBroken, match="makes no sense"):
            await provider.whole("chat", {"messages": [{"role": "user", "content": "?"}]})
    await provider.close()


def test_what_is_wrong_with_a_deployment_is_said_at_once():
    with pytest.raises(Misconfigured) as caught:
        bedrock.make("x", Deployment("m", "chat", "bedrock", options={"guardrail": "g1", "credentials": "magic"}))
    assert len(caught.value.mistakes) == 4
    with pytest.raises(Misconfigured, match="no model of embeddings"):
        bedrock.make("", deployment("http://127.0.0.1:1", "amazon.nova-lite-v1:0", "embedding"))
