"""Puts a request of OpenAI's Responses into the gateway's own dialect, for vendors who do not speak Responses.

Nothing is kept between two requests, so that a request must hold the whole conversation: what names something that is
stored elsewhere is refused with the reason. Tools that the vendor itself would run are refused as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from strata.errors import Invalid
from strata.gateway.translations.answer import dumps
from strata.gateway.translations.kept import put_back, unsealed
from strata.types import Json

SAME = {
    "temperature": "temperature", "top_p": "top_p", "parallel_tool_calls": "parallel_tool_calls", "stream": "stream",
    "service_tier": "service_tier", "max_output_tokens": "max_completion_tokens",
}  # fmt: skip
STORED = {
    "previous_response_id": "send the whole conversation in 'input'",
    "conversation": "send the whole conversation in 'input'",
    "prompt": "send the text of the prompt in 'instructions' and 'input'",
    "store": "leave it out or set it to false",
}


def request(body: Json) -> Json:
    """Raises `Invalid` for what chat has no words for."""
    for name, told in STORED.items():
        if body.get(name):
            raise Invalid(
                f"{name!r} needs a vendor that keeps answers, which that of this model is not; {told}", param=name
            )
    if not body.get("input"):
        raise Invalid("'input' must be a text or a list of items, not empty", param="input")
    chat: Json = {"model": body.get("model"), "messages": _conversation(body)}
    chat |= {theirs: body[name] for name, theirs in SAME.items() if body.get(name) is not None}
    if chat.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    effort = (body.get("reasoning") or {}).get("effort")
    if effort:
        chat["reasoning_effort"] = effort
    _format(body, chat)
    _tools(body, chat)
    if body.get("safety_identifier") or body.get("user"):
        chat["user"] = body.get("safety_identifier") or body["user"]
    if body.get("top_logprobs") or "message.output_text.logprobs" in (body.get("include") or ()):
        chat |= {"logprobs": True, "top_logprobs": body.get("top_logprobs") or 0}
    return chat


# ------------------------------------------------------------------ options


def _format(body: Json, chat: Json) -> None:
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_schema":
        named = {
            name: wanted[name] for name in ("name", "schema", "strict", "description") if wanted.get(name) is not None
        }
        chat["response_format"] = {"type": "json_schema", "json_schema": named}
    elif wanted.get("type") == "json_object":
        chat["response_format"] = {"type": "json_object"}


def _tools(body: Json, chat: Json) -> None:
    tools = body.get("tools") or []
    if not isinstance(tools, list):
        raise Invalid("'tools' must be a list", param="tools")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        names = {it.get("name") for it in choice.get("tools") or () if isinstance(it, dict)}
        tools = [it for it in tools if isinstance(it, dict) and it.get("name") in names]
        choice = choice.get("mode") or "auto"
    if not tools:
        return
    chat["tools"] = [_tool(tool) for tool in tools]
    if isinstance(choice, str):
        chat["tool_choice"] = choice
    elif isinstance(choice, dict) and choice.get("type") in {"function", "custom"}:
        chat["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    elif choice is not None:
        raise Invalid(
            "'tool_choice' must be auto, none, required, or name a function or a custom tool", param="tool_choice"
        )


def _tool(tool: Any) -> Json:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind == "function":
        function: Json = {"name": tool.get("name"), "parameters": tool.get("parameters") or {"type": "object"}}
        function |= {name: tool[name] for name in ("description", "strict") if tool.get(name) is not None}
        return {"type": "function", "function": function}
    if kind == "custom":
        return {"type": "function", "function": _free(tool)}
    raise Invalid(
        f"the vendor of this model does not have the tool {kind!r}; declare a tool of type 'function' or 'custom' and run it "
        "yourself",
        param="tools",
    )


def _free(tool: Json) -> Json:
    """A tool that takes any text, as one that takes an object with that text."""
    told = str(tool.get("description") or "")
    form = tool.get("format") or {}
    if form.get("type") == "grammar":
        told += f"\n\nThe input must follow this {form.get('syntax')} grammar:\n{form.get('definition')}"
    schema = {
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
        "additionalProperties": False,
    }
    return {"name": tool.get("name"), "description": told.strip(), "parameters": schema}


# ------------------------------------------------------------------ items


def _conversation(body: Json) -> list[Json]:
    """What the assistant thought, said and called between two messages of others becomes one message."""
    messages: list[Json] = []
    if isinstance(body.get("instructions"), str) and body["instructions"]:
        messages.append({"role": "system", "content": body["instructions"]})
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if isinstance(body.get("instructions"), list):
        items = [*body["instructions"], *items]
    said = Said()
    shown: list[Json] = []
    for item in items:
        if said.takes(item):
            continue
        messages += said.message()
        if not str(item.get("type")).endswith("_output") and shown:
            messages.append({"role": "user", "content": shown})
            shown = []
        messages += _message(item, shown)
    messages += said.message()
    return [*messages, {"role": "user", "content": shown}] if shown else messages


class Said:
    """Gathers one message of the assistant."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.thoughts: list[str] = []
        self.calls: list[Json] = []
        self.kept: Json = {}
        self.any = False

    def takes(self, item: Json) -> bool:
        """Whether the item belongs to it."""
        kind = item.get("type") or "message"
        if kind == "message" and item.get("role") == "assistant":
            content = item.get("content")
            self.texts += [content] if isinstance(content, str) else [_said(part) for part in content or ()]
        elif kind == "reasoning":
            self.thoughts += [str(it.get("text") or "") for it in item.get("summary") or item.get("content") or ()]
            self.kept = unsealed(item.get("encrypted_content")) or self.kept
        elif kind == "function_call":
            self._call(item, str(item.get("arguments") or ""))
        elif kind == "custom_tool_call":
            self._call(item, dumps({"input": item.get("input") or ""}))
        else:
            return False
        self.any = True
        return True

    def _call(self, item: Json, arguments: str) -> None:
        function = {"name": item.get("name"), "arguments": arguments}
        self.calls.append({"id": item.get("call_id"), "type": "function", "function": function})

    def message(self) -> Iterable[Json]:
        """The message, if there is one; the next begins empty."""
        if not self.any:
            return []
        message: Json = {"role": "assistant", "content": "".join(self.texts) or (None if self.calls else "")}
        if self.thoughts:
            message["reasoning_content"] = "".join(self.thoughts)
        if self.calls:
            message["tool_calls"] = self.calls
        put_back(message, self.kept)
        empty = not (self.texts or self.calls or "provider_fields" in message)
        self.__init__()  # type: ignore[misc]
        return [] if empty else [message]


def _message(item: Json, shown: list[Json]) -> Iterator[Json]:
    """A message of somebody else; pictures in a tool's result are `shown` behind it."""
    kind = item.get("type") or "message"
    if kind in {"function_call_output", "custom_tool_call_output"}:
        output = item.get("output")
        if isinstance(output, list):
            parts = [part for it in output for part in _part(it)]
            texts = [part for part in parts if part["type"] == "text"]
            if pictures := [part for part in parts if part["type"] != "text"]:
                shown += [{"type": "text", "text": f"Belonging to the result of {item.get('call_id')}:"}, *pictures]
            output = "".join(part["text"] for part in texts) or ("(see below)" if pictures else "")
        yield {"role": "tool", "tool_call_id": item.get("call_id"), "content": output or ""}
    elif kind == "message":
        content = item.get("content")
        if isinstance(content, list):
            content = [part for it in content for part in _part(it)]
            if len(content) == 1 and content[0]["type"] == "text":
                content = content[0]["text"]
        role = {"developer": "system"}.get(str(item.get("role")), item.get("role"))
        if role not in {"user", "system"} or not isinstance(content, str | list):
            raise Invalid(
                "a message needs a 'role' of user, assistant, system or developer, and a 'content'", param="input"
            )
        yield {"role": role, "content": content}
    elif kind == "item_reference":
        raise Invalid("nothing is kept here that an 'item_reference' could name; send the item itself", param="input")
    else:
        raise Invalid(f"the vendor of this model does not take an item of type {kind!r}", param="input")


def _said(part: Any) -> str:
    if not isinstance(part, dict):
        raise Invalid("each part of 'content' must be an object", param="input")
    return str(part.get("text") or part.get("refusal") or "")


def _part(part: Any) -> Iterable[Json]:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in {"input_text", "output_text", "text"}:
        return [{"type": "text", "text": str(part.get("text") or "")}]
    if kind == "refusal":
        return [{"type": "text", "text": str(part.get("refusal") or "")}]
    if kind == "input_image":
        if not part.get("image_url"):
            raise Invalid(
                "an 'input_image' needs an 'image_url': nothing is kept here that 'file_id' could name", param="input"
            )
        detail = {"detail": part["detail"]} if part.get("detail") else {}
        return [{"type": "image_url", "image_url": {"url": part["image_url"], **detail}}]
    if kind == "input_file":
        file = {name: part[name] for name in ("filename", "file_data", "file_id") if part.get(name)}
        if part.get("file_url"):
            file["file_data"] = part["file_url"]
        return [{"type": "file", "file": file}]
    if kind == "input_audio":
        return [{"type": "input_audio", "input_audio": part.get("input_audio")}]
    raise Invalid(f"the vendor of this model does not take a part of type {kind!r}", param="input")
