"""What users of other gateways lost in translation, in streams and past guardrails, and what they must see here.

`docs/reference/complaints.md` is the list; the numbers in the docstrings are its.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from strata.gateway.options import GuardrailOptions
from strata.testing.vendor import ANSWER, MockVendor

from .conftest import Doorway, at, budget, doorway
from .test_clients import behind
from .test_ingress import events, until

HI = [{"role": "user", "content": "hi"}]
ADDRESS = "j.whitcombe@example.org"
LETTER = f"Please write to Jane Whitcombe, {ADDRESS}."
SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}}}
NAME = "look_up-The_Weather2"
ARGUMENTS = {"city": 'Zürich "North"\n', "deep": {"days": [1, 2.5, None, True]}, "empty": {}, "big": 12345678901234567}


# ------------------------------------------------------------------ tools


def chat_turns(calls: list[tuple[str, str, Any]]) -> Any:
    made = [
        {"id": call, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for call, name, arguments in calls
    ]
    results = [{"role": "tool", "tool_call_id": call, "content": f"result of {call}"} for call, _, _ in calls]
    tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for _, name, _ in calls]
    return {"messages": [*HI, {"role": "assistant", "content": None, "tool_calls": made}, *results], "tools": tools}


def messages_turns(calls: list[tuple[str, str, Any]]) -> Any:
    made = [{"type": "tool_use", "id": call, "name": name, "input": arguments} for call, name, arguments in calls]
    results = [{"type": "tool_result", "tool_use_id": call, "content": f"result of {call}"} for call, _, _ in calls]
    tools = [{"name": name, "input_schema": SCHEMA} for _, name, _ in calls]
    turns = [*HI, {"role": "assistant", "content": made}, {"role": "user", "content": results}]
    return {"messages": turns, "tools": tools, "max_tokens": 50}


def responses_turns(calls: list[tuple[str, str, Any]]) -> Any:
    made = [
        {"type": "function_call", "call_id": call, "name": name, "arguments": json.dumps(arguments)}
        for call, name, arguments in calls
    ]
    results = [{"type": "function_call_output", "call_id": call, "output": f"result of {call}"} for call, _, _ in calls]
    tools = [{"type": "function", "name": name, "parameters": SCHEMA} for _, name, _ in calls]
    return {"input": [*HI, *made, *results], "tools": tools}


TURNS: dict[str, Any] = {
    "/v1/chat/completions": chat_turns,
    "/v1/messages": messages_turns,
    "/v1/responses": responses_turns,
}


def told(body: Any) -> list[tuple[str, str, Any]]:
    """The calls in a request as the vendor got it, whichever dialect it speaks."""
    turns = [*body.get("input", ()), *body.get("messages", ())]
    items = [(it["call_id"], it["name"], it["arguments"]) for it in turns if it.get("type") == "function_call"]
    made = [call for it in turns for call in it.get("tool_calls") or ()]
    functions = [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in made]
    content = [block for it in turns if isinstance(it.get("content"), list) for block in it["content"]]
    blocks = [(it["id"], it["name"], it["input"]) for it in content if it.get("type") == "tool_use"]
    return [*[(call, name, json.loads(text)) for call, name, text in [*items, *functions]], *blocks]


@pytest.mark.parametrize("kind", ["openai", "plain", "anthropic"])
@pytest.mark.parametrize("path", TURNS)
async def test_every_call_keeps_its_name_and_arguments_whichever_api_and_vendor(
    vendor: MockVendor, path: str, kind: str
):
    """15: litellm#25836, #30053, #18238, #24668: arguments came out empty, names changed or cut."""
    calls = [("call_1", NAME, ARGUMENTS), ("call_2", "n" * 64, {}), ("call_3", NAME, {"city": "Bern"})]
    async with doorway(behind(kind, vendor)) as door:
        answer = await door.post(path, {"model": "echo", **TURNS[path](calls)})
        assert answer.status == 200, await answer.text()
        sent = vendor.requests[-1].body
        assert told(sent) == calls
        assert all(f"result of {call}" in json.dumps(sent) for call, _, _ in calls)


# ------------------------------------------------------------------ streams


async def test_a_stream_that_is_cancelled_leaves_nothing_in_the_streams_beside_it(vendor: MockVendor):
    """23: bifrost#6143: a buffer of a cancelled stream was handed to another one."""
    slow = at(vendor, "mock;huge=400;chunks=20;delay=0.005", "letters")
    words = at(vendor, "mock;chunks=13;delay=0.005", "words")
    async with doorway(slow, words, budgets=(budget(1_000_000),)) as door:

        async def read(number: int) -> tuple[str, str]:
            model = "letters" if number % 2 else "words"
            body = {"model": model, "messages": HI, "stream": True}
            headers = {"authorization": f"Bearer {door.key}"}
            text = ""
            async with door.session.post(f"{door.url}/v1/chat/completions", json=body, headers=headers) as answer:
                async for line in answer.content:
                    if line.startswith(b"data: {"):
                        text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
                        if number % 3 == 0 and text:
                            return model, "cancelled"
            return model, text

        for _ in range(3):
            found = await asyncio.gather(*(read(number) for number in range(24)))
            whole = {(model, text) for model, text in found if text != "cancelled"}
            assert whole == {("letters", "x" * 400), ("words", ANSWER)}
        await until(lambda: not door.world.gateway.till.limits.under_way)
        facts = await door.world.facts()
        assert {fact.outcome for fact in facts} == {"ok", "client-gone"}
        assert len(facts) == 72
        assert (await door.world.standing())[1] == 0


@pytest.mark.parametrize("kind", ["openai", "plain", "anthropic"])
@pytest.mark.parametrize("path", TURNS)
async def test_usage_stands_at_the_end_of_every_stream_also_where_the_vendor_does_not_count(
    vendor: MockVendor, path: str, kind: str
):
    """26: portkey#1259: usage was dropped from streams."""
    script = "mock;nousage" if kind != "anthropic" else "mock"
    async with doorway(behind(kind, vendor, script)) as door:
        body = {"model": "echo", "stream": True, "stream_options": {"include_usage": True}}
        body |= {"input": "hi"} if path == "/v1/responses" else {"messages": HI, "max_tokens": 50}
        answer = await door.post(path, body)
        end = next(it for it in reversed(events(await answer.text())) if it.get("type") != "message_stop")
        usage = (end.get("response") or end)["usage"]
        (fact,) = await door.world.facts()
        assert usage["cost_micros"] == fact.cost_micros > 0


# ------------------------------------------------------------------ guardrails


def letters(path: str, place: str) -> Any:
    """A request with the letter in the question, in a tool's result, or in the arguments of a call."""
    if place == "question":
        return {
            "/v1/chat/completions": {"messages": [{"role": "user", "content": LETTER}]},
            "/v1/messages": {"messages": [{"role": "user", "content": LETTER}], "max_tokens": 50},
            "/v1/responses": {"input": LETTER},
        }[path]
    turns = TURNS[path]([("call_1", "send", {"to": ADDRESS if place == "arguments" else "x"})])
    return json.loads(json.dumps(turns).replace("result of call_1", LETTER)) if place == "result" else turns


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("place", ["question", "result", "arguments"])
@pytest.mark.parametrize("path", TURNS)
async def test_personal_data_reaches_neither_vendor_nor_log_nor_store(
    vendor: MockVendor, caplog: pytest.LogCaptureFixture, path: str, place: str, stream: bool
):
    """13: litellm#30728, #31950, #35951, #30447: streams and arguments were skipped, and the log had it in plain."""
    caplog.set_level(logging.DEBUG)
    async with doorway(at(vendor), guardrails=(GuardrailOptions("pii"),)) as door:
        answer = await door.post(path, {"model": "echo", "stream": stream, **letters(path, place)})
        assert answer.status == 200, await answer.text()
        assert len(vendor.requests) == 1
        assert ADDRESS not in json.dumps(vendor.requests[0].body)
        await door.world.facts()
        kept = b"".join(cell.data for cell in door.world.records.cells.values())
        assert ADDRESS.encode() not in kept
        assert ADDRESS not in caplog.text
        assert ADDRESS not in repr(door.world.events)


def broken(*_: Any) -> Any:
    raise OSError("the word lists cannot be read")


async def test_where_a_guardrail_cannot_do_its_work_nothing_passes_unguarded(
    vendor: MockVendor, monkeypatch: pytest.MonkeyPatch
):
    """13: with its analyser away, the guardrail let everything through."""
    async with doorway(at(vendor), guardrails=(GuardrailOptions("pii"),)) as door:
        monkeypatch.setattr("strata.gateway.guardrails.pii.read", broken)
        for stream in (False, True):
            assert (await door.chat(LETTER, stream=stream)).status >= 400
        assert not vendor.requests


# ------------------------------------------------------------------ where calls go


TRICKS: dict[str, dict[str, str]] = {
    "portkey's headers": {"x-portkey-custom-host": "{elsewhere}", "x-portkey-provider": "openai"},
    "a host": {"x-forwarded-host": "{host}", "forwarded": "host={host}"},
    "a base url": {"x-base-url": "{elsewhere}", "api-base": "{elsewhere}", "x-llm-provider": "{elsewhere}"},
}
FIELDS = {"base_url": "{elsewhere}", "api_base": "{elsewhere}", "custom_host": "{elsewhere}", "api_key": "sk-mine"}


@pytest.mark.parametrize("trick", TRICKS)
async def test_no_caller_chooses_the_address_a_call_goes_to_or_sees_the_key_it_goes_with(
    vendor: MockVendor, trick: str
):
    """27: portkey#1718, #1507: a header sent calls, and the vendor's key with them, wherever the caller liked."""
    async with MockVendor() as elsewhere, doorway(at(vendor)) as door:
        names = {"elsewhere": elsewhere.base_url, "host": f"127.0.0.1:{elsewhere.port}"}
        headers = {name: value.format(**names) for name, value in TRICKS[trick].items()}
        fields = {name: value.format(**names) for name, value in FIELDS.items()}
        answer = await door.chat(headers=headers, **fields)
        assert answer.status == 200
        assert not elsewhere.requests
        (received,) = vendor.requests
        assert received.headers["authorization"] == "Bearer sk-vendor"
        assert door.key not in json.dumps(received.headers)
        assert not set(headers) & set(received.headers)
        assert "sk-vendor" not in await answer.text() + repr(answer.headers)


@pytest.mark.parametrize("path", ["/v1/proxy/chat/completions", "/v1/proxy/http://127.0.0.1:1/", "/v1/files", "/v1/x"])
async def test_there_is_no_road_through_the_door_to_addresses_that_nobody_set_up(vendor: MockVendor, path: str):
    """27: the open proxy of other gateways."""
    async with doorway(at(vendor)) as door:
        assert (await door.post(path, {"model": "echo", "messages": HI})).status == 404
        assert not vendor.requests


async def test_the_vendors_key_is_in_no_refusal(vendor: MockVendor):
    """27: an error of the vendor's repeated the key."""
    async with doorway(at(vendor, "mock;fail=401"), retries=0) as door:
        answer = await door.chat()
        assert "sk-vendor" not in await said(answer, door)


async def said(answer: Any, door: Doorway) -> str:
    await door.world.gateway.settled()
    return await answer.text() + repr(answer.headers) + repr(door.world.events)
