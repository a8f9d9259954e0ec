"""Requests of one API at a model that speaks another: every part arrives, and what a vendor wants back comes back."""

from __future__ import annotations

from typing import Any

import pytest

from strata.gateway.dialects import messages_by_chat, responses_by_chat
from strata.types import Json

from .conftest import doorway, echo

PNG = "iVBORw0KGgo="
WORD = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}
FUNCTION = {"name": "lookup", "description": "looks up", "parameters": WORD}


async def asked(path: str, body: Json) -> Json:
    """The chat request that a model was asked with."""
    async with doorway(echo(reply="well")) as door:
        answer = await door.post(path, {"model": "echo", **body})
        assert answer.status == 200, await answer.text()
        request: Json = door.world.echo().requests[-1]
        return request


# ------------------------------------------------------------------ Messages


async def test_a_whole_agents_conversation_of_messages_arrives_as_a_chat():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    document = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "page"},
        "title": "T",
    }
    chat = await asked(
        "/v1/messages",
        {
            "max_tokens": 77,
            "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "look"}, image, document]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "S"},
                        {"type": "text", "text": "I look"},
                        {"type": "tool_use", "id": "a", "name": "lookup", "input": {"word": "ice"}},
                        {"type": "tool_use", "id": "b", "name": "lookup", "input": {"word": "fog"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "a",
                            "content": [{"type": "text", "text": "cold"}, image],
                        },
                        {"type": "tool_result", "tool_use_id": "b", "content": "gone", "is_error": True},
                        {"type": "text", "text": "so?"},
                    ],
                },
            ],
            "tools": [{"name": "lookup", "description": "looks up", "input_schema": WORD}],
            "tool_choice": {"type": "tool", "name": "lookup", "disable_parallel_tool_use": True},
            "thinking": {"type": "enabled", "budget_tokens": 4000},
            "stop_sequences": ["END"],
            "top_k": 5,
            "temperature": 0.5,
            "metadata": {"user_id": "u1"},
            "output_config": {"format": {"type": "json_schema", "schema": WORD}},
        },
    )
    system, user, assistant, first, second, last = chat["messages"]
    assert system["content"] == [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}]
    assert [part["type"] for part in user["content"]] == ["text", "image_url", "text", "text"]
    assert user["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"
    assert (assistant["content"], assistant["reasoning_content"]) == ("I look", "hm")
    assert [(it["id"], it["function"]["arguments"]) for it in assistant["tool_calls"]] == [
        ("a", '{"word":"ice"}'),
        ("b", '{"word":"fog"}'),
    ]
    assert (first["role"], first["tool_call_id"], first["content"]) == ("tool", "a", "cold")
    assert (second["tool_call_id"], second["content"], second["is_error"]) == ("b", "gone", True)
    assert [part["type"] for part in last["content"]] == ["text", "image_url", "text"]
    assert chat["tools"] == [{"type": "function", "function": FUNCTION}]
    assert chat["tool_choice"] == {"type": "function", "function": {"name": "lookup"}}
    assert chat["response_format"]["json_schema"] == {"name": "answer", "schema": WORD, "strict": True}
    rest = ("parallel_tool_calls", "reasoning_effort", "stop", "top_k", "temperature", "user", "max_completion_tokens")
    assert [chat[name] for name in rest] == [False, "medium", ["END"], 5, 0.5, "u1", 77]


# ------------------------------------------------------------------ Responses


async def test_a_whole_agents_conversation_of_responses_arrives_as_a_chat():
    chat = await asked(
        "/v1/responses",
        {
            "instructions": "be brief",
            "input": [
                {"role": "developer", "content": "and kind"},
                {
                    "type": "message",
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "look"},
                        {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"},
                        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
                    ],
                },
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "content": []},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look"}]},
                {"type": "function_call", "call_id": "a", "name": "lookup", "arguments": '{"word":"ice"}'},
                {"type": "custom_tool_call", "call_id": "b", "name": "shell", "input": "ls -l"},
                {"type": "function_call_output", "call_id": "a", "output": "cold"},
                {
                    "type": "custom_tool_call_output",
                    "call_id": "b",
                    "output": [{"type": "input_text", "text": "a.txt"}],
                },
                {"role": "user", "content": "so?"},
            ],
            "tools": [{"type": "function", **FUNCTION, "strict": True}, {"type": "custom", "name": "shell"}],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "custom", "name": "shell"}],
            },
            "text": {"format": {"type": "json_schema", "name": "found", "schema": WORD, "strict": True}},
            "reasoning": {"effort": "low"},
            "max_output_tokens": 77,
            "parallel_tool_calls": False,
            "safety_identifier": "u1",
        },
    )
    roles = [message["role"] for message in chat["messages"]]
    assert roles == ["system", "system", "user", "assistant", "tool", "tool", "user"]
    assert [part["type"] for part in chat["messages"][2]["content"]] == ["text", "image_url", "file"]
    said = chat["messages"][3]
    assert said["content"] == "I look"
    assert [(it["id"], it["function"]["arguments"]) for it in said["tool_calls"]] == [
        ("a", '{"word":"ice"}'),
        ("b", '{"input":"ls -l"}'),
    ]
    assert [chat["messages"][place]["content"] for place in (4, 5, 6)] == ["cold", "a.txt", "so?"]
    (tool,) = chat["tools"]
    assert tool["function"]["parameters"]["required"] == ["input"]
    assert chat["response_format"]["json_schema"] == {"name": "found", "schema": WORD, "strict": True}
    rest = ("tool_choice", "reasoning_effort", "max_completion_tokens", "parallel_tool_calls", "user")
    assert [chat[name] for name in rest] == ["required", "low", 77, False, "u1"]


# ------------------------------------------------------------------ what a vendor wants back

SIGNED: Json = {
    "role": "assistant",
    "content": "I look",
    "reasoning_content": "hm",
    "tool_calls": [{"id": "a", "type": "function", "function": {"name": "lookup", "arguments": '{"word":"ice"}'}}],
}
THOUGHT = [
    {"type": "thinking", "length": 2, "signature": "S"},
    {"type": "text", "length": 6},
    {"type": "tool_use", "id": "a"},
]
GOOGLE = {**SIGNED, "tool_calls": [{**SIGNED["tool_calls"][0], "provider_fields": {"thought_signature": "G"}}]}


def chunks(message: Json) -> list[Json]:
    """The message as a vendor may stream it: thoughts with their signature first, calls in pieces."""
    blocks = (message.get("provider_fields") or {}).get("blocks") or []
    deltas: list[Json] = [{"role": "assistant", "content": ""}, {"reasoning_content": "hm"}]
    deltas += [{"provider_fields": {"blocks": blocks[:1]}}] if blocks else []
    deltas += [{"content": "I "}, {"content": "look"}]
    call = message["tool_calls"][0]
    deltas.append({"tool_calls": [{**call, "index": 0, "function": {"name": "lookup", "arguments": ""}}]})
    deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": it}}]} for it in ('{"word"', ':"ice"}')]
    made = [{"id": "x", "model": "m", "choices": [{"index": 0, "delta": it, "finish_reason": None}]} for it in deltas]
    return [*made, {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}]


def whole(message: Json) -> Json:
    return {"id": "x", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("api", ["messages", "responses"])
@pytest.mark.parametrize(
    "message", [{**SIGNED, "provider_fields": {"blocks": THOUGHT}}, GOOGLE], ids=["blocks", "calls"]
)
def test_what_a_vendor_signed_reaches_it_again_by_way_of_a_client_who_knows_nothing_of_it(
    api: str, message: Json, streamed: bool
):
    back = through_messages(message, streamed) if api == "messages" else through_responses(message, streamed)
    assert (back["content"], back["reasoning_content"]) == ("I look", "hm")
    if "provider_fields" in message:
        assert back["provider_fields"]["blocks"][0]["signature"] == "S"
    else:
        assert back["tool_calls"][0]["provider_fields"] == {"thought_signature": "G"}


def through_messages(message: Json, streamed: bool) -> Json:
    content = messages_by_chat.from_chat(whole(message), {})["content"]
    if streamed:
        pieces = messages_by_chat.pieces({"model": "m"})
        content = folded([*pieces.feed(chunks(message)), *pieces.end()])
    back: Json = messages_by_chat.to_chat({"messages": [{"role": "assistant", "content": content}]})["messages"][0]
    return back


def folded(events: list[Json]) -> list[Json]:
    """The blocks of these events, as a client puts them together."""
    blocks: list[Any] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append({**event["content_block"]})
        elif event["type"] == "content_block_delta":
            delta = {name: value for name, value in event["delta"].items() if name != "type"}
            for name, value in delta.items():
                blocks[event["index"]][name] = blocks[event["index"]].get(name, "") + value
    for block in blocks:
        block.pop("partial_json", None)
    return blocks


def through_responses(message: Json, streamed: bool) -> Json:
    output = responses_by_chat.from_chat(whole(message), {})["output"]
    if streamed:
        pieces = responses_by_chat.pieces({"model": "m"})
        output = [*pieces.feed(chunks(message)), *pieces.end()][-1]["response"]["output"]
    back: Json = responses_by_chat.to_chat({"input": output})["messages"][0]
    return back


def test_arguments_that_come_in_turns_are_put_in_order_for_clients_who_read_block_by_block():
    pieces = messages_by_chat.pieces({"model": "m"})

    def calls(*given: tuple[int, str, str]) -> Json:
        made = [
            {"index": index, "id": id_ or None, "function": {"name": "lookup" if id_ else None, "arguments": text}}
            for index, id_, text in given
        ]
        return {"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": made}, "finish_reason": None}]}

    turns = [
        calls((0, "a", ""), (1, "b", "")),
        calls((0, "", '{"w'), (1, "", '{"v')),
        calls((1, "", '":2}'), (0, "", '":1}')),
    ]
    events = [*pieces.feed(turns), *pieces.end()]
    order = [(event["type"].rpartition("_")[2], event["index"]) for event in events if "index" in event]
    assert order == [
        ("start", 0), ("delta", 0), ("delta", 0), ("stop", 0), ("start", 1), ("delta", 1), ("delta", 1), ("stop", 1),
    ]  # fmt: skip
    text = [
        "".join(it["delta"]["partial_json"] for it in events if "delta" in it and it.get("index") == n) for n in (0, 1)
    ]
    assert text == ['{"w":1}', '{"v":2}']
