"""What vendors that speak OpenAI's dialect want to be asked in their own way.

The gateway's own words, and those of other vendors in a conversation that changes its model, are left out or put as the
vendor knows them. None of these functions changes what it is given.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from strata.types import Json

OURS = ("provider_fields", "reasoning_signature")
"""What the gateway adds to messages so that other vendors' conversations can go on; no OpenAI vendor knows it."""


def without_ours(messages: Any) -> Any:
    """The messages without what only the gateway knows; the same list where there is nothing of it."""
    if not isinstance(messages, list) or not any(map(_has_ours, messages)):
        return messages
    return [_bare(message) if _has_ours(message) else message for message in messages]


def _has_ours(message: Any) -> bool:
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return False
    calls = message.get("tool_calls") or ()
    return any(name in message for name in OURS) or any(
        isinstance(it, dict) and "provider_fields" in it for it in calls
    )


def _bare(message: Json) -> Json:
    bare = {name: value for name, value in message.items() if name not in OURS}
    if isinstance(calls := bare.get("tool_calls"), list):
        bare["tool_calls"] = [
            {name: value for name, value in it.items() if name != "provider_fields"}
            for it in calls
            if isinstance(it, dict)
        ]
    return bare


CONTEXT = 200_000
"""Where the settings say no size of the context: that of the larger models."""

SEARCHES = ("web_search_options", "plugins", "search_parameters", "previous_response_id", "conversation", "prompt")
FOREIGN = ("cache_control", "is_error", "reasoning_signature")


def fetches(body: Json, model: str) -> bool:
    """Whether more becomes prompt than stands in the request: what the vendor searches, or kept of earlier calls."""
    tools = body.get("tools")
    own = isinstance(tools, list) and any(
        isinstance(it, dict) and "function" not in it and it.get("type") not in {"function", "custom"} for it in tools
    )
    return own or any(body.get(name) for name in SEARCHES) or model.endswith(":online") or "compound" in model


def must_stay(body: Json, *, placed: bool) -> None:
    """Leave out what would let another model answer than the one that the caller may call and that is priced; or, where
    the settings say in which region or under which agreement that is, another host.
    """
    for name in ("models", "route", *(("provider",) if placed else ())):
        body.pop(name, None)


def without_foreign(message: Any) -> Any:
    """A message without words of other vendors, for one that refuses what it does not know. A failed tool's result says
    so in its text.
    """
    if not isinstance(message, dict):
        return message
    own = {name: value for name, value in message.items() if name not in FOREIGN}
    if message.get("is_error") and isinstance(own.get("content"), str):
        own["content"] = f"Error: {own['content']}"
    if isinstance(own.get("content"), list):
        own["content"] = [
            {name: value for name, value in part.items() if name not in FOREIGN} if isinstance(part, dict) else part
            for part in own["content"]
        ]
    return own


EMPTY = ("refusal", "audio", "function_call", "annotations")


def without_empty(message: Any) -> Any:
    """An answer sent back holds fields that say nothing, and which strict vendors refuse."""
    if not isinstance(message, dict) or not any(name in message and not message[name] for name in EMPTY):
        return message
    return {name: value for name, value in message.items() if value or name not in EMPTY}


def thoughts_as(name: str) -> Callable[[Json], Json]:
    """Puts the thoughts of earlier answers under the vendor's own name; an empty name leaves them out."""

    def rename(message: Json) -> Json:
        if "reasoning_content" not in message or name == "reasoning_content":
            return message
        renamed = {key: value for key, value in message.items() if key != "reasoning_content"}
        if name:
            renamed.setdefault(name, message["reasoning_content"])
        return renamed

    return rename


def thoughts_as_parts(message: Json) -> Json:
    """Mistral's way: thoughts are a part of the content."""
    thoughts = message.get("reasoning_content")
    if not thoughts:
        return {key: value for key, value in message.items() if key != "reasoning_content"}
    content = message.get("content") or []
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    first = {"type": "thinking", "thinking": [{"type": "text", "text": thoughts}]}
    rest = {key: value for key, value in message.items() if key not in {"reasoning_content", "reasoning"}}
    return {**rest, "content": [first, *parts]}


NINE = re.compile(r"[A-Za-z0-9]{9}")


def short_ids(messages: list[Any]) -> list[Any]:
    """Mistral takes ids of calls with exactly nine letters and digits: others' become such, the same everywhere."""
    found = []
    for message in messages:
        it = message
        if isinstance(message, dict) and isinstance(calls := message.get("tool_calls"), list):
            it = {
                **message,
                "tool_calls": [{**call, "id": _nine(call.get("id"))} for call in calls if isinstance(call, dict)],
            }
        elif isinstance(message, dict) and "tool_call_id" in message:
            it = {**message, "tool_call_id": _nine(message["tool_call_id"])}
        found.append(it)
    return found


def _nine(id_: Any) -> str:
    text = str(id_)
    return text if NINE.fullmatch(text) else hashlib.blake2b(text.encode(), digest_size=8).hexdigest()[:9]


# ------------------------------------------------------------------ rerank


def to_topk(body: Json) -> Json:
    """Cohere's rerank request in Voyage's words."""
    own = {name: value for name, value in body.items() if name not in {"top_n", "return_documents"}}
    if body.get("top_n") is not None:
        own["top_k"] = body["top_n"]
    own["documents"] = [it.get("text", "") if isinstance(it, dict) else it for it in body.get("documents") or ()]
    return own


def from_data(answer: Json, body: Json) -> Json:
    """An order that came as `data`, as Cohere's `results`."""
    if "results" in answer or not isinstance(answer.get("data"), list):
        return answer
    results = []
    for row in answer["data"]:
        score = row.get("relevance_score", row.get("score"))
        result: Json = {"index": row.get("index"), "relevance_score": score}
        if body.get("return_documents"):
            document = body["documents"][row["index"]]
            result["document"] = {"text": document} if isinstance(document, str) else document
        results.append(result)
    return {**{name: value for name, value in answer.items() if name != "data"}, "results": results}
