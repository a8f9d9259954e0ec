"""What vendors that speak OpenAI's dialect say in their own way, put into the gateway's: answers and chunks.

Nothing that a vendor says is taken away: what it calls otherwise is added under the common name, and only what no
client of OpenAI's dialect could read (text as a list of parts, arguments that are no text, a reason to end that is
not in the list) is put into the common shape.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from strata.types import Json

REASONS = {
    "eos": "stop", "eos_token": "stop", "end_turn": "stop", "stop_sequence": "stop", "complete": "stop",
    "completed": "stop", "end": "stop", "max_tokens": "length", "model_length": "length", "max_output_tokens": "length",
    "tool_use": "tool_calls", "tool_call": "tool_calls", "sensitive": "content_filter", "safety": "content_filter",
    "content-filter": "content_filter", "guardrails": "content_filter", "model_context_window_exceeded": "length",
}  # fmt: skip
"""What vendors call the reasons that OpenAI names `stop`, `length`, `tool_calls` and `content_filter`."""

MAX_CALLS = 1024
"""Calls of tools in one answer that are told apart by their number."""


# ------------------------------------------------------------------ answers


def completion(answer: Json) -> Json:
    """A whole answer in the common shape; the same object."""
    for choice in answer.get("choices") or ():
        if not isinstance(choice, dict):
            continue
        message = choice.get("message")
        if isinstance(message, dict):
            _said(message)
            calls = message.get("tool_calls")
            if isinstance(calls, list):
                for number, call in enumerate(calls):
                    _call(call, f"{answer.get('id')}-{choice.get('index', 0)}-{number}", whole=True)
            _reason(choice, called=bool(calls))
    _usage(answer)
    return answer


@dataclass(slots=True)
class Chunks:
    """The chunks of one streamed answer, put into the common shape one after the other."""

    _calls: dict[int, list[str]] = field(default_factory=dict)
    """The ids of the calls so far, by choice."""

    _bare: dict[int, set[int]] = field(default_factory=dict)
    """The calls that have no arguments so far, by choice."""

    _open: dict[int, Json] = field(default_factory=dict)
    """The last chunk of every choice that has given no reason to end."""

    _said_all: set[int] = field(default_factory=set)
    _names: dict[str, Any] = field(default_factory=dict)

    def chunk(self, it: Json) -> Json:
        """The same object."""
        for choice in it.get("choices") or ():
            if isinstance(choice, dict):
                self._choice(it, choice)
        _usage(it)
        return it

    def end(self) -> list[Json]:
        """The reason to end for every choice that never gave one, though the vendor says that all is said."""
        found = []
        for index, last in self._open.items():
            choice: Json = {"index": index, "delta": {}, "finish_reason": "stop"}
            made = {**{name: value for name, value in last.items() if name != "usage"}, "choices": [choice]}
            self._ended(choice, choice["delta"], index)
            found.append(made)
        return found

    def _choice(self, it: Json, choice: Json) -> None:
        index = choice.get("index", 0)
        if "delta" not in choice and isinstance(choice.get("message"), dict):
            choice["delta"] = choice.pop("message")
        delta = choice.get("delta")
        if isinstance(delta, dict):
            _said(delta)
            for call in delta.get("tool_calls") or ():
                if isinstance(call, dict):
                    self._place(call, self._calls.setdefault(index, []), f"{it.get('id')}-{index}")
                    self._argue(call, index)
        if choice.get("finish_reason"):
            self._ended(choice, delta, index)
            self._open.pop(index, None)
            self._said_all.add(index)
        elif index not in self._said_all:
            self._open[index] = it
        if isinstance(choice.get("usage"), dict) and not it.get("usage"):
            it["usage"] = choice["usage"]

    def _ended(self, choice: Json, delta: Any, index: int) -> None:
        _reason(choice, called=bool(self._calls.get(index)))
        bare = self._bare.pop(index, None)
        if bare and isinstance(delta, dict):
            pieces = [{"index": place, "function": {"arguments": "{}"}} for place in sorted(bare)]
            delta["tool_calls"] = [*(delta.get("tool_calls") or ()), *pieces]

    def _argue(self, call: Json, index: int) -> None:
        bare = self._bare.setdefault(index, set())
        if (call.get("function") or {}).get("arguments"):
            bare.discard(call["index"])
        elif call.get("id"):
            bare.add(call["index"])

    def _place(self, call: Json, ids: list[str], answer: str) -> None:
        """Find out which call a piece belongs to, where the vendor does not say or says the same of all."""
        id_, given = call.get("id") or "", call.get("index")
        if not isinstance(given, int) or not 0 <= given < MAX_CALLS:
            given = None
        function = call.get("function")
        named = isinstance(function, dict) and bool(function.get("name"))
        if given is not None and given < len(ids) and not (id_ and named and id_ != ids[given]):
            place = given
        elif given is not None and given >= len(ids):
            ids += [""] * (given + 1 - len(ids))
            place = given
        elif id_ and id_ in ids:
            place = ids.index(id_)
        else:
            if id_ or named or not ids:
                ids.append("")
            place = len(ids) - 1
        if call.get("index") != place:
            call["index"] = place
        if not ids[place]:
            ids[place] = id_ or _id(f"{answer}-{place}")
            _call(call, f"{answer}-{place}", whole=False)
        else:
            _arguments(call)
            _once(call, "id", ids[place])
            if named:
                _once(call["function"], "name", self._names.get(ids[place]))
        if named and isinstance(call["function"].get("name"), str):
            self._names.setdefault(ids[place], call["function"]["name"])


def _once(holder: Json, name: str, said: Any) -> None:
    """Clients put the pieces of a call together: what is said again would stand there twice."""
    if name in holder and holder[name] in (said, "", None):
        del holder[name]


def _said(message: Json) -> None:
    """Text and thoughts of a message or a delta."""
    if "tool_calls" in message and message["tool_calls"] is None:
        del message["tool_calls"]  # no client's type for it allows null
    content = message.get("content")
    if isinstance(content, list):
        thoughts = "".join(_thoughts(part) for part in content)
        others = [part for part in content if isinstance(part, dict) and part.get("type") not in {"text", "thinking"}]
        if others:
            message.setdefault("provider_fields", {})["content"] = others
        message["content"] = "".join(_text(part) for part in content)
        if thoughts and not message.get("reasoning_content"):
            message["reasoning_content"] = thoughts
    reasoning = message.get("reasoning")
    if isinstance(reasoning, str) and reasoning and message.get("reasoning_content") is None:
        message["reasoning_content"] = reasoning


def _text(part: Any) -> str:
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else ""


def _thoughts(part: Any) -> str:
    if not isinstance(part, dict) or part.get("type") != "thinking":
        return ""
    thinking = part.get("thinking")
    return (
        "".join(map(_text, thinking)) if isinstance(thinking, list) else thinking if isinstance(thinking, str) else ""
    )


def _call(call: Any, seed: str, *, whole: bool) -> None:
    if not isinstance(call, dict):
        return
    if not call.get("id"):
        call["id"] = _id(seed)
    if not call.get("type"):
        call["type"] = "function"
    if whole or "function" in call:
        _arguments(call)
    if whole and isinstance(function := call.get("function"), dict) and not function.get("arguments"):
        function["arguments"] = "{}"


def _arguments(call: Json) -> None:
    function = call.get("function")
    if isinstance(function, dict):
        arguments = function.get("arguments")
        if isinstance(arguments, dict | list):
            function["arguments"] = orjson.dumps(arguments).decode()
        elif arguments is None:
            function["arguments"] = ""


def _id(seed: str) -> str:
    return "call_" + hashlib.blake2b(seed.encode(), digest_size=12).hexdigest()


def _reason(choice: Json, *, called: bool) -> None:
    reason = choice.get("finish_reason")
    if not reason:
        return
    common = REASONS.get(str(reason).lower(), reason)
    if common == "stop" and called:
        common = "tool_calls"
    if common != reason:
        choice["finish_reason"] = common
        choice.setdefault("native_finish_reason", reason)


def _usage(answer: Json) -> None:
    """The usage under the common names. Tokens in the total that stand nowhere else were charged as the answer's."""
    usage = answer.get("usage")
    if usage is None and isinstance(groq := answer.get("x_groq"), dict) and isinstance(groq.get("usage"), dict):
        usage = answer["usage"] = groq["usage"]
    if not isinstance(usage, dict):
        return
    total = usage.get("total_tokens")
    if not isinstance(usage.get("prompt_tokens"), int):
        if not isinstance(total, int):
            return
        usage["prompt_tokens"] = total - (usage.get("completion_tokens") or 0)
    _details(usage, "cached_tokens", usage.get("cached_tokens", usage.get("prompt_cache_hit_tokens")))
    inside = usage.get("prompt_tokens_details")
    if isinstance(inside, dict):
        _details(usage, "cache_creation_tokens", inside.get("cache_write_tokens"))
    completion = usage.get("completion_tokens")
    if isinstance(total, int) and isinstance(completion, int) and total > usage["prompt_tokens"] + completion:
        hidden = total - usage["prompt_tokens"] - completion
        outside = usage.get("completion_tokens_details")
        known = outside.get("reasoning_tokens") if isinstance(outside, dict) else None
        if not known:
            usage["completion_tokens_details"] = {**(outside or {}), "reasoning_tokens": hidden}
        if not known or known == hidden:
            usage["completion_tokens"] = completion + hidden


def _details(usage: Json, name: str, value: Any) -> None:
    if isinstance(value, int) and value:
        inside = usage.get("prompt_tokens_details")
        if not isinstance(inside, dict):
            inside = usage["prompt_tokens_details"] = {}
        if inside.get(name) is None:
            inside[name] = value
