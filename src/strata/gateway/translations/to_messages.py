"""Says to Anthropic's Messages what was asked in the gateway's own dialect. https://docs.claude.com/en/api/messages

What only Anthropic knows passes through: `thinking`, `top_k`, `mcp_servers`, `cache_control` on a message, part or tool,
tools of its own by their `type`. What only OpenAI knows and Anthropic has no word for (`seed`, `logit_bias`, …) is left
out; what would change the answer's meaning (`n`, audio) is refused with the reason.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from strata.errors import Invalid
from strata.gateway.translations.answer import opaque, restored
from strata.gateway.translations.parts import cached, parts
from strata.types import Json

DROPPED = frozenset({
    "messages", "model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "stop", "tools",
    "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort", "user", "metadata", "service_tier", "n",
    "seed", "logit_bias", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "store", "modalities",
    "prediction", "verbosity", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "temperature",
})  # fmt: skip
"""Fields of chat completions that are translated below, or that Messages have no word for."""

REFUSED = {
    "audio": "this model does not speak; leave out 'audio'",
    "functions": "'functions' is the old form; use 'tools'",
    "function_call": "'function_call' is the old form; use 'tool_choice'",
    "web_search_options": "declare the vendor's search in 'tools', such as {'type': 'web_search_20250305', ...}",
}

FOREIGN = frozenset({"converse"})
"""Types of blocks that an earlier answer may hold, and that Messages do not know."""

LIMIT = 4096
"""The most tokens of an answer, where neither the caller nor the gateway says it: Messages must have a limit."""

EFFORTS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 65536}
"""Tokens to think with, for models that are told a budget instead of an effort."""

LEAST_BUDGET = 1024
BUDGETED = re.compile(r"claude-3-7|claude-(?:opus|sonnet|haiku)-4(?:-[0-5])?(?=$|[@:]|-20|-v\d|-latest)")
THOUGHTLESS = re.compile(r"claude-(3-5|3-opus|3-sonnet|3-haiku|2|instant)")


def request(body: Json, model: str, *, strict: bool = True) -> Json:
    """The request. Raises `Invalid` for what cannot be said. Unless it is `strict`, blocks that an answer of another
    vendor left and ids that Anthropic would not take stay as they are.
    """
    _check(body)
    system, messages = conversation(body["messages"])
    if strict:
        messages = [it for it in map(_strict, messages) if it["content"]]
    own: Json = {name: value for name, value in body.items() if name not in DROPPED and value is not None}
    own |= {"model": model, "max_tokens": limit(body) or LIMIT, "messages": messages}
    if system:
        own["system"] = system
    if body.get("temperature") is not None:
        own["temperature"] = min(body["temperature"], 1)
    if stop := body.get("stop"):
        own["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if body.get("tools"):
        own["tools"] = tools(body["tools"])
    if choice := tool_choice(body):
        own["tool_choice"] = choice
    _answered_as(body, own)
    _billed(body, own)
    _thinking(body, own, model)
    return own


def limit(body: Json) -> int | None:
    """The most tokens of the answer that the caller asked for."""
    limit: int | None = body.get("max_completion_tokens") or body.get("max_tokens")
    return limit


def _check(body: Json) -> None:
    if not isinstance(body.get("messages"), list):
        raise Invalid("'messages' must be a list", param="messages")
    for name, told in REFUSED.items():
        if body.get(name):
            raise Invalid(told, param=name)
    if (body.get("n") or 1) != 1:
        raise Invalid("this model gives one answer to a request; leave out 'n' or ask again", param="n")


def _answered_as(body: Json, own: Json) -> None:
    wanted = body.get("response_format")
    if not isinstance(wanted, dict):
        return
    if wanted.get("type") == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema")
        if not isinstance(schema, dict):
            raise Invalid("'response_format.json_schema.schema' is missing", param="response_format")
        own["output_config"] = {**(own.get("output_config") or {}), "format": json_schema(schema)}
    elif wanted.get("type") == "json_object":
        own["system"] = [*blocks_of(own.get("system")), {"type": "text", "text": "Answer with one JSON object only."}]


def json_schema(schema: Json) -> Json:
    return {"type": "json_schema", "schema": closed(schema)}


def closed(schema: Any) -> Any:
    """The schema with every object closed, as Anthropic requires."""
    if isinstance(schema, list):
        return [closed(it) for it in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        name: value if name in {"enum", "const", "default", "examples"} else closed(value)
        for name, value in schema.items()
    }
    if made.get("type") == "object" and isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made


def _billed(body: Json, own: Json) -> None:
    user = body.get("user") or (body.get("metadata") or {}).get("user_id")
    if user:
        own["metadata"] = {"user_id": str(user)}
    tier = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}.get(
        str(body.get("service_tier"))
    )
    if tier:
        own["service_tier"] = tier


# ------------------------------------------------------------------ thinking


def _thinking(body: Json, own: Json, model: str) -> None:
    """`reasoning_effort` as an effort, or as a budget for models that want one. `thinking` itself goes as it is."""
    effort = body.get("reasoning_effort")
    if effort and "thinking" not in own and effort != "none":
        own |= thinking(str(effort), own, model)
    if (own.get("thinking") or {}).get("type") in {"enabled", "adaptive"}:
        own.pop("temperature", None)
    if not own.get("output_config", True):
        del own["output_config"]


def thinking(effort: str, own: Json, model: str) -> Json:
    """The fields that make a model think as much as asked, where it can: some think only while no tool is forced on
    them, and only if they thought before each call of a turn that goes on.
    """
    if THOUGHTLESS.search(model):
        return {}
    if not BUDGETED.search(model):
        scale = {"minimal": "low"}.get(effort, effort)
        return {
            "thinking": {"type": "adaptive"},
            "output_config": {**(own.get("output_config") or {}), "effort": scale},
        }
    budget = min(EFFORTS.get(effort, EFFORTS["medium"]), own["max_tokens"] * 4 // 5)
    forced = (own.get("tool_choice") or {}).get("type") in {"any", "tool"}
    if budget < LEAST_BUDGET or forced or not _thought(own["messages"]):
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _thought(messages: list[Json]) -> bool:
    """Whether the turn that goes on, if there is one, began with a thought."""
    for message in reversed(messages):
        kinds = [block.get("type") for block in blocks_of(message["content"])]
        if message["role"] == "assistant":
            if "tool_use" in kinds and kinds[0] not in {"thinking", "redacted_thinking"}:
                return False
        elif "tool_result" not in kinds:
            return True
    return True


# ------------------------------------------------------------------ tools


def tools(given: Any) -> list[Json]:
    if not isinstance(given, list) or not all(isinstance(tool, dict) for tool in given):
        raise Invalid("'tools' must be a list of objects", param="tools")
    return [_tool(tool) for tool in given]


def _tool(tool: Json) -> Json:
    function = tool.get("function")
    if not isinstance(function, dict):
        if tool.get("type") in {"function", "custom"} and "input_schema" not in tool:
            raise Invalid("a tool must be {'type': 'function', 'function': {...}}", param="tools")
        return tool
    own = {"name": str(function.get("name")), "description": function.get("description")}
    own["input_schema"] = function.get("parameters") or {"type": "object", "properties": {}}
    more = {
        name: value for name, value in {**tool, **function}.items() if name not in {"type", "function", "parameters"}
    }
    return {name: value for name, value in {**more, **own}.items() if value is not None}


def tool_choice(body: Json) -> Json | None:
    """Auto, none, any, or one by its name; None where nothing was asked."""
    if not body.get("tools"):
        return None
    choice = _choice(body.get("tool_choice"))
    if body.get("parallel_tool_calls") is False and (choice or {}).get("type") != "none":
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return choice


def _choice(wanted: Any) -> Json | None:
    if wanted is None:
        return None
    if isinstance(wanted, str) and wanted in {"auto", "none", "required", "any"}:
        return {"type": {"required": "any"}.get(wanted, wanted)}
    if isinstance(wanted, dict) and isinstance(wanted.get("function"), dict):
        return {"type": "tool", "name": str(wanted["function"].get("name"))}
    if isinstance(wanted, dict) and wanted.get("type") in {"auto", "any", "none", "tool"}:
        return wanted
    raise Invalid("'tool_choice' must be 'auto', 'none', 'required' or name one function", param="tool_choice")


# ------------------------------------------------------------------ messages


def conversation(messages: list[Any]) -> tuple[list[Json], list[Json]]:
    """System blocks and messages; what one side says in several messages becomes one."""
    system: list[Json] = []
    turns: list[Json] = []
    for message in messages:
        if not isinstance(message, dict):
            raise Invalid("each of 'messages' must be an object", param="messages")
        role = message.get("role")
        if role in {"system", "developer"}:
            system += _said(message)
        elif role == "user":
            _add(turns, "user", _said(message))
        elif role == "tool":
            _add(turns, "user", [_result(message)])
        elif role == "assistant":
            _add(turns, "assistant", assistant(message))
        else:
            raise Invalid(f"there is no role {role!r}; use system, user, assistant or tool", param="messages")
    if turns and turns[-1]["role"] == "assistant":
        _trim(turns[-1]["content"])
    return system, turns


def _add(turns: list[Json], role: str, blocks: list[Json]) -> None:
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": list(blocks)})


def _trim(blocks: list[Json]) -> None:
    """The beginning of an answer, to be continued, may not end in white space."""
    if blocks and blocks[-1].get("type") == "text":
        blocks[-1] = {**blocks[-1], "text": blocks[-1]["text"].rstrip()}


def _strict(message: Json) -> Json:
    """A message in the types of blocks and the characters of ids that Anthropic takes."""
    ids = {"tool_use": "id", "tool_result": "tool_use_id"}
    blocks = [dict(block) for block in message["content"] if block.get("type") not in FOREIGN]
    for block in blocks:
        if name := ids.get(str(block.get("type"))):
            block[name] = re.sub(r"[^a-zA-Z0-9_-]", "_", block[name])
    return {**message, "content": blocks}


def assistant(message: Json) -> list[Json]:
    """An assistant's message as blocks: as the vendor gave them, if it did and they still say the same."""
    calls = [_call(call) for call in message.get("tool_calls") or ()]
    if (blocks := restored(message, calls)) is not None:
        return blocks
    said = _said(message)
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        said.append({"type": "text", "text": message["refusal"]})
    return [*opaque(message), *said, *calls]


def _call(call: Any) -> Json:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise Invalid("each of 'tool_calls' must hold a 'function'", param="messages")
    block: Json = {"type": "tool_use", "id": str(call.get("id")), "name": str(function.get("name"))}
    block["input"] = arguments(function.get("arguments"))
    return cached(call, block)


def arguments(given: Any) -> Json:
    """A call's arguments as an object. What a model wrote wrongly is kept, so that it can see it."""
    if isinstance(given, dict):
        return given
    try:
        value = orjson.loads(given or "{}")
    except (ValueError, TypeError):
        return {"INVALID_JSON": str(given)}
    return value if isinstance(value, dict) else {"INVALID_JSON": str(given)} if value is not None else {}


def _result(message: Json) -> Json:
    content = message.get("content")
    block: Json = {"type": "tool_result", "tool_use_id": str(message.get("tool_call_id"))}
    if isinstance(content, list):
        block["content"] = list(parts(content))
    elif content:
        block["content"] = content if isinstance(content, str) else orjson.dumps(content).decode()
    if isinstance(message.get("is_error"), bool):
        block["is_error"] = message["is_error"]
    return cached(message, block)


def _said(message: Json) -> list[Json]:
    content = message.get("content")
    if content is None:
        return []
    if isinstance(content, str):
        return [cached(message, {"type": "text", "text": content})] if content else []
    if not isinstance(content, list):
        raise Invalid("'content' must be a text or a list of parts", param="messages")
    blocks = list(parts(content))
    if blocks and "cache_control" in message:
        blocks[-1] = cached(message, blocks[-1])
    return blocks


def blocks_of(content: Any) -> list[Json]:
    """Content as blocks, whether it is text, blocks or nothing."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [block for block in content or () if isinstance(block, dict)]


def names(given: Any) -> tuple[str, ...]:
    """One name, several with commas between them, or a list of them."""
    if isinstance(given, str):
        return tuple(filter(None, (name.strip() for name in given.split(","))))
    return tuple(map(str, given)) if isinstance(given, list | tuple) else ()
