"""Google's answers (`generateContent`, whole or streamed) as chat completions. https://ai.google.dev/api/generate-content

What OpenAI's answer has no place for stands under `provider_fields`: Google's own reason to end, ratings, sources, and
parts that are neither text nor calls (pictures, code that was run). Sent back in a later request, the signatures and
parts in there reach Google again as they were.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from strata.gateway.translations.to_gemini import MADE
from strata.types import Json

REASONS = {
    "STOP": "stop", "MAX_TOKENS": "length", "FINISH_REASON_UNSPECIFIED": "stop",
}  # fmt: skip
"""Any other reason means that the answer was stopped: by a filter, or because it was not well formed. A client that
knows OpenAI's reasons must not take such an answer for a complete one, so it is told `content_filter`."""

BESIDE = {
    "groundingMetadata": "grounding_metadata", "citationMetadata": "citation_metadata",
    "urlContextMetadata": "url_context_metadata", "safetyRatings": "safety_ratings", "finishMessage": "finish_message",
}  # fmt: skip


@dataclass(slots=True)
class Said:
    """What the parts of one candidate say."""

    text: str = ""
    thoughts: str = ""
    signature: str = ""
    spoke: bool = False
    calls: list[Json] = field(default_factory=list)
    others: list[Json] = field(default_factory=list)


def said(candidate: Json, seed: str, before: int = 0) -> Said:
    """`seed` names the answer and candidate, `before` is the number of calls it made before: ids follow from both."""
    found = Said()
    content = candidate.get("content")
    for part in (content.get("parts") if isinstance(content, dict) else None) or ():
        if not isinstance(part, dict):
            continue
        if isinstance(part.get("text"), str):
            if part.get("thought"):
                found.thoughts += part["text"]
                continue
            found.text += part["text"]
            found.spoke = True
            found.signature = part.get("thoughtSignature") or found.signature
        elif isinstance(call := part.get("functionCall"), dict):
            found.calls.append(_call(call, part.get("thoughtSignature"), seed, before + len(found.calls)))
        elif set(part) <= {"thoughtSignature", "thought"}:
            found.signature = part.get("thoughtSignature") or found.signature
        else:
            found.others.append(part)
    return found


def _call(call: Json, signature: Any, seed: str, number: int) -> Json:
    made: Json = {
        "id": call.get("id") or call_id(seed, number),
        "type": "function",
        "function": {"name": call.get("name") or "", "arguments": orjson.dumps(call.get("args") or {}).decode()},
    }
    if signature:
        made["provider_fields"] = {"thought_signature": signature}
    return made


def call_id(seed: str, number: int) -> str:
    """An id for a call that Google gave none: the same whether the answer is streamed or whole."""
    return MADE + hashlib.blake2b(f"{seed}.{number}".encode(), digest_size=12).hexdigest()


# ------------------------------------------------------------------ whole


def completion(answer: Json, model: str) -> Json:
    """A chat completion. Where Google refused the prompt itself, one choice says so."""
    choices = []
    for position, candidate in enumerate(_candidates(answer)):
        index = candidate.get("index", position)
        heard = said(candidate, f"{answer.get('responseId')}.{index}")
        message: Json = {"role": "assistant", "content": heard.text, "refusal": None}
        if heard.calls and not heard.spoke:
            message["content"] = None
        if heard.thoughts:
            message["reasoning_content"] = heard.thoughts
        if heard.calls:
            message["tool_calls"] = heard.calls
        if beside := _beside(candidate, heard):
            message["provider_fields"] = beside
        reason = finish(candidate.get("finishReason") or "STOP", called=bool(heard.calls))
        choice = {"index": index, "message": message, "logprobs": _logprobs(candidate), "finish_reason": reason}
        choices.append(choice)
    if not choices and (feedback := _blocked(answer)):
        message = {"role": "assistant", "content": None, "refusal": None, "provider_fields": feedback}
        choices.append({"index": 0, "message": message, "logprobs": None, "finish_reason": "content_filter"})
    return {**_frame(answer, model, "chat.completion"), "choices": choices, "usage": usage(answer)}


# ------------------------------------------------------------------ streamed


@dataclass(slots=True)
class Chunks:
    """The chunks of one streamed answer. `finished` once every candidate that spoke has given its reason to end."""

    model: str
    id: str = ""
    created: int = 0
    _calls: dict[int, int] = field(default_factory=dict)
    _open: set[int] = field(default_factory=set)
    _ended: bool = False

    @property
    def finished(self) -> bool:
        return self._ended and not self._open

    def chunk(self, event: Json) -> Json:
        self.id = self.id or str(event.get("responseId") or "")
        frame = _frame({**event, "responseId": self.id} if self.id else event, self.model, "chat.completion.chunk")
        self.id = frame["id"]
        self.created = frame["created"] = self.created or frame["created"]
        choices = [self._choice(position, it) for position, it in enumerate(_candidates(event))]
        if not choices and (feedback := _blocked(event)):
            delta = {"role": "assistant", "provider_fields": feedback}
            choices.append({"index": 0, "delta": delta, "finish_reason": "content_filter"})
            self._ended = True
        chunk = {**frame, "choices": choices}
        if "usageMetadata" in event:
            chunk["usage"] = usage(event)
        return chunk

    def _choice(self, position: int, candidate: Json) -> Json:
        index = candidate.get("index", position)
        first, before = index not in self._calls, self._calls.get(index, 0)
        heard = said(candidate, f"{self.id}.{index}", before)
        self._calls[index] = before + len(heard.calls)
        delta: Json = {"role": "assistant"} if first else {}
        if heard.text:
            delta["content"] = heard.text
        if heard.thoughts:
            delta["reasoning_content"] = heard.thoughts
        if heard.calls:
            delta["tool_calls"] = [{"index": before + number, **call} for number, call in enumerate(heard.calls)]
        if beside := _beside(candidate, heard, streamed=True):
            delta["provider_fields"] = beside
        reason = candidate.get("finishReason")
        if reason:
            self._open.discard(index)
            self._ended = True
        else:
            self._open.add(index)
        end = finish(reason, called=self._calls[index] > 0) if reason else None
        choice: Json = {"index": index, "delta": delta, "finish_reason": end}
        if logprobs := _logprobs(candidate):
            choice["logprobs"] = logprobs
        return choice


# ------------------------------------------------------------------ both


def finish(reason: str, *, called: bool) -> str:
    """OpenAI's reason to end for Google's."""
    if reason == "STOP" and called:
        return "tool_calls"
    return REASONS.get(reason, "content_filter")


def usage(answer: Json) -> Json:
    """Tokens by OpenAI's names. What built-in tools put into the prompt is part of it, thoughts are of the answer."""
    told = answer.get("usageMetadata") or {}
    thoughts = _count(told, "thoughtsTokenCount")
    prompt = _count(told, "promptTokenCount") + _count(told, "toolUsePromptTokenCount")
    spoken = _count(told, "candidatesTokenCount") or _count(told, "responseTokenCount")
    completion_ = spoken + thoughts
    inside = {"cached_tokens": _count(told, "cachedContentTokenCount")}
    outside = {"reasoning_tokens": thoughts}
    if heard := _of(told.get("promptTokensDetails"), "AUDIO"):
        inside["audio_tokens"] = heard
    if spoken_audio := _of(told.get("candidatesTokensDetails"), "AUDIO"):
        outside["audio_tokens"] = spoken_audio
    return {
        "prompt_tokens": prompt, "completion_tokens": completion_,
        "total_tokens": max(_count(told, "totalTokenCount"), prompt + completion_),
        "prompt_tokens_details": inside, "completion_tokens_details": outside,
    }  # fmt: skip


def _count(told: Json, name: str) -> int:
    value = told.get(name)
    return value if isinstance(value, int) else 0


def _of(details: Any, modality: str) -> int:
    rows = [it for it in details or () if isinstance(it, dict) and it.get("modality") == modality]
    return sum(_count(it, "tokenCount") for it in rows)


def _candidates(answer: Json) -> Iterator[Json]:
    return (it for it in answer.get("candidates") or () if isinstance(it, dict))


def _frame(answer: Json, model: str, kind: str) -> Json:
    id_ = answer.get("responseId") or "gen-" + hashlib.blake2b(repr(answer).encode(), digest_size=12).hexdigest()
    return {
        "id": id_, "object": kind, "created": _created(answer.get("createTime")),
        "model": answer.get("modelVersion") or model,
    }  # fmt: skip


def _created(text: Any) -> int:
    if isinstance(text, str):
        try:
            return int(datetime.fromisoformat(re.sub(r"\.\d+", "", text)).timestamp())
        except ValueError:
            pass
    return int(time.time())


def _blocked(answer: Json) -> Json | None:
    feedback = answer.get("promptFeedback")
    if isinstance(feedback, dict) and feedback.get("blockReason"):
        return {"finish_reason": feedback["blockReason"], "prompt_feedback": feedback}
    return None


def _beside(candidate: Json, heard: Said, *, streamed: bool = False) -> Json:
    found = {ours: candidate[name] for name, ours in BESIDE.items() if candidate.get(name)}
    reason = candidate.get("finishReason")
    if streamed and not reason:
        found.pop("safety_ratings", None)  # they are said again with every piece, and once is enough
    if reason and reason not in REASONS:
        found["finish_reason"] = reason
    if heard.signature:
        found["thought_signature"] = heard.signature
    if heard.others:
        found["parts"] = heard.others
    return found


def _logprobs(candidate: Json) -> Json | None:
    told = candidate.get("logprobsResult")
    if not isinstance(told, dict) or not told.get("chosenCandidates"):
        return None
    tops = told.get("topCandidates") or []
    content = []
    for number, chosen in enumerate(told["chosenCandidates"]):
        others = tops[number].get("candidates") or [] if number < len(tops) else []
        content.append({**_logprob(chosen), "top_logprobs": [_logprob(it) for it in others]})
    return {"content": content, "refusal": None}


def _logprob(it: Json) -> Json:
    token = str(it.get("token") or "")
    return {"token": token, "logprob": it.get("logProbability", 0.0), "bytes": list(token.encode())}
