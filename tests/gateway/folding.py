"""Puts streamed chunks of a chat together, as a client would: an oracle that knows nothing of any provider."""

from __future__ import annotations

from typing import Any

from strata.types import Json


async def pieces(stream: Any) -> list[Json]:
    return [chunk async for chunks in stream for chunk in chunks]


def folded(chunks: list[Json]) -> Json:
    """The chat.completion that these chunks are the stream of."""
    message: Json = {"role": "", "content": None, "refusal": None}
    calls: dict[int, Json] = {}
    fields: Json = {}
    reason = usage = None
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            assert choice["index"] == 0
            delta = choice["delta"]
            assert not (reason and any(delta.get(name) for name in ("content", "tool_calls", "reasoning_content")))
            reason = choice["finish_reason"] or reason
            message["role"] = delta.get("role", message["role"])
            for name in ("content", "reasoning_content"):
                if delta.get(name):
                    message[name] = (message.get(name) or "") + delta[name]
            for piece in delta.get("tool_calls", ()):
                fold_call(calls, piece)
            fold_fields(fields, delta.get("provider_fields", {}))
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
        assert sorted(calls) == list(range(len(calls)))
    elif message["content"] is None:
        message["content"] = ""
    if fields:
        message["provider_fields"] = fields
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    return {"id": chunks[0]["id"], "model": chunks[0]["model"], "choices": [choice], "usage": usage}


def fold_call(calls: dict[int, Json], piece: Json) -> None:
    if piece["index"] not in calls:
        calls[piece["index"]] = {"id": piece["id"], "type": "function", "function": {"name": "", "arguments": ""}}
    function = calls[piece["index"]]["function"]
    for name in ("name", "arguments"):
        function[name] += piece["function"].get(name, "")


def fold_fields(fields: Json, more: Json) -> None:
    for name, value in more.items():
        fields[name] = [*fields[name], *value] if isinstance(value, list) and name in fields else value
