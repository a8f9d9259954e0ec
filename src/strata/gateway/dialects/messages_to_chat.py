"""Puts a request of Anthropic's Messages into the gateway's own dialect, for vendors who do not speak Messages.

Fields that only Anthropic knows and that do not change what is asked (`betas`, `context_management`) are left out;
what would change it (`mcp_servers`, tools of Anthropic's own) is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from strata.errors import Invalid
from strata.gateway.translations.answer import dumps
from strata.gateway.translations.kept import put_back, unsealed
from strata.types import Json

SAME = ("temperature", "top_p", "top_k", "stream")
REFUSED = {
    "mcp_servers": "the vendor of this model cannot call 'mcp_servers'; call their tools yourself and declare them",
    "container": "the vendor of this model has no 'container'",
}
EFFORTS = ((2048, "low"), (8192, "medium"))
"""Up to how many tokens to think with stand for which effort; more is `high`."""

KNOWN_EFFORTS = {"minimal", "low", "medium", "high", "xhigh"}


def request(body: Json) -> Json:
    """Raises `Invalid` for what chat has no words for."""
    for name, told in REFUSED.items():
        if body.get(name):
            raise Invalid(told, param=name)
    messages = [*_system(body.get("system"))]
    for message in body["messages"]:
        messages += _message(message)
    chat: Json = {"model": body.get("model"), "messages": messages, "max_completion_tokens": body.get("max_tokens")}
    chat |= {name: body[name] for name in SAME if body.get(name) is not None}
    if chat.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    if body.get("stop_sequences"):
        chat["stop"] = body["stop_sequences"]
    _tools(body, chat)
    _thinking(body, chat)
    _format(body, chat)
    user = (body.get("metadata") or {}).get("user_id")
    if user:
        chat["user"] = str(user)
    tier = {"auto": "auto", "standard_only": "default"}.get(str(body.get("service_tier")))
    if tier:
        chat["service_tier"] = tier
    return chat


# ------------------------------------------------------------------ options


def _tools(body: Json, chat: Json) -> None:
    if body.get("tools"):
        chat["tools"] = [_tool(tool) for tool in body["tools"]]
    choice = body.get("tool_choice")
    if not isinstance(choice, dict) or "tools" not in chat:
        return
    kind = choice.get("type")
    if kind == "tool":
        chat["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    elif kind in {"auto", "none", "any"}:
        chat["tool_choice"] = "required" if kind == "any" else kind
    else:
        raise Invalid("'tool_choice.type' must be auto, any, tool or none", param="tool_choice")
    if choice.get("disable_parallel_tool_use"):
        chat["parallel_tool_calls"] = False


def _tool(tool: Any) -> Json:
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
        raise Invalid("each of 'tools' must be an object with a 'name'", param="tools")
    if tool.get("type") not in {None, "custom"}:
        raise Invalid(
            f"the tool {tool['type']!r} is Anthropic's own, which the vendor of this model does not have; declare a "
            "tool with 'name', 'description' and 'input_schema'",
            param="tools",
        )
    function: Json = {"name": tool["name"], "parameters": tool.get("input_schema") or {"type": "object"}}
    function |= {name: tool[name] for name in ("description", "strict") if tool.get(name) is not None}
    return _cached(tool, {"type": "function", "function": function})


def _thinking(body: Json, chat: Json) -> None:
    thinking = body.get("thinking") or {}
    effort = (body.get("output_config") or {}).get("effort")
    kind = thinking.get("type")
    if kind == "enabled":
        budget = thinking.get("budget_tokens") or 0
        chat["reasoning_effort"] = next((name for most, name in EFFORTS if budget <= most), "high")
    elif kind == "adaptive" or effort:
        effort = "xhigh" if effort == "max" else effort
        chat["reasoning_effort"] = effort if effort in KNOWN_EFFORTS else "medium"


def _format(body: Json, chat: Json) -> None:
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format")
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        return
    schema = wanted.get("schema")
    if not isinstance(schema, dict):
        raise Invalid("'output_config.format.schema' must be a JSON schema", param="output_config")
    named = {"name": wanted.get("name") or "answer", "schema": schema, "strict": _strict(schema)}
    chat["response_format"] = {"type": "json_schema", "json_schema": named}


def _strict(schema: Any) -> bool:
    """Whether OpenAI takes the schema as a strict one: objects are closed and have no optional properties."""
    if isinstance(schema, list):
        return all(map(_strict, schema))
    if not isinstance(schema, dict):
        return True
    if isinstance(properties := schema.get("properties"), dict):
        closed = schema.get("additionalProperties") is False
        if not closed or set(properties) != set(schema.get("required") or ()):
            return False
    return all(_strict(value) for name, value in schema.items() if name not in {"enum", "const", "default"})


# ------------------------------------------------------------------ messages


def _system(system: Any) -> list[Json]:
    if not system:
        return []
    if isinstance(system, str):
        return [{"role": "system", "content": system}]
    return [{"role": "system", "content": list(_parts(system))}]


def _message(message: Json) -> Iterable[Json]:
    role, content = message.get("role"), message.get("content")
    if role == "assistant":
        return [_assistant(content)]
    if role == "system":
        return _system(content)
    if role != "user":
        raise Invalid(f"there is no role {role!r}; use user or assistant", param="messages")
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    return _user(_blocks(content))


def _user(blocks: list[Json]) -> list[Json]:
    """Results of tools come first, each in a message of its own; what else was said, and their pictures, follow."""
    results: list[Json] = []
    rest: list[Json] = []
    for block in blocks:
        if block.get("type") != "tool_result":
            rest.append(block)
            continue
        result, pictures = _result(block)
        results.append(result)
        if pictures:
            rest += [{"type": "text", "text": f"Belonging to the result of {block.get('tool_use_id')}:"}, *pictures]
    if rest:
        results.append({"role": "user", "content": _plain(list(_parts(rest)))})
    return results


def _result(block: Json) -> tuple[Json, list[Json]]:
    content, pictures = block.get("content"), []
    if isinstance(content, list):
        pictures = [it for it in content if isinstance(it, dict) and it.get("type") in {"image", "document"}]
        texts = list(_parts([it for it in _blocks(content) if it not in pictures]))
        content = _plain(texts) if texts else "(see below)" if pictures else ""
    result: Json = {"role": "tool", "tool_call_id": str(block.get("tool_use_id")), "content": content or ""}
    if block.get("is_error"):
        result["is_error"] = True
    return _cached(block, result), pictures


def _plain(parts: list[Json]) -> Any:
    """One text where there is nothing but one."""
    return parts[0]["text"] if len(parts) == 1 and parts[0].keys() == {"type", "text"} else parts


def _assistant(content: Any) -> Json:
    """Text, thoughts and calls; signatures and blocks that only the vendor understands are kept beside them."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else _blocks(content)
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[Json] = []
    fields: list[Json] = []
    kept: Json = {}
    opaque = False
    for block in blocks:
        kind = block.get("type")
        more = {name: value for name, value in block.items() if name not in {kind, "type", "cache_control"}}
        if kind == "text":
            texts.append(str(block.get("text") or ""))
            fields.append({"type": "text", "length": len(texts[-1]), **more})
        elif kind == "thinking":
            thoughts.append(str(block.get("thinking") or ""))
            fields.append({"type": "thinking", "length": len(thoughts[-1]), **more})
            opaque = opaque or bool(block.get("signature"))
        elif kind == "tool_use":
            function = {"name": str(block.get("name")), "arguments": dumps(block.get("input") or {})}
            calls.append(_cached(block, {"id": str(block.get("id")), "type": "function", "function": function}))
            fields.append({"type": "tool_use", "id": str(block.get("id"))})
        elif (found := unsealed(block.get("data"))) is not None:
            kept = found
        else:
            fields.append(block)
            opaque = True
    message: Json = {"role": "assistant", "content": "".join(texts) or (None if calls else "")}
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    if opaque:
        message["provider_fields"] = {"blocks": fields}
    put_back(message, kept)
    return message


# ------------------------------------------------------------------ parts


def _blocks(content: Any) -> list[Json]:
    if content is None:
        return []
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise Invalid("'content' must be a text or a list of blocks", param="messages")
    return content


def _parts(content: Any) -> Iterable[Json]:
    for block in _blocks(content):
        for part in _part(block):
            yield _cached(block, part)


def _part(block: Json) -> Iterable[Json]:
    kind = block.get("type")
    if kind == "text":
        return [{"type": "text", "text": block["text"]}] if block.get("text") else []
    if kind == "image":
        return [{"type": "image_url", "image_url": {"url": _address(block.get("source"), "image/png")}}]
    if kind == "document":
        return _document(block)
    if kind == "search_result":
        told = f"{block.get('title')} ({block.get('source')}):"
        return [{"type": "text", "text": told}, *_parts(block.get("content"))]
    raise Invalid(f"the vendor of this model does not take a block of type {kind!r}", param="messages")


def _document(block: Json) -> Iterable[Json]:
    source = block["source"] if isinstance(block.get("source"), dict) else {}
    kind = source.get("type")
    title = [{"type": "text", "text": str(block["title"])}] if block.get("title") else []
    context = [{"type": "text", "text": str(block["context"])}] if block.get("context") else []
    if kind == "text":
        return [*title, *context, {"type": "text", "text": str(source["data"])}]
    if kind == "content":
        inner = source.get("content")
        parts = [{"type": "text", "text": inner}] if isinstance(inner, str) else _parts(inner)
        return [*title, *context, *parts]
    if kind == "file":
        return [*context, {"type": "file", "file": {"file_id": source.get("file_id")}}]
    file = {"filename": str(block.get("title") or "document.pdf"), "file_data": _address(source, "application/pdf")}
    return [*context, {"type": "file", "file": file}]


def _address(source: Any, media: str) -> str:
    """The address of a picture or document: its own, or a data: URL."""
    kind = source.get("type") if isinstance(source, dict) else None
    if kind == "url" and isinstance(source.get("url"), str):
        url: str = source["url"]
        return url
    if kind == "base64" and isinstance(source.get("data"), str):
        return f"data:{source.get('media_type') or media};base64,{source['data']}"
    raise Invalid(f"the vendor of this model does not take a source of type {kind!r}", param="messages")


def _cached(source: Json, made: Json) -> Json:
    return {**made, "cache_control": source["cache_control"]} if source.get("cache_control") else made
