"""Takes out of a translated chat request what OpenAI itself refuses: words that only other vendors know."""

from __future__ import annotations

from typing import Any

from strata.types import Json

UNKNOWN = {"top_k"}
UNKNOWN_IN_MESSAGES = {"cache_control", "is_error", "reasoning_content", "provider_fields"}


def strictly(chat: Json) -> Json:
    """The request without them. A failed tool's result says so in its text instead."""
    own = {name: value for name, value in chat.items() if name not in UNKNOWN}
    own["messages"] = [_message(message) for message in chat["messages"]]
    if "tools" in own:
        own["tools"] = [_bare(tool) for tool in own["tools"]]
    return own


def _message(message: Json) -> Json:
    own: Json = _bare(message)
    if message.get("is_error") and isinstance(own.get("content"), str):
        own["content"] = f"Error: {own['content']}"
    for name in ("content", "tool_calls"):
        if isinstance(own.get(name), list):
            own[name] = [_bare(part) for part in own[name]]
    return own


def _bare(value: Any) -> Any:
    if not isinstance(value, dict) or not value.keys() & UNKNOWN_IN_MESSAGES:
        return value
    return {name: inner for name, inner in value.items() if name not in UNKNOWN_IN_MESSAGES}
