"""Anthropic: every recorded exchange played again, natively and through chat, and what a scripted vendor shows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from strata.errors import Invalid, Misconfigured, RateLimited, UpstreamBroken, UpstreamRefused
from strata.gateway.money.estimate import prompt_bound
from strata.gateway.options import Deployment
from strata.gateway.providers import anthropic
from strata.gateway.translations import to_messages
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


def test_no_recorded_prompt_was_larger_than_what_would_be_reserved_for_it(recorded: list[Exchange]):
    provider = anthropic.make("", deployment("http://127.0.0.1:1"))
    for exchange in recorded:
        chat = as_chat(exchange.sent) if exchange.status == 200 and operation(exchange) == "messages" else None
        if chat is not None:
            used = put_together(exchange)["usage"]
            read = used["input_tokens"] + used["cache_read_input_tokens"] + used["cache_creation_input_tokens"]
            assert read <= prompt_bound(chat, provider.count) + provider.hidden("chat", chat), exchange.id


# ------------------------------------------------------------------ what is sent


def sent(messages: list[Json] | None = None, model: str = "claude-sonnet-4-6", **more: Any) -> Json:
    return to_messages.request({"messages": messages or [{"role": "user", "content": "?"}], **more}, model)


FUNCTION = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}
CALL = {"id": "call.1:x", "type": "function", "function": {"name": "look", "arguments": '{"at": [1, {"b": null}]}'}}
EPHEMERAL = {"type": "ephemeral"}


def test_tool_calls_keep_their_names_and_arguments_and_results_share_a_turn():
    empty = {"id": "c2", "type": "function", "function": {"name": "rest", "arguments": ""}}
    wrong = {"id": "c3", "type": "function", "function": {"name": "look", "arguments": '{"at": '}}
    made = sent([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Look."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind.", "cache_control": EPHEMERAL}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL, empty, wrong]},
        {"role": "tool", "tool_call_id": "call.1:x", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "two"}], "is_error": True},
        {"role": "tool", "tool_call_id": "c3", "content": ""},
        {"role": "user", "content": "And?"},
    ])  # fmt: skip
    assert made["system"] == [
        {"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind.", "cache_control": EPHEMERAL},
    ]  # fmt: skip
    assert [it["role"] for it in made["messages"]] == ["user", "assistant", "user"]
    assert made["messages"][1]["content"] == [
        {"type": "tool_use", "id": "call_1_x", "name": "look", "input": {"at": [1, {"b": None}]}},
        {"type": "tool_use", "id": "c2", "name": "rest", "input": {}},
        {"type": "tool_use", "id": "c3", "name": "look", "input": {"INVALID_JSON": '{"at": '}},
    ]
    assert made["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1_x", "content": "one"},
        {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "two"}], "is_error": True},
        {"type": "tool_result", "tool_use_id": "c3"},
        {"type": "text", "text": "And?"},
    ]


def test_pictures_and_files_become_the_blocks_that_anthropic_knows():
    text = "data:text/markdown;base64,SWNlLg=="
    content = [
        {"type": "image_url", "image_url": {"url": "https://x.example/y.png", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AAAA"}, "cache_control": EPHEMERAL},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"}},
        {"type": "file", "file": {"file_data": text}},
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "search_result", "of": "Anthropic's own"},
    ]
    blocks = sent([{"role": "user", "content": content}])["messages"][0]["content"]
    assert [it.get("source", it) for it in blocks] == [
        {"type": "url", "url": "https://x.example/y.png"},
        {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"},
        {"type": "base64", "media_type": "application/pdf", "data": "BBBB"},
        {"type": "text", "media_type": "text/plain", "data": "Ice."},
        {"type": "file", "file_id": "file_1"},
        {"type": "search_result", "of": "Anthropic's own"},
    ]
    assert blocks[1]["cache_control"] == EPHEMERAL
    assert blocks[2]["title"] == "a.pdf"


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": {"type": "function", "function": {"name": "look"}}}, {"type": "tool", "name": "look"}),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
        ({"parallel_tool_calls": True}, None),
    ],
)
def test_every_choice_of_tools_is_said(asked: Json, made: Json | None):
    assert sent(tools=[FUNCTION], **asked).get("tool_choice") == made
    assert "tool_choice" not in sent(**asked)


def test_tools_of_anthropics_own_stand_beside_functions():
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    made = sent(
        tools=[{**FUNCTION, "cache_control": EPHEMERAL}, search, {"type": "function", "function": {"name": "go"}}]
    )
    assert made["tools"] == [
        {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}, "cache_control": EPHEMERAL},
        search,
        {"name": "go", "input_schema": {"type": "object", "properties": {}}},
    ]


def test_what_both_dialects_know_is_said_and_what_only_openai_knows_is_left_out():
    made = sent(
        max_tokens=9, stop="END", temperature=1.7, top_p=0.5, user="ines", service_tier="default", top_k=3,
        field_of_tomorrow=1, seed=1, logit_bias={}, frequency_penalty=1, logprobs=True, store=True, stream=True,
        stream_options={}, metadata={"a": "b"}, parallel_tool_calls=True, prompt_cache_key="x", verbosity="low",
    )  # fmt: skip
    assert made == {
        "model": "claude-sonnet-4-6", "messages": [{"role": "user", "content": [{"type": "text", "text": "?"}]}],
        "max_tokens": 9, "stop_sequences": ["END"], "temperature": 1, "top_p": 0.5, "metadata": {"user_id": "ines"},
        "service_tier": "standard_only", "top_k": 3, "field_of_tomorrow": 1,
    }  # fmt: skip


def test_an_answer_in_a_schema_is_asked_for_with_every_object_closed():
    inner = {"type": "object", "properties": {"b": {"type": "string", "default": {"type": "object", "properties": {}}}}}
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": inner}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    made = sent(response_format=wanted, reasoning_effort="low")["output_config"]
    assert made["effort"] == "low"
    assert made["format"]["schema"]["additionalProperties"] is False
    items = made["format"]["schema"]["properties"]["a"]["items"]
    assert items == {**inner, "additionalProperties": False}
    assert "additionalProperties" not in schema
    assert "JSON" in sent(response_format={"type": "json_object"})["system"][0]["text"]


@pytest.mark.parametrize(
    ("model", "more", "made"),
    [
        ("claude-sonnet-4-6", {}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ("claude-fable-5", {}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ("claude-sonnet-4-5-20250929", {}, {"thinking": {"type": "enabled", "budget_tokens": 16384}}),
        ("claude-opus-4-1@20250805", {"max_tokens": 4000}, {"thinking": {"type": "enabled", "budget_tokens": 3200}}),
        ("claude-3-7-sonnet-latest", {"reasoning_effort": "minimal"}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("claude-haiku-4-5", {"max_tokens": 1000}, {}),
        ("claude-haiku-4-5", {"tools": [FUNCTION], "tool_choice": "required"}, {}),
        ("claude-haiku-4-5", {"reasoning_effort": "none"}, {}),
        ("claude-3-5-haiku-latest", {}, {}),
        ("claude-opus-5", {"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
    ],
)  # fmt: skip
def test_each_model_is_told_to_think_in_the_way_that_it_knows(model: str, more: Json, made: Json):
    body = sent(model=model, **{"max_tokens": 64_000, "reasoning_effort": "high", "temperature": 0.3, **more})
    assert {name: body[name] for name in ("thinking", "output_config") if name in body} == made
    thinks = made.get("thinking", {}).get("type") in {"enabled", "adaptive"}
    assert ("temperature" in body) != thinks
    assert not thinks or body["thinking"].get("budget_tokens", 0) < body["max_tokens"]


def test_a_turn_that_began_without_a_thought_goes_on_without_one():
    thoughtless = [{"role": "user", "content": "?"}, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
    result = {"role": "tool", "tool_call_id": "call.1:x", "content": "one"}
    asked = {"model": "claude-sonnet-4-5", "reasoning_effort": "low", "max_tokens": 9000}
    assert "thinking" not in sent([*thoughtless, result], **asked)
    done = [{"role": "assistant", "content": "Ice."}, {"role": "user", "content": "Anew."}]
    assert "thinking" in sent([*thoughtless, result, *done], **asked)
    blocks = [{"type": "thinking", "length": 2, "signature": "s"}, {"type": "tool_use", "id": "call.1:x"}]
    thoughtful = {**thoughtless[1], "reasoning_content": "hm", "provider_fields": {"blocks": blocks}}
    assert "thinking" in sent([thoughtless[0], thoughtful, result], **asked)


def test_a_text_that_was_masked_is_not_betrayed_by_the_blocks_it_came_in():
    blocks = [
        {"type": "thinking", "length": 2, "signature": "s"}, {"type": "text", "length": 14, "citations": [{"of": "x"}]},
        {"type": "redacted_thinking", "data": "secret"},
    ]  # fmt: skip
    message = {
        "role": "assistant",
        "content": "Call Ines Roth",
        "reasoning_content": "hm",
        "provider_fields": {"blocks": blocks},
    }
    user = {"role": "user", "content": "?"}
    same = sent([user, message, user])["messages"][1]["content"]
    assert same[1] == {"type": "text", "text": "Call Ines Roth", "citations": [{"of": "x"}]}
    masked = sent([user, {**message, "content": "Call [NAME]"}, user])["messages"][1]["content"]
    assert masked == [
        {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "secret"},
        {"type": "text", "text": "Call [NAME]"},
    ]  # fmt: skip
    thought = sent([user, {**message, "reasoning_content": "[MASKED]"}, user])["messages"][1]["content"]
    assert [it["type"] for it in thought] == ["redacted_thinking", "text"]


def test_reasoning_that_nobody_signed_is_not_sent_back_and_a_beginning_has_no_space_at_its_end():
    user = {"role": "user", "content": "?"}
    made = sent([user, {"role": "assistant", "content": "Ice is \n", "reasoning_content": "hm"}])
    assert made["messages"][1]["content"] == [{"type": "text", "text": "Ice is"}]
    assert [it["role"] for it in sent([user, {"role": "assistant", "content": ""}, user])["messages"]] == ["user"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"n": 2}, "one answer"), ({"audio": {"voice": "x"}}, "does not speak"), ({"functions": [{}]}, "use 'tools'"),
        ({"web_search_options": {"a": 1}}, "web_search_20250305"), ({"tool_choice": "some", "tools": [FUNCTION]}, "'required'"),
        ({"messages": "?"}, "must be a list"), ({"messages": [{"role": "judge"}]}, "no role 'judge'"),
        ({"messages": [{"role": "user", "content": 7}]}, "text or a list"), ({"messages": ["?"]}, "must be an object"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "does not take"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "file:///etc"}]}]}, "data: URL"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "x"}]}]}, "'function'"),
        ({"tools": [{"type": "custom"}]}, "a tool must be"),
        ({"response_format": {"type": "json_schema"}}, "schema' is missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused_with_the_reason(wrong: Json, told: str):
    with pytest.raises(Invalid, match=told):
        to_messages.request({"messages": [{"role": "user", "content": "?"}], **wrong}, "claude-sonnet-4-6")


async def test_a_request_names_its_previews_and_the_settings_theirs(replay: Replay):
    replay.script = vendor
    provider = anthropic.make("", deployment(replay.url, beta="a-1, b-2", omit=["temperature"]))
    await provider.whole("messages", {"messages": [], "betas": ["b-2", "c-3"], "temperature": 1, "model": "ours"})
    assert replay.got[-1].headers["anthropic-beta"] == "a-1,b-2,c-3"
    assert replay.got[-1].json == {"messages": [], "model": "claude-x"}
    assert replay.got[-1].headers["x-api-key"] == "sk-ant"
    assert replay.got[-1].headers["anthropic-version"] == "2023-06-01"
    assert "sk-ant" not in repr(provider)
    await provider.close()


# ------------------------------------------------------------------ what is made of answers


def streamed(*blocks: Json, reason: str = "end_turn", usage: Json | None = None) -> Exchange:
    """A stream of these blocks; each piece of their `parts` is a delta."""
    said: list[Json] = [
        {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}}
    ]
    for index, block in enumerate(blocks):
        begun = {name: value for name, value in block.items() if name != "parts"}
        said.append({"type": "content_block_start", "index": index, "content_block": begun})
        said += [{"type": "content_block_delta", "index": index, "delta": it} for it in block.get("parts", ())]
        said.append({"type": "content_block_stop", "index": index})
    said.append({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage or {"output_tokens": 2}})
    return events(*said, {"type": "message_stop"})


def tool_use(name: str, *parts: str, **more: Any) -> Json:
    pieces = [{"type": "input_json_delta", "partial_json": part} for part in parts]
    return {"type": "tool_use", "id": f"id-{name}", "name": name, "input": {}, "parts": pieces, **more}


async def ask(replay: Replay, answer: Exchange) -> Json:
    replay.script = lambda _: answer
    provider = anthropic.make("", deployment(replay.url))
    try:
        if answer.streamed:
            return folded(await pieces(provider.stream("chat", {"messages": [{"role": "user", "content": "?"}]})))
        return await provider.whole("chat", {"messages": [{"role": "user", "content": "?"}]})
    finally:
        await provider.close()


@pytest.mark.parametrize(
    ("reason", "called", "finish"),
    [
        ("tool_use", True, "tool_calls"), ("end_turn", True, "tool_calls"), ("end_turn", False, "stop"),
        ("max_tokens", True, "length"), ("stop_sequence", False, "stop"), ("pause_turn", False, "stop"),
        ("refusal", False, "content_filter"), ("model_context_window_exceeded", False, "length"),
        ("reason_of_tomorrow", False, "stop"), ("tool_use", False, "stop"),
    ],
)  # fmt: skip
async def test_an_agent_never_stops_silently_on_a_call(replay: Replay, reason: str, called: bool, finish: str):
    blocks = [{"type": "text", "text": "Ice."}, *([tool_use("look", '{"a":1}')] if called else [])]
    answer = await ask(replay, streamed(*blocks, reason=reason))
    assert answer["choices"][0]["finish_reason"] == finish
    whole = [{name: value for name, value in it.items() if name != "parts"} for it in blocks]
    message = {"id": "m", "content": whole, "stop_reason": reason, "usage": {"input_tokens": 1, "output_tokens": 2}}
    assert (await ask(replay, answering(message)))["choices"][0]["finish_reason"] == finish
    told = answer["choices"][0]["message"].get("provider_fields", {}).get("stop_reason")
    assert told == (None if reason in {"tool_use", "end_turn", "max_tokens"} else reason)


async def test_parallel_calls_keep_apart_their_names_indexes_and_arguments(replay: Replay):
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    answer = await ask(replay, streamed(
        {"type": "text", "text": "", "parts": [{"type": "text_delta", "text": "Looking."}]},
        tool_use("look", "", '{"ci', 'ty": "Zürich"}'),
        {**search, "parts": [{"type": "input_json_delta", "partial_json": '{"query": "ice"}'}]},
        tool_use("rest"),
        tool_use("whole", input={"given": ["at", "once"]}),
        reason="tool_use",
    ))  # fmt: skip
    message = answer["choices"][0]["message"]
    assert [(it["id"], it["function"]["name"], json.loads(it["function"]["arguments"])) for it in message["tool_calls"]] == [
        ("id-look", "look", {"city": "Zürich"}), ("id-rest", "rest", {}), ("id-whole", "whole", {"given": ["at", "once"]}),
    ]  # fmt: skip
    assert {**search, "input": {"query": "ice"}} in message["provider_fields"]["blocks"]
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


async def test_blocks_and_events_of_tomorrow_break_nothing_and_are_kept(replay: Replay):
    novel = {"type": "hologram", "of": "ice", "parts": [{"type": "hologram_delta", "of": "berg", "depth": 3}]}
    answer = await ask(replay, streamed(novel, {"type": "text", "text": "There."}))
    assert answer["choices"][0]["message"]["content"] == "There."
    kept = answer["choices"][0]["message"]["provider_fields"]["blocks"]
    assert kept == [{"type": "hologram", "of": "iceberg", "depth": 3}, {"type": "text", "length": 6}]


async def test_cached_tokens_are_counted_once_and_the_sums_of_a_stream_are_not_added_up(replay: Replay):
    used = {
        "input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 1000, "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 5}, "server_tool_use": {"web_search_requests": 1},
    }  # fmt: skip
    usage = (await ask(replay, streamed({"type": "text", "text": "Ice."}, usage=used)))["usage"]
    assert usage["prompt_tokens"] == 1110
    assert usage["total_tokens"] == 1117
    assert usage["prompt_tokens_details"] == {"cached_tokens": 100, "cache_creation_tokens": 1000}
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 5}
    assert usage["provider_fields"]["server_tool_use"] == {"web_search_requests": 1}
    made = {"type": "compaction", "input_tokens": 20, "output_tokens": 3}
    shorter = {**used, "iterations": [made, {"type": "message", **used}]}
    usage = (await ask(replay, streamed({"type": "text", "text": "Ice."}, usage=shorter)))["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (1130, 10)


# ------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("overloaded_error", UpstreamBroken), ("rate_limit_error", RateLimited), ("api_error", UpstreamBroken),
        ("invalid_request_error", UpstreamRefused), ("error_of_tomorrow", UpstreamBroken),
    ],
)  # fmt: skip
async def test_an_error_in_a_stream_comes_after_what_came_before_it(replay: Replay, kind: str, error: type[Exception]):
    whole = streamed({"type": "text", "text": "", "parts": [{"type": "text_delta", "text": "Ice "}]}).answer
    begun = whole[: whole.index(b'data: {"type":"content_block_stop"')]
    failed = b'data: {"type": "error", "error": {"type": "%b", "message": "it went wrong"}}\n\n' % kind.encode()
    for operation, replay.cut in (("chat", 0), ("chat", 9), ("messages", 0)):
        replay.script = lambda _: answering(begun + failed, kind="text/event-stream")
        provider = anthropic.make("", deployment(replay.url))
        seen: list[Json] = []
        with pytest.raises(error, match="it went wrong"):
            async for some in provider.stream(operation, {"messages": [{"role": "user", "content": "?"}]}):
                seen += some
        assert (folded(seen)["choices"][0]["message"]["content"] == "Ice ") if operation == "chat" else len(seen) == 3
        await provider.close()


async def test_a_stream_that_breaks_off_is_never_a_whole_answer(replay: Replay):
    whole = streamed({"type": "text", "text": "Ice."}).answer
    for end in range(1, whole.index(b"message_stop") - 8, 60):
        for operation in ("chat", "messages"):
            replay.script = lambda _, end=end: answering(whole[:end], kind="text/event-stream")
            provider = anthropic.make("", deployment(replay.url))
            with pytest.raises(UpstreamBroken):
                await pieces(provider.stream(operation, {"messages": [{"role": "user", "content": "?"}]}))
            await provider.close()


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (429, "rate_limit_error", RateLimited), (529, "overloaded_error", UpstreamBroken), (401, "x", UpstreamBroken),
        (400, "invalid_request_error", UpstreamRefused), (413, "request_too_large", UpstreamRefused),
        (500, "api_error", UpstreamBroken), (404, "not_found_error", UpstreamBroken),
    ],
)  # fmt: skip
async def test_a_refusal_is_what_can_be_done_about_it(replay: Replay, status: int, kind: str, error: type[Exception]):
    said = {"type": "error", "error": {"type": kind, "message": "no"}}
    replay.script = lambda _: answering(said, status, retry_after="11")
    provider = anthropic.make("", deployment(replay.url))
    asked = {"messages": [{"role": "user", "content": "?"}]}
    for call in (provider.whole("chat", asked), pieces(provider.stream("messages", asked))):
        with pytest.raises(error) as caught:
            await call
        assert error is not RateLimited or caught.value.retry_after == 11
    await provider.close()


async def test_json_that_is_no_answer_is_none(replay: Replay):
    provider = anthropic.make("", deployment(replay.url))
    for said in ({}, {"content": "Ice."}, {"output": {}}):
        replay.script = lambda _, said=said: answering(said)
        with pytest.raises(UpstreamBroken, match="makes no sense"):
            await provider.whole("chat", {"messages": [{"role": "user", "content": "?"}]})
    await provider.close()


def test_what_is_wrong_with_a_deployment_is_said_at_once():
    with pytest.raises(Misconfigured) as caught:
        anthropic.make("claude", Deployment("m", "chat", "anthropic"))
    assert len(caught.value.mistakes) == 2
