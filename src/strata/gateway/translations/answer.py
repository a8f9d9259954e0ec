"""Writes an answer in the gateway's own dialect, piece by piece: the same text, tool calls and usage, whole or streamed.

A vendor's blocks become `content`, `reasoning_content` and `tool_calls`. What these cannot hold (a signature under some
reasoning, a search the vendor did itself, citations) is kept in `provider_fields`, so that the conversation can go on:

    provider_fields = {"blocks": [...], "stop_reason": "pause_turn", ...}

`blocks` are the vendor's, in their order; one that is text, reasoning or a tool call does not repeat what the message
says, so that a message whose text was replaced never betrays the old one: `{"type": "text", "length": 12}`,
`{"type": "thinking", "length": 80, "signature": "…"}`, `{"type": "tool_use", "id": "…"}`. `restored` is the way back.
In a stream every block comes once, in a delta, when it is complete: whoever puts a message together appends the lists.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from strata.types import Json


@dataclass(slots=True)
class Answer:
    """One answer with one choice. Everything written is in `taken`'s chunks and in `completion` alike."""

    id: str = ""
    model: str = ""
    created: int = field(default_factory=lambda: int(time.time()))
    usage: Json = field(default_factory=dict)
    reason: str = ""
    _texts: list[str] = field(default_factory=list)
    _thoughts: list[str] = field(default_factory=list)
    _calls: list[Json] = field(default_factory=list)
    _fields: Json = field(default_factory=dict)
    _plain: list[Json] = field(default_factory=list)
    _kept: list[Json] = field(default_factory=list)
    _out: list[Json] = field(default_factory=list)
    _told: Json = field(default_factory=dict)

    def begin(self) -> None:
        self._delta({"role": "assistant", "content": ""})

    def text(self, piece: str) -> None:
        if piece:
            self._texts.append(piece)
            self._delta({"content": piece})

    def reasoning(self, piece: str) -> None:
        if piece:
            self._thoughts.append(piece)
            self._delta({"reasoning_content": piece})

    def call(self, id: str, name: str) -> int:
        """Begin a tool call; returns its index."""
        index = len(self._calls)
        function = {"name": name, "arguments": ""}
        self._calls.append({"id": id, "type": "function", "function": function})
        self._delta({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {**function}}]})
        return index

    def arguments(self, index: int, piece: str) -> None:
        if piece:
            self._calls[index]["function"]["arguments"] += piece
            self._delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def end(self, block: Json, *, plain: bool) -> None:
        """A block is complete. The plain ones are told of only once there is one that is not."""
        if not self._kept and plain:
            self._plain.append(block)
            return
        blocks = [*self._plain, block]
        self._plain.clear()
        self._kept += blocks
        self._delta({"provider_fields": {"blocks": blocks}})

    def tell(self, **fields: Any) -> None:
        """What else the vendor says about the answer; None is nothing."""
        said = {name: value for name, value in fields.items() if value is not None}
        if said:
            self._fields |= said
            self._delta({"provider_fields": said})

    def finish(self, reason: str) -> None:
        """Why the answer ends. One that ends in calls ends because of them, whatever the vendor calls it."""
        self.reason = "tool_calls" if self._calls and reason in {"stop", "tool_calls"} else reason
        if self.reason == "tool_calls" and not self._calls:
            self.reason = "stop"
        self._chunk([{"index": 0, "delta": {}, "finish_reason": self.reason}])

    def counted(self) -> None:
        """The last chunk: the usage, without a choice."""
        self._chunk([])

    def taken(self) -> list[Json]:
        """The chunks written since the last time."""
        out, self._out = self._out, []
        return out

    def completion(self) -> Json:
        """The whole answer."""
        content = "".join(self._texts) if self._texts or not self._calls else None
        message: Json = {"role": "assistant", "content": content, "refusal": None}
        if self._thoughts:
            message["reasoning_content"] = "".join(self._thoughts)
        if self._calls:
            message["tool_calls"] = self._calls
        fields = {**({"blocks": self._kept} if self._kept else {}), **self._fields}
        if fields:
            message["provider_fields"] = fields
        choice = {"index": 0, "message": message, "finish_reason": self.reason or "stop", "logprobs": None}
        whole = {"id": self.id, "object": "chat.completion", "created": self.created, "model": self.model}
        return {**whole, "choices": [choice], **({"usage": self.usage} if self.usage else {})}

    def _delta(self, delta: Json) -> None:
        self._chunk([{"index": 0, "delta": delta, "finish_reason": None}])

    def _chunk(self, choices: list[Json]) -> None:
        chunk = {"id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model}
        chunk["choices"] = choices
        if self.usage and (not choices or self.usage is not self._told):
            chunk["usage"] = self._told = self.usage
        self._out.append(chunk)


def usage(prompt: int, completion: int, *, cached: int = 0, created: int = 0, reasoning: int = 0) -> Json:
    """Usage in the gateway's own dialect. `prompt` are the tokens that neither came from a cache nor went into one."""
    whole = prompt + cached + created
    return {
        "prompt_tokens": whole, "completion_tokens": completion, "total_tokens": whole + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_creation_tokens": created},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }  # fmt: skip


def restored(message: Json, calls: list[Json]) -> list[Json] | None:
    """The vendor's blocks of an assistant's message, as they were; None where it has none, or was changed since.

    `calls` are the message's tool calls as blocks, with their `id`.
    """
    fields = message.get("provider_fields")
    blocks = fields.get("blocks") if isinstance(fields, dict) else None
    if not isinstance(blocks, list) or not all(isinstance(it, dict) for it in blocks):
        return None
    text, thought = _joined(message.get("content")), message.get("reasoning_content") or ""
    waiting = {call["id"]: call for call in calls}
    found = list(_filled(blocks, {"text": text, "thinking": thought}, waiting))
    lengths = {kind: sum(_length(it) for it in blocks if it.get("type") == kind) for kind in ("text", "thinking")}
    if waiting or lengths["text"] != len(text) or lengths["thinking"] != len(thought):
        return None
    return found


def opaque(message: Json) -> list[Json]:
    """The signed reasoning of a message whose other blocks were changed: those that may stand before anything else."""
    fields = message.get("provider_fields")
    blocks = fields.get("blocks") if isinstance(fields, dict) else None
    if not isinstance(blocks, list):
        return []
    blocks = [it for it in blocks if isinstance(it, dict)]
    thought = message.get("reasoning_content") or ""
    if sum(_length(it) for it in blocks if it.get("type") == "thinking") != len(thought):
        return [it for it in blocks if it.get("type") == "redacted_thinking"]
    kept = [it for it in blocks if it.get("type") in {"thinking", "redacted_thinking"}]
    return list(_filled(kept, {"thinking": thought}, {}))


def _filled(blocks: list[Json], words: dict[str, str], calls: dict[str, Json]) -> Iterator[Json]:
    at = dict.fromkeys(words, 0)
    for block in blocks:
        kind = str(block.get("type"))
        if kind in words and "length" in block:
            start, at[kind] = at[kind], at[kind] + _length(block)
            rest = {name: value for name, value in block.items() if name != "length"}
            yield {**rest, kind: words[kind][start : at[kind]]}
        elif kind in words:
            continue  # words that the message itself does not say have passed no guardrail
        elif kind == "tool_use":
            if (call := calls.pop(str(block.get("id")), None)) is not None:
                yield {**block, **call}
        else:
            yield block


def _length(block: Json) -> int:
    length = block.get("length")
    return length if isinstance(length, int) else 0


def _joined(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(it.get("text") or "") for it in content if isinstance(it, dict))
    return content if isinstance(content, str) else ""


def dumps(value: Any) -> str:
    """JSON as text."""
    return orjson.dumps(value).decode()
