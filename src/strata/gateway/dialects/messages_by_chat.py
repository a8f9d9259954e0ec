"""Answers Anthropic's Messages by way of chat: what any vendor says, as Messages say it, whole and streamed.

Every block ends before the next one begins, as Anthropic's clients expect (`in_turn`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from strata.gateway.dialects.chat import parse_usage
from strata.gateway.dialects.messages import usage_json
from strata.gateway.dialects.messages_to_chat import request as to_chat
from strata.gateway.translations.answer import restored
from strata.gateway.translations.in_turn import InTurn, text_of
from strata.gateway.translations.kept import Kept
from strata.types import Json

__all__ = ["from_chat", "pieces", "to_chat"]

REASONS = {
    "stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "function_call": "tool_use",
    "content_filter": "refusal",
}  # fmt: skip
NATIVE = frozenset({
    "text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "web_search_tool_result",
    "web_fetch_tool_result", "code_execution_tool_result", "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result", "mcp_tool_use", "mcp_tool_result", "container_upload",
})  # fmt: skip
"""Blocks that Messages hold themselves."""


def from_chat(answer: Json, body: Json) -> Json:
    """A chat.completion as a Message."""
    choice = answer["choices"][0]
    message = choice.get("message") or {}
    kept = Kept()
    kept.hear(message)
    calls = [_call(call) for call in message.get("tool_calls") or ()]
    blocks = restored(message, calls)
    blocks = _blocks(message, calls) if blocks is None else [it for it in blocks if it.get("type") in NATIVE]
    if sealed := kept.sealed(NATIVE):
        blocks.append({"type": "redacted_thinking", "data": sealed})
    end = Ending(choice.get("finish_reason"), kept.fields, called=bool(calls), refused=bool(message.get("refusal")))
    used = parse_usage(answer.get("usage") or {})
    return {
        "id": _id(answer), "type": "message", "role": "assistant", "model": answer.get("model") or body.get("model"),
        "content": blocks, "stop_reason": end.reason, "stop_sequence": end.sequence, "usage": usage_json(used),
    }  # fmt: skip


def pieces(body: Json) -> Pieces:
    return Pieces(str(body.get("model")))


@dataclass(frozen=True, slots=True)
class Ending:
    """Why an answer ended. A call of a tool is a reason of its own, whatever the vendor says: an agent that is told
    `end_turn` stops.
    """

    said: Any
    fields: Json
    called: bool
    refused: bool

    @property
    def reason(self) -> str:
        if isinstance(own := self.fields.get("stop_reason"), str):
            return own
        if self.called and self.said in {"stop", "tool_calls", "function_call", None}:
            return "tool_use"
        if self.refused:
            return "refusal"
        return "end_turn" if self.said == "tool_calls" else REASONS.get(str(self.said), "end_turn")

    @property
    def sequence(self) -> Any:
        return self.fields.get("stop_sequence")


def _id(answer: Json) -> str:
    id_ = str(answer.get("id") or "")
    return id_ if id_.startswith("msg_") else f"msg_{id_}"


def _call(call: Json) -> Json:
    function = call.get("function") or {}
    return {
        "type": "tool_use",
        "id": call.get("id") or "",
        "name": function.get("name") or "",
        "input": _object(function.get("arguments")),
    }


def _object(arguments: Any) -> Json:
    """Arguments as an object. What a model wrote wrongly is kept as it is, under a name that says so."""
    if isinstance(arguments, dict):
        return arguments
    try:
        value = orjson.loads(arguments or "{}")
    except (ValueError, TypeError):
        return {"INVALID_JSON": str(arguments)}
    return value if isinstance(value, dict) else {"INVALID_JSON": str(arguments)}


def _blocks(message: Json, calls: list[Json]) -> list[Json]:
    blocks: list[Json] = []
    if thought := text_of(message.get("reasoning_content")):
        blocks.append({"type": "thinking", "thinking": thought, "signature": ""})
    if text := text_of(message.get("content")) or text_of(message.get("refusal")):
        blocks.append({"type": "text", "text": text})
    return [*blocks, *calls]


# ------------------------------------------------------------------ streams

DELTAS = {
    "text": ("text_delta", "text"), "refusal": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking"),
    "tool": ("input_json_delta", "partial_json"),
}  # fmt: skip


@dataclass(slots=True)
class Pieces:
    """The events of one answer. Only the first choice is told: Messages have no others."""

    model: str
    out: list[Json] = field(default_factory=list)
    index: int = -1
    turn: InTurn = field(init=False)

    def __post_init__(self) -> None:
        self.turn = InTurn(self)

    def feed(self, chunks: list[Json]) -> list[Json]:
        for chunk in chunks:
            if self.index < 0:
                self._begin(chunk)
            self.turn.feed(chunk)
        out, self.out = self.out, []
        return out

    def end(self) -> list[Json]:
        if self.index < 0:
            return []
        turn = self.turn
        turn.end()
        if sealed := turn.kept.sealed(NATIVE):
            self._whole({"type": "redacted_thinking", "data": sealed})
        end = Ending(turn.reason, turn.kept.fields, turn.called, turn.refused)
        delta = {"stop_reason": end.reason, "stop_sequence": end.sequence}
        used = usage_json(parse_usage(turn.used)) if turn.used else {}
        self.out += [{"type": "message_delta", "delta": delta, "usage": used}, {"type": "message_stop"}]
        return self.out

    def _begin(self, chunk: Json) -> None:
        message: Json = {
            "id": _id(chunk), "type": "message", "role": "assistant", "model": chunk.get("model") or self.model,
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": usage_json(parse_usage(chunk.get("usage") or {})),
        }  # fmt: skip
        self.index = 0
        self.out.append({"type": "message_start", "message": message})

    # -------------------------------------------------------------- blocks

    def opened(self, kind: str, call: Json) -> None:
        block: Json = {"type": "text", "text": ""}
        if kind == "tool":
            block = {"type": "tool_use", **call, "input": {}}
        elif kind == "thinking":
            block = {"type": "thinking", "thinking": "", "signature": ""}
        self._start(block)

    def said(self, kind: str, text: str) -> None:
        delta, name = DELTAS[kind]
        self._say({"type": delta, name: text})

    def closed(self, kind: str) -> None:  # noqa: ARG002 - a promise's arguments
        self.out.append({"type": "content_block_stop", "index": self.index})
        self.index += 1

    def told(self, block: Json) -> None:
        kind, open_ = block.get("type"), self.turn.open
        if kind == "thinking" and block.get("signature"):
            if open_ != "thinking" and not block.get("length"):
                self.turn.close()
                self._start({"type": "thinking", "thinking": "", "signature": ""})
                self._say({"type": "signature_delta", "signature": block["signature"]})
                self.closed("thinking")
            elif open_ == "thinking":
                self._say({"type": "signature_delta", "signature": block["signature"]})
                self.turn.close()
        elif kind == "text" and open_ == "text":
            for citation in block.get("citations") or ():
                self._say({"type": "citations_delta", "citation": citation})
            self.turn.close()
        elif kind in NATIVE and kind not in {"text", "thinking", "tool_use"}:
            self.turn.close()
            self._whole(block)

    def _whole(self, block: Json) -> None:
        self._start(block)
        self.closed("")

    def _start(self, block: Json) -> None:
        self.out.append({"type": "content_block_start", "index": self.index, "content_block": block})

    def _say(self, delta: Json) -> None:
        self.out.append({"type": "content_block_delta", "index": self.index, "delta": delta})
