"""A chat request (OpenAI's) as Cohere's chat, version 2. https://docs.cohere.com/reference/chat

Cohere's own fields (`documents`, `citation_options`, `safety_mode`, `k`, `p` …) pass as they are; what it does not know
is left out, because it refuses requests with unknown fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strata.errors import Invalid
from strata.types import Json

SAME = (
    "temperature", "seed", "frequency_penalty", "presence_penalty", "documents", "citation_options", "safety_mode",
    "k", "p", "priority", "strict_tools",
)  # fmt: skip
BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192}
CHOICES = {"required": "REQUIRED", "any": "REQUIRED", "none": "NONE"}


def request(body: Json, model: str) -> Json:
    """Raises `Invalid` for what Cohere has no words for."""
    if (body.get("n") or 1) != 1:
        raise Invalid("this model gives one answer at a time; leave out 'n'", param="n")
    made: Json = {"model": model, "messages": [_message(it) for it in body.get("messages") or []]}
    made.update({name: body[name] for name in SAME if body.get(name) is not None})
    for ours, theirs in (("top_p", "p"), ("top_k", "k")):
        if body.get(ours) is not None:
            made.setdefault(theirs, body[ours])
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    if limit is not None:
        made["max_tokens"] = limit
    if stop := body.get("stop"):
        made["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if body.get("logprobs"):
        made["logprobs"] = True
    if form := _form(body.get("response_format")):
        made["response_format"] = form
    if thinking := _thinking(body):
        made["thinking"] = thinking
    _tools(body, made)
    return made


# ------------------------------------------------------------------ messages


def _message(message: Any) -> Json:
    if not isinstance(message, dict):
        raise Invalid("every message must be an object", param="messages")
    role = message.get("role")
    if role == "assistant":
        return _assistant(message)
    if role in {"tool", "function"}:
        content = _content(message.get("content"))
        if message.get("is_error") and isinstance(content, str):
            content = f"Error: {content}"
        return {"role": "tool", "tool_call_id": message.get("tool_call_id"), "content": content or ""}
    return {"role": "system" if role == "developer" else role, "content": _content(message.get("content")) or ""}


def _assistant(message: Json) -> Json:
    made: Json = {"role": "assistant"}
    thoughts, content = message.get("reasoning_content"), _content(message.get("content"))
    calls = message.get("tool_calls")
    if calls:
        made["tool_calls"] = [_call(call) for call in calls if isinstance(call, dict)]
        if thoughts:
            made["tool_plan"] = thoughts
    elif thoughts:
        parts = [{"type": "text", "text": content}] if isinstance(content, str) and content else content or []
        content = [{"type": "thinking", "thinking": thoughts}, *parts]
    if content or not calls:
        made["content"] = content or ""
    ours = message.get("provider_fields")
    if isinstance(ours, dict) and ours.get("citations"):
        made["citations"] = ours["citations"]
    return made


def _call(call: Json) -> Json:
    function = call.get("function") or {}
    arguments = function.get("arguments") or "{}"
    return {
        "id": call.get("id"), "type": "function", "function": {"name": function.get("name"), "arguments": arguments},
    }  # fmt: skip


def _content(content: Any) -> str | list[Json]:
    if content is None or isinstance(content, str):
        return content or ""
    parts = [_part(part) for part in content]
    if all(part["type"] == "text" for part in parts) and len(parts) == 1:
        return str(parts[0]["text"])
    return parts


def _part(part: Any) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in {"text", "input_text", "output_text", "refusal"}:
        return {"type": "text", "text": str(part.get("text", part.get("refusal")) or "")}
    if kind == "image_url":
        holder = part.get("image_url")
        return {"type": "image_url", "image_url": holder if isinstance(holder, dict) else {"url": holder}}
    if kind in {"document", "thinking"}:
        return dict(part)
    raise Invalid(f"a part of a message of the type {kind!r} cannot be sent to this model", param="messages")


# ------------------------------------------------------------------ tools and forms


def _tools(body: Json, made: Json) -> None:
    tools = body.get("tools")
    if not tools:
        return
    if not all(isinstance(tool, dict) and isinstance(tool.get("function"), dict) for tool in tools):
        raise Invalid("this model takes functions as tools, nothing else", param="tools")
    choice = body.get("tool_choice")
    if isinstance(choice, Mapping):
        name = (choice.get("function") or {}).get("name")
        tools = [tool for tool in tools if tool["function"].get("name") == name] or tools
        choice = "required"
    made["tools"] = [{"type": "function", "function": _function(tool["function"])} for tool in tools]
    if isinstance(choice, str) and choice in CHOICES:
        made["tool_choice"] = CHOICES[choice]
    if any(tool["function"].get("strict") for tool in tools):
        made.setdefault("strict_tools", True)


def _function(function: Json) -> Json:
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return {
        **{name: function[name] for name in ("name", "description") if function.get(name) is not None},
        "parameters": schema,
    }


def _form(wanted: Any) -> Json | None:
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object":
        return dict(wanted)
    if kind == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema")
        return {"type": "json_object", "json_schema": schema} if schema else {"type": "json_object"}
    return None


def _thinking(body: Json) -> Json | None:
    """https://docs.cohere.com/docs/reasoning"""
    own, effort = body.get("thinking"), body.get("reasoning_effort")
    if isinstance(own, dict):
        made: Json = {"type": "disabled" if own.get("type") == "disabled" else "enabled"}
        budget = own.get("token_budget", own.get("budget_tokens"))
        return {**made, "token_budget": budget} if isinstance(budget, int) else made
    if effort == "none":
        return {"type": "disabled"}
    if not isinstance(effort, str):
        return None
    return {"type": "enabled", "token_budget": BUDGETS[effort]} if effort in BUDGETS else {"type": "enabled"}
