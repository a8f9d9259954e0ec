"""Says to Bedrock's Converse what was asked in the gateway's own dialect, for whichever model stands behind it.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html

The request is put into Anthropic's blocks first (`to_messages`), then into Converse's. Fields that only Converse knows
(`guardrailConfig`, `performanceConfig`, …) pass through; what neither Converse nor OpenAI knows goes to the model itself,
in `additionalModelRequestFields`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from strata.errors import Invalid
from strata.gateway.translations import to_messages
from strata.gateway.translations.answer import dumps
from strata.types import Json

OWN = (
    "guardrailConfig", "additionalModelResponseFieldPaths", "requestMetadata", "performanceConfig", "promptVariables",
    "serviceTier", "outputConfig",
)  # fmt: skip

THOUGHTS = frozenset({"thinking", "redacted_thinking"})
"""Signed by Anthropic, and understood by its models only: where another one goes on, they are left out."""

TIERS = {"default", "flex", "priority", "reserved"}

FORMATS = {
    "application/pdf": "pdf", "text/csv": "csv", "application/msword": "doc", "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx", "text/html": "html",
    "text/plain": "txt", "text/markdown": "md",
}  # fmt: skip


def request(body: Json, model: str) -> Json:
    """The request. Raises `Invalid` for what cannot be said."""
    blocks = to_messages.request(_for_blocks(body, model), model, strict=False)
    documents = Documents()
    thoughts = THOUGHTS if not anthropics(model) and not model.startswith("arn:") else frozenset()
    turns = [
        {
            "role": turn["role"],
            "content": list(_blocks((it for it in turn["content"] if it.get("type") not in thoughts), documents)),
        }
        for turn in blocks["messages"]
    ]
    own: Json = {"messages": [turn for turn in turns if turn["content"]]}
    if system := list(_blocks(to_messages.blocks_of(blocks.get("system")), documents)):
        own["system"] = system
    own["inferenceConfig"] = _inference(body, blocks)
    more = _model_fields(body, blocks, model)
    if config := _tools(blocks, turns, more, model):
        own["toolConfig"] = config
    own |= {name: body[name] for name in OWN if body.get(name) is not None}
    if schema := _schema(body):
        own["outputConfig"] = {**(own.get("outputConfig") or {}), "textFormat": schema}
    if body.get("service_tier") in TIERS:
        own.setdefault("serviceTier", {"type": body["service_tier"]})
    if more:
        own["additionalModelRequestFields"] = more
    return own


def _for_blocks(body: Json, model: str) -> Json:
    """The request without what Converse says in its own way."""
    wanted = body.get("response_format")
    schema = {"response_format": None} if isinstance(wanted, dict) and wanted.get("type") == "json_schema" else {}
    effort = {} if anthropics(model) else {"reasoning_effort": None}
    return {**body, **schema, **effort}


def anthropics(model: str) -> bool:
    """Whether it is one of Anthropic's models, as far as its id tells."""
    return "anthropic" in model or "claude" in model


def _inference(body: Json, blocks: Json) -> Json:
    found = {
        "maxTokens": to_messages.limit(body), "temperature": blocks.get("temperature"), "topP": body.get("top_p"),
        "stopSequences": blocks.get("stop_sequences"),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _schema(body: Json) -> Json | None:
    wanted = body.get("response_format")
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        return None
    given = wanted.get("json_schema") or {}
    if not isinstance(given.get("schema"), dict):
        raise Invalid("'response_format.json_schema.schema' is missing", param="response_format")
    schema = {"name": given.get("name"), "description": given.get("description")}
    own = {name: value for name, value in schema.items() if value}
    return {
        "type": "json_schema",
        "structure": {"jsonSchema": {**own, "schema": dumps(to_messages.closed(given["schema"]))}},
    }


# ------------------------------------------------------------------ what only the model knows

KNOWN = {*OWN, "system", "max_tokens", "messages", "stop_sequences", "tools", "tool_choice", "model", "top_p", "betas",
         "temperature", "metadata", "service_tier", "additionalModelRequestFields", "response_format"}  # fmt: skip


def _model_fields(body: Json, blocks: Json, model: str) -> Json:
    more = {name: value for name, value in blocks.items() if name not in KNOWN}
    if not anthropics(model):
        more = {
            name: value for name, value in more.items() if name not in {"thinking", "output_config"} or name in body
        }
        more |= _effort(body.get("reasoning_effort"), model)
    if "top_k" in more and "amazon.nova" in model:
        more["inferenceConfig"] = {"topK": more.pop("top_k")}
    if body.get("betas"):
        more["anthropic_beta"] = list(body["betas"])
    return {**more, **(body.get("additionalModelRequestFields") or {})}


def _effort(effort: Any, model: str) -> Json:
    """How models of different makers are told to think."""
    if not effort or effort == "none":
        return {}
    level = {"minimal": "low", "xhigh": "high", "max": "high"}.get(str(effort), str(effort))
    if "openai." in model:
        return {"reasoning_effort": level}
    if "qwen." in model:
        return {"reasoning_config": "high"}
    if "amazon.nova-2" in model:
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": level}}
    return {}


# ------------------------------------------------------------------ tools


def _tools(blocks: Json, turns: list[Json], more: Json, model: str) -> Json | None:
    """The tools and the choice. Converse wants the tools that a conversation has used to be described in any case."""
    given = blocks.get("tools") or []
    choice = blocks.get("tool_choice") or {}
    kind = choice.get("type")
    used = sorted({it["toolUse"]["name"] for turn in turns for it in turn["content"] if "toolUse" in it})
    if kind == "none" and not used:
        return None
    tools = [described for tool in given for described in _tool(tool)]
    if not tools:
        tools = [{"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}} for name in used]
    if not tools:
        return None
    config: Json = {"tools": tools}
    if kind == "none" or choice.get("disable_parallel_tool_use"):
        if anthropics(model):
            more["tool_choice"] = choice
    elif kind == "tool":
        config["toolChoice"] = {"tool": {"name": choice["name"]}}
    elif kind in {"auto", "any"}:
        config["toolChoice"] = {kind: {}}
    return config


def _tool(tool: Json) -> Iterator[Json]:
    if "systemTool" in tool or "toolSpec" in tool or "cachePoint" in tool:
        yield tool
        return
    if "input_schema" not in tool:
        raise Invalid(f"Converse does not know tools of the type {tool.get('type')!r}", param="tools")
    spec: Json = {"name": tool["name"], "inputSchema": {"json": tool["input_schema"]}}
    if tool.get("description"):
        spec["description"] = tool["description"]
    if tool.get("strict"):
        spec["strict"] = True
    yield {"toolSpec": spec}
    yield from _cache_point(tool)


# ------------------------------------------------------------------ blocks


class Documents:
    """Gives every document of a request a name of its own, in the characters that Converse allows."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def name(self, title: Any) -> str:
        plain = re.sub(r"[^A-Za-z0-9 ()\[\]-]+", " ", str(title or "Document")).strip()[:180] or "Document"
        plain = re.sub(r"\s+", " ", plain)
        name, number = plain, 1
        while name in self.taken:
            number += 1
            name = f"{plain} ({number})"
        self.taken.add(name)
        return name


def _blocks(blocks: Iterable[Json], documents: Documents) -> Iterator[Json]:
    begun = False
    for block in blocks:
        made = _block(block, documents)
        if made is not None:
            yield made
            begun = True
        if begun:
            yield from _cache_point(block)


def _cache_point(block: Json) -> Iterator[Json]:
    control = block.get("cache_control")
    if isinstance(control, dict):
        ttl = {"ttl": control["ttl"]} if control.get("ttl") else {}
        yield {"cachePoint": {"type": "default", **ttl}}


def _block(block: Json, documents: Documents) -> Json | None:
    kind = block.get("type")
    if kind == "text":
        return {"text": block["text"]} if str(block.get("text") or "").strip() else None
    if kind == "image":
        return {"image": _image(block.get("source") or {})}
    if kind == "document":
        return {"document": _document(block, documents)}
    if kind == "tool_use":
        return {"toolUse": {"toolUseId": call_id(block["id"]), "name": block["name"], "input": block["input"]}}
    if kind == "tool_result":
        return {"toolResult": _result(block, documents)}
    if kind == "thinking":
        text = {"text": block.get("thinking") or "", "signature": block.get("signature")}
        return {"reasoningContent": {"reasoningText": text}} if text["signature"] else None
    if kind == "redacted_thinking":
        data = str(block.get("data")).encode("latin-1", "replace")
        return {"reasoningContent": {"redactedContent": base64.b64encode(data).decode()}}
    if kind == "converse":
        return dict(block["block"])
    return block if kind is None and len(block) == 1 else None


def call_id(id: str) -> str:
    """The id of a call, in the characters and the length that Converse allows."""
    plain = re.sub(r"[^a-zA-Z0-9_.:-]", "_", id)
    return plain if len(plain) <= 64 else hashlib.sha256(id.encode()).hexdigest()


def _result(block: Json, documents: Documents) -> Json:
    content = list(_blocks(to_messages.blocks_of(block.get("content")), documents))
    content = [it for it in content if it.keys() & {"text", "json", "image", "document", "video"}]
    result: Json = {"toolUseId": call_id(block["tool_use_id"]), "content": content or [{"text": "(nothing)"}]}
    if "is_error" in block:
        result["status"] = "error" if block["is_error"] else "success"
    return result


def _image(source: Json) -> Json:
    if source.get("type") != "base64":
        raise Invalid("Converse takes pictures as data: URLs, not by their address", param="messages")
    made = str(source.get("media_type")).partition("/")[2]
    return {"format": {"jpg": "jpeg"}.get(made, made), "source": {"bytes": source["data"]}}


def _document(block: Json, documents: Documents) -> Json:
    source = block.get("source") or {}
    media, data = str(source.get("media_type")), source.get("data")
    if source.get("type") not in {"base64", "text"} or not isinstance(data, str):
        raise Invalid("Converse takes files as data: URLs, not by address or id", param="messages")
    if media not in FORMATS:
        raise Invalid(f"Converse does not take files of the type {media!r}", param="messages")
    if source["type"] == "text":
        data = base64.b64encode(data.encode()).decode()
    title = block.get("title")
    stem = str(title).rpartition(".")[0] or title if title else None
    return {"format": FORMATS[media], "name": documents.name(stem), "source": {"bytes": data}}
