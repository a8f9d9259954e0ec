"""Cohere's answers, whole or streamed, as chat completions. https://docs.cohere.com/docs/streaming

Its plan before calls of tools, and its thoughts, are `reasoning_content`; citations are in `provider_fields`. Tokens are
those that Cohere bills; those that its models read besides (templates of its own) stand under `usage.tokens`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from strata.types import Json

REASONS = {
    "COMPLETE": "stop", "STOP_SEQUENCE": "stop", "USER_CANCEL": "stop", "MAX_TOKENS": "length", "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls", "ERROR_TOXIC": "content_filter",
}  # fmt: skip
BROKEN = {"ERROR", "TIMEOUT"}
"""Reasons to end that mean that Cohere failed."""


def finish(reason: Any, *, called: bool) -> str:
    common = REASONS.get(str(reason), "stop")
    return "tool_calls" if common == "stop" and called else common


def completion(answer: Json, model: str) -> Json:
    told = answer.get("message") or {}
    content = told.get("content") or []
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    text = "".join(str(part.get("text") or "") for part in parts if part.get("type") == "text")
    thoughts = "".join(str(part.get("thinking") or "") for part in parts if part.get("type") == "thinking")
    thoughts += told.get("tool_plan") or ""
    calls = [_call(call) for call in told.get("tool_calls") or ()]
    message: Json = {"role": "assistant", "content": text if text or not calls else None, "refusal": None}
    if thoughts:
        message["reasoning_content"] = thoughts
    if calls:
        message["tool_calls"] = calls
    if told.get("citations"):
        message["provider_fields"] = {"citations": told["citations"]}
    reason = finish(answer.get("finish_reason"), called=bool(calls))
    choice = {"index": 0, "message": message, "logprobs": _logprobs(answer.get("logprobs")), "finish_reason": reason}
    return {
        "id": answer.get("id") or "", "object": "chat.completion", "created": int(time.time()), "model": model,
        "choices": [choice], "usage": usage(answer.get("usage")),
    }  # fmt: skip


def _call(call: Json) -> Json:
    function = call.get("function") or {}
    return {
        "id": call.get("id") or "", "type": "function",
        "function": {"name": function.get("name") or "", "arguments": function.get("arguments") or "{}"},
    }  # fmt: skip


def usage(told: Any) -> Json:
    """What Cohere bills, by OpenAI's names."""
    told = told if isinstance(told, dict) else {}
    counted = told.get("billed_units") or told.get("tokens") or {}
    prompt, completion_ = _count(counted.get("input_tokens")), _count(counted.get("output_tokens"))
    return {
        "prompt_tokens": prompt, "completion_tokens": completion_, "total_tokens": prompt + completion_,
        "prompt_tokens_details": {"cached_tokens": min(_count(told.get("cached_tokens")), prompt)},
        **{name: told[name] for name in ("tokens", "billed_units") if name in told},
    }  # fmt: skip


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and value > 0 else 0


def _logprobs(told: Any) -> Json | None:
    """Cohere gives a probability for each chunk of tokens; with single tokens it is OpenAI's."""
    rows = told if isinstance(told, list) else [told] if isinstance(told, dict) else []
    content = []
    for row in rows:
        text, numbers = str(row.get("text") or ""), row.get("logprobs") or []
        content += [
            {"token": text if len(numbers) == 1 else "", "logprob": number, "bytes": None, "top_logprobs": []}
            for number in numbers
        ]
    return {"content": content, "refusal": None} if content else None


# ------------------------------------------------------------------ streamed


@dataclass(slots=True)
class Chunks:
    """The chunks of one streamed answer. `finished` once it has its end; `failure` where the end is one."""

    model: str
    id: str = ""
    created: int = field(default_factory=lambda: int(time.time()))
    finished: bool = False
    failure: str = ""
    _calls: dict[int, int] = field(default_factory=dict)

    def chunk(self, event: Json) -> Json | None:
        """What the event says, if it says anything."""
        kind, delta = event.get("type"), event.get("delta") or {}
        if kind == "message-end":
            return self._end(delta)
        if kind == "message-start":
            self.id = event.get("id") or ""
            return self._made({"role": "assistant", "content": ""})
        message = delta.get("message") or {}
        said = self._said(kind, event, message)
        if not said:
            return None
        made = self._made(said)
        if logprobs := _logprobs(event.get("logprobs")):
            made["choices"][0]["logprobs"] = logprobs
        return made

    def _said(self, kind: Any, event: Json, message: Json) -> Json:
        if kind in {"content-start", "content-delta"}:
            content = message.get("content") or {}
            return {
                name: content[theirs]
                for name, theirs in (("content", "text"), ("reasoning_content", "thinking"))
                if isinstance(content, dict) and content.get(theirs)
            }
        if kind == "tool-plan-delta":
            return {"reasoning_content": message.get("tool_plan") or ""}
        if kind in {"tool-call-start", "tool-call-delta"}:
            return self._piece(kind, event.get("index", 0), message.get("tool_calls") or {})
        if kind == "citation-start" and message.get("citations"):
            given = message["citations"]
            return {"provider_fields": {"citations": given if isinstance(given, list) else [given]}}
        return {}

    def _piece(self, kind: Any, index: int, call: Json) -> Json:
        function = call.get("function") or {}
        if kind == "tool-call-delta":
            place = self._calls.get(index, 0)
            return {"tool_calls": [{"index": place, "function": {"arguments": function.get("arguments") or ""}}]}
        place = self._calls.setdefault(index, len(self._calls))
        named = {"name": function.get("name") or "", "arguments": function.get("arguments") or ""}
        return {"tool_calls": [{"index": place, "id": call.get("id") or "", "type": "function", "function": named}]}

    def _end(self, delta: Json) -> Json | None:
        reason = delta.get("finish_reason")
        self.finished = True
        if reason in BROKEN or delta.get("error"):
            self.failure = str(delta.get("error") or reason)
            return None
        made = self._made({})
        made["choices"][0]["finish_reason"] = finish(reason, called=bool(self._calls))
        made["usage"] = usage(delta.get("usage"))
        return made

    def _made(self, delta: Json) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        return {
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": [choice],
        }  # fmt: skip
