"""Answers OpenAI's Responses by way of chat: what any vendor says, as Responses say it, whole and streamed.

What the vendor wants to see again when the conversation goes on travels as `encrypted_content` of a reasoning item.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from strata.gateway.dialects.chat import parse_usage
from strata.gateway.dialects.responses import usage_json
from strata.gateway.dialects.responses_to_chat import request as to_chat
from strata.gateway.ids import fresh_id
from strata.gateway.translations.in_turn import InTurn
from strata.gateway.translations.kept import Kept
from strata.types import Json

__all__ = ["from_chat", "pieces", "to_chat"]

SAID_AGAIN: Json = {
    "instructions": None, "max_output_tokens": None, "max_tool_calls": None, "metadata": {}, "parallel_tool_calls": True,
    "previous_response_id": None, "reasoning": {"effort": None, "summary": None},
    "service_tier": "default", "temperature": 1.0, "text": {"format": {"type": "text"}},
    "tool_choice": "auto", "tools": [], "top_logprobs": 0, "top_p": 1.0, "truncation": "disabled",
}  # fmt: skip
"""What a response says of its request, and what that means where the request did not say it."""

SAID_IF_SAID = ("prompt_cache_key", "safety_identifier", "user")

CUT = {"length": "max_output_tokens", "content_filter": "content_filter"}


def from_chat(answer: Json, body: Json) -> Json:
    """A chat.completion as a response."""
    it = Pieces(body)
    choices = [{**choice, "delta": choice.get("message") or {}} for choice in answer["choices"]]
    it.feed([{**answer, "choices": choices}])
    it.end()
    return it.response


def pieces(body: Json) -> Pieces:
    return Pieces(body)


@dataclass(slots=True)
class Pieces:
    """The events of one answer; `response` grows with them. Only the first choice is told: Responses have no others."""

    body: Json
    response: Json = field(default_factory=dict)
    out: list[Json] = field(default_factory=list)
    number: int = 0
    item: Json = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    logprobs: list[Json] = field(default_factory=list)
    sealed: int = 0
    turn: InTurn = field(init=False)

    def __post_init__(self) -> None:
        self.turn = InTurn(self)

    def feed(self, chunks: list[Json]) -> list[Json]:
        for chunk in chunks:
            if not self.response:
                self._begin(chunk)
            for choice in chunk.get("choices") or ():
                found = (choice.get("logprobs") or {}).get("content")
                self.logprobs += found or ()
            self.turn.feed(chunk)
        out, self.out = self.out, []
        return out

    def end(self) -> list[Json]:
        if not self.response:
            return []
        turn, response = self.turn, self.response
        turn.end()
        if self._unsaid and (sealed := turn.kept.sealed()):
            self._add({"id": fresh_id("rs"), "type": "reasoning", "summary": [], "encrypted_content": sealed})
            self._done()
        cut = CUT.get(str(turn.reason))
        response["status"] = "incomplete" if cut else "completed"
        response["incomplete_details"] = {"reason": cut} if cut else None
        if not cut:
            response["completed_at"] = int(time.time())
        if turn.used:
            response["usage"] = usage_json(parse_usage(turn.used))
        self._say(f"response.{response['status']}", response=response)
        return self.out

    def _begin(self, chunk: Json) -> None:
        said = {name: self.body.get(name) for name in SAID_AGAIN}
        self.response = {name: self.body[name] for name in SAID_IF_SAID if self.body.get(name) is not None}
        self.response |= {
            "id": fresh_id("resp"), "object": "response", "created_at": int(time.time()), "status": "in_progress",
            "background": False, "completed_at": None, "error": None, "incomplete_details": None,
            **{name: SAID_AGAIN[name] if value is None else value for name, value in said.items()},
            "store": False, "model": chunk.get("model") or self.body.get("model"), "output": [],
        }  # fmt: skip
        for kind in ("response.created", "response.in_progress"):
            self._say(kind, response={**self.response, "output": []})

    # -------------------------------------------------------------- blocks

    def opened(self, kind: str, call: Json) -> None:
        self.texts.clear()
        if kind == "thinking":
            self._add({"id": fresh_id("rs"), "type": "reasoning", "summary": []})
            self._part("response.reasoning_summary_part.added", {"type": "summary_text", "text": ""})
        elif kind == "tool":
            self._add(self._call(call))
        else:
            item = {
                "id": fresh_id("msg"),
                "type": "message",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            }
            self._add(item)

    def said(self, kind: str, text: str) -> None:
        if kind in {"text", "refusal"} and not self.texts:
            self._part("response.content_part.added", _content(kind, ""))
        self.texts.append(text)
        if kind == "thinking":
            self._say("response.reasoning_summary_text.delta", **self._place(kind), delta=text)
        elif kind == "text":
            probable, self.logprobs = self.logprobs, []
            self._say("response.output_text.delta", **self._place(kind), delta=text, logprobs=probable)
            self.item.setdefault("probable", []).extend(probable)
        elif kind == "refusal":
            self._say("response.refusal.delta", **self._place(kind), delta=text)
        elif self.item["type"] == "function_call":
            self._say("response.function_call_arguments.delta", **self._place(kind), delta=text)

    def closed(self, kind: str) -> None:
        text, place = "".join(self.texts), self._place(kind)
        if kind == "thinking":
            part = {"type": "summary_text", "text": text}
            self._say("response.reasoning_summary_text.done", **place, text=text)
            self._part("response.reasoning_summary_part.done", part)
            self.item["summary"] = [part]
            if sealed := self.turn.kept.sealed():
                self.item["encrypted_content"], self.sealed = sealed, len(_marked(self.turn.kept))
        elif kind == "tool":
            self._called(text, place)
        elif self.texts:
            part = _content(kind, text)
            if kind == "text":
                part["logprobs"] = probable = self.item.pop("probable", [])
                self._say("response.output_text.done", **place, text=text, logprobs=probable)
            else:
                self._say("response.refusal.done", **place, refusal=text)
            self._part("response.content_part.done", part)
            self.item["content"] = [part]
        self._done()

    def told(self, block: Json) -> None:
        """A thought that is signed is whole; everything else is kept, and goes on the way at the end."""
        if block.get("type") == "thinking" and self.turn.open == "thinking":
            self.turn.close()

    @property
    def _unsaid(self) -> bool:
        """Whether something is to be kept that no item of thoughts holds yet."""
        kept = self.turn.kept
        return (
            bool(kept.calls or kept.fields.keys() & {"thought_signature", "parts"}) or len(_marked(kept)) > self.sealed
        )

    def _call(self, call: Json) -> Json:
        name = call["name"]
        free = any(it.get("type") == "custom" and it.get("name") == name for it in self.body.get("tools") or ())
        own = {"call_id": call["id"], "name": name, "status": "in_progress"}
        if free:
            return {"id": fresh_id("ctc"), "type": "custom_tool_call", "input": "", **own}
        return {"id": fresh_id("fc"), "type": "function_call", "arguments": "", **own}

    def _called(self, text: str, place: Json) -> None:
        if self.item["type"] == "function_call":
            self.item["arguments"] = text
            self._say("response.function_call_arguments.done", **place, name=self.item["name"], arguments=text)
            return
        self.item["input"] = free = _input(text)
        self._say("response.custom_tool_call_input.delta", **place, delta=free)
        self._say("response.custom_tool_call_input.done", **place, input=free)

    # -------------------------------------------------------------- events

    def _add(self, item: Json) -> None:
        self.item = item
        shown = {name: [] if isinstance(value, list) else value for name, value in item.items()}
        self._say("response.output_item.added", output_index=len(self.response["output"]), item=shown)

    def _done(self) -> None:
        if "status" in self.item:
            self.item["status"] = "completed"
        output = self.response["output"]
        self._say("response.output_item.done", output_index=len(output), item=_copy(self.item))
        output.append(self.item)
        self.item = {}

    def _part(self, kind: str, part: Json) -> None:
        self._say(kind, **self._place("thinking" if "summary" in kind else "text"), part={**part})

    def _place(self, kind: str) -> Json:
        place: Json = {"item_id": self.item["id"], "output_index": len(self.response["output"])}
        if kind == "thinking":
            place["summary_index"] = 0
        elif kind != "tool":
            place["content_index"] = 0
        return place

    def _say(self, kind: str, **fields: Any) -> None:
        self.out.append({"type": kind, "sequence_number": self.number, **fields})
        self.number += 1


def _marked(kept: Kept) -> list[Json]:
    """The blocks that hold more than the answer says."""
    blocks = [it for it in kept.fields.get("blocks") or () if isinstance(it, dict)]
    return [it for it in blocks if it.get("type") not in {"text", "tool_use"} or it.get("citations")]


def _content(kind: str, text: str) -> Json:
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _copy(item: Json) -> Json:
    """A copy down to the parts: what a guardrail changes in one event must not change another."""
    return {name: _parts(value) if isinstance(value, list) else value for name, value in item.items()}


def _parts(parts: Iterable[Any]) -> list[Any]:
    return [{**part} if isinstance(part, dict) else part for part in parts]


def _input(arguments: str) -> str:
    """The text for a tool that takes any, out of the object that stood for it."""
    try:
        value = orjson.loads(arguments)
    except ValueError:
        return arguments
    found = value.get("input") if isinstance(value, dict) else None
    return found if isinstance(found, str) else arguments
