"""Answers Anthropic's Messages by way of chat: what any vendor says, as Messages say it, whole and streamed.

Every block begins and ends before the next one, as Anthropic's clients expect, also where a vendor sends the arguments
of several tool calls in turns: those of later calls wait until the earlier one is whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from strata.gateway.dialects.answer import restored
from strata.gateway.dialects.chat import parse_usage
from strata.gateway.dialects.kept import Kept
from strata.gateway.dialects.messages import usage_json
from strata.gateway.dialects.messages_to_chat import request as to_chat
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
    if thought := _text(message.get("reasoning_content")):
        blocks.append({"type": "thinking", "thinking": thought, "signature": ""})
    if text := _text(message.get("content")) or _text(message.get("refusal")):
        blocks.append({"type": "text", "text": text})
    return [*blocks, *calls]


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


# ------------------------------------------------------------------ streams

Step = tuple[Any, Json, Json]
"""Which block it belongs to, what that block begins as, and the delta."""


@dataclass(slots=True)
class Pieces:
    """The events of one answer. Only the first choice is told: Messages have no others."""

    model: str
    out: list[Json] = field(default_factory=list)
    begun: bool = False
    index: int = -1
    open: Any = None
    arguments: str = ""
    waiting: list[Step] = field(default_factory=list)
    done: set[Any] = field(default_factory=set)
    kept: Kept = field(default_factory=Kept)
    used: Json = field(default_factory=dict)
    called: bool = False
    refused: bool = False
    reason: str | None = None

    def feed(self, chunks: list[Json]) -> list[Json]:
        for chunk in chunks:
            if not self.begun:
                self._begin(chunk)
            self.used = chunk.get("usage") or self.used
            for choice in chunk.get("choices") or ():
                if not choice.get("index"):
                    self._delta(choice.get("delta") or {})
                    self.reason = choice.get("finish_reason") or self.reason
        out, self.out = self.out, []
        return out

    def end(self) -> list[Json]:
        if not self.begun:
            return []
        order = list(dict.fromkeys(step[0] for step in self.waiting))
        for step in sorted(self.waiting, key=lambda step: order.index(step[0])):
            self._go(step)
        if sealed := self.kept.sealed(NATIVE):
            self._whole({"type": "redacted_thinking", "data": sealed})
        self._close()
        end = Ending(self.reason, self.kept.fields, self.called, self.refused)
        delta = {"stop_reason": end.reason, "stop_sequence": end.sequence}
        used = usage_json(parse_usage(self.used)) if self.used else {}
        self.out += [{"type": "message_delta", "delta": delta, "usage": used}, {"type": "message_stop"}]
        return self.out

    def _begin(self, chunk: Json) -> None:
        self.begun = True
        message: Json = {
            "id": _id(chunk), "type": "message", "role": "assistant", "model": chunk.get("model") or self.model,
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": usage_json(parse_usage(chunk.get("usage") or {})),
        }  # fmt: skip
        self.out.append({"type": "message_start", "message": message})

    def _delta(self, delta: Json) -> None:
        if thought := delta.get("reasoning_content"):
            thinking: Json = {"type": "thinking", "thinking": "", "signature": ""}
            self._step(("thinking",), thinking, {"type": "thinking_delta", "thinking": thought})
        if text := _text(delta.get("content")):
            self._step(("text",), {"type": "text", "text": ""}, {"type": "text_delta", "text": text})
        if refusal := delta.get("refusal"):
            self.refused = True
            self._step(("text",), {"type": "text", "text": ""}, {"type": "text_delta", "text": refusal})
        for call in delta.get("tool_calls") or ():
            self.called = True
            function = call.get("function") or {}
            start: Json = {
                "type": "tool_use",
                "id": call.get("id") or "",
                "name": function.get("name") or "",
                "input": {},
            }
            more = {"type": "input_json_delta", "partial_json": function.get("arguments") or ""}
            self._step(("tool", call.get("index", 0)), start, more)
        if "provider_fields" in delta or "tool_calls" in delta:
            self.kept.hear(delta)
            for block in (delta.get("provider_fields") or {}).get("blocks") or ():
                self._block(block)

    def _step(self, key: Any, start: Json, delta: Json) -> None:
        step = (key, start, delta)
        if key != self.open and self._incomplete():
            self.waiting.append(step)
            return
        self._go(step)
        if self.waiting and not self._incomplete():
            waiting, self.waiting = self.waiting, []
            for it in waiting:
                self._step(*it)

    def _go(self, step: Step) -> None:
        key, start, delta = step
        if key != self.open:
            if key in self.done:
                return
            self._open(key, start)
        if key[0] == "tool":
            self.arguments += delta["partial_json"]
            if not delta["partial_json"]:
                return
        self.out.append({"type": "content_block_delta", "index": self.index, "delta": delta})

    def _incomplete(self) -> bool:
        """Whether the open block is a call whose arguments are still to come."""
        if self.open is None or self.open[0] != "tool":
            return False
        try:
            orjson.loads(self.arguments)
        except ValueError:
            return True
        return False

    def _block(self, block: Json) -> None:
        """A vendor's block is complete: what the text itself does not say of it."""
        kind = block.get("type")
        if kind == "thinking" and self.open == ("thinking",):
            if block.get("signature"):
                self._say({"type": "signature_delta", "signature": block["signature"]})
            self._close()
        elif kind == "text" and self.open == ("text",):
            for citation in block.get("citations") or ():
                self._say({"type": "citations_delta", "citation": citation})
            self._close()
        elif kind in NATIVE and kind not in {"text", "thinking", "tool_use"}:
            self._whole(block)
        elif kind == "thinking" and block.get("signature") and not block.get("length"):
            self._open(None, {"type": "thinking", "thinking": "", "signature": ""})
            self._say({"type": "signature_delta", "signature": block["signature"]})
            self._close()

    def _say(self, delta: Json) -> None:
        self.out.append({"type": "content_block_delta", "index": self.index, "delta": delta})

    def _whole(self, block: Json) -> None:
        self._open(("whole",), block)
        self._close()

    def _open(self, key: Any, start: Json) -> None:
        self._close()
        self.index += 1
        self.open, self.arguments = key or ("whole",), ""
        self.out.append({"type": "content_block_start", "index": self.index, "content_block": start})

    def _close(self) -> None:
        if self.open is not None:
            self.out.append({"type": "content_block_stop", "index": self.index})
            if self.open[0] == "tool":
                self.done.add(self.open)
            self.open = None
