"""OpenAI's Responses as the gateway has to know them: where their texts stand, what they may cost, what was used.

https://platform.openai.com/docs/api-reference/responses. A vendor that speaks it gets the request as it came, but for
two things: nothing is stored unless the caller asks for it, and an answer is never put off (`background`), because it
has to be paid for when it ends. For others the request is translated by `responses_by_chat`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from strata.errors import Invalid
from strata.gateway.dialect import count, leaves
from strata.gateway.guardrail import Place, Text
from strata.gateway.money.estimate import whole_number
from strata.types import Json, Usage

KINDS: tuple[str, ...] = ("chat",)
FREE = False
REPEATS = True
ROLES: dict[str, Place] = {"system": "system", "developer": "system", "assistant": "output"}
CALLS = {
    "function_call": "arguments", "custom_tool_call": "input", "mcp_call": "arguments", "mcp_approval_request": "arguments",
    "code_interpreter_call": "code",
}  # fmt: skip
"""Items that call a tool, and where their arguments stand."""

PARTS = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text", "summary_text": "text"}
LAST = {"response.completed", "response.incomplete", "response.failed"}


def check(body: Json) -> None:
    given = body.get("input")
    continues = any(body.get(name) for name in ("previous_response_id", "conversation", "prompt"))
    if given is not None and (not isinstance(given, str | list) or not (given or continues)):
        raise Invalid("'input' must be a text or a list of items, not empty", param="input")
    if isinstance(given, list) and not all(isinstance(item, dict) for item in given):
        raise Invalid("each item of 'input' must be an object", param="input")
    body.pop("background", None)
    if body.get("store") is None:
        body["store"] = False
        _self_contained(body)


def _self_contained(body: Json) -> None:
    """Items of earlier answers that were not stored cannot be named by their id: those that hold nothing else go."""
    if isinstance(body.get("input"), list):
        body["input"] = [
            {name: value for name, value in item.items() if name != "id"}
            if item.get("type") in {None, "message", "function_call", "custom_tool_call"}
            else item
            for item in body["input"]
            if item.get("type") != "reasoning" or item.get("encrypted_content") or item.get("content")
        ]


def bound(body: Json, default: int) -> int:
    if not body.get("max_output_tokens"):
        body["max_output_tokens"] = default
        return default
    return whole_number(body, "max_output_tokens")


def usage(answer: Json, so_far: Usage | None = None) -> Usage | None:  # noqa: ARG001 - the latest counts
    response = answer.get("response")
    found = (response if isinstance(response, dict) else answer).get("usage")
    if not isinstance(found, dict):
        return None
    prompt, completion = count(found.get("input_tokens")), count(found.get("output_tokens"))
    inside, outside = found.get("input_tokens_details"), found.get("output_tokens_details")
    cached = count(inside.get("cached_tokens")) if isinstance(inside, dict) else 0
    written = count(inside.get("cache_write_tokens")) if isinstance(inside, dict) else 0
    reasoning = count(outside.get("reasoning_tokens")) if isinstance(outside, dict) else 0
    cached = min(cached, prompt)
    return Usage(prompt, completion, cached, min(reasoning, completion), min(written, prompt - cached))


def usage_json(usage: Usage) -> Json:
    """Usage as the object of Responses."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.cache_write_tokens},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def said(answer: Json) -> Iterator[str]:
    if "output" not in answer:
        delta = answer.get("delta")
        if isinstance(delta, str):
            yield delta
        return
    for text in answer_texts(answer):
        yield text.value


def whole(answer: Json) -> bool:
    return isinstance(answer.get("output"), list) and all(isinstance(item, dict) for item in answer["output"])


def shown(piece: Json, model: str) -> bool:
    """The last event of a stream is kept until it is known what it cost."""
    if "output" in piece and "type" not in piece:
        piece["model"] = model
    elif isinstance(response := piece.get("response"), dict):
        response["model"] = model
    return piece.get("type") not in LAST


def closing(kept: list[Json], last: Json, usage: Usage, cost: Json) -> list[Json]:  # noqa: ARG001
    for piece in kept:
        if isinstance(response := piece.get("response"), dict):
            response["usage"] = usage_json(usage) | (response.get("usage") or {}) | cost
    return kept


# ------------------------------------------------------------------ texts


def request_texts(body: Json) -> list[Text]:
    texts: list[Text] = []
    for name, place in (("instructions", "system"), ("input", "input")):
        if isinstance(body.get(name), str) and body[name]:
            texts.append(Text("system" if place == "system" else "input", name, body, name))
    if isinstance(body.get("instructions"), list):
        for number, item in enumerate(body["instructions"]):
            _item(f"instructions.{number}", item, texts, "system")
    if isinstance(body.get("input"), list):
        for number, item in enumerate(body["input"]):
            _item(str(number), item, texts, ROLES.get(str(item.get("role")), "input"))
    if isinstance(prompt := body.get("prompt"), dict):
        texts += leaves("input", "prompt", prompt.get("variables"))
    return texts


def answer_texts(answer: Json) -> list[Text]:
    texts: list[Text] = []
    for number, item in enumerate(answer.get("output") or ()):
        _item(str(number), item, texts, "output")
    return texts


def piece_texts(piece: Json) -> list[Text]:
    kind = piece.get("type", "")
    if not kind.endswith(".delta") or not isinstance(piece.get("delta"), str) or not piece["delta"]:
        return []
    if piece.get("logprobs"):
        piece["logprobs"] = []  # they would tell what a guardrail takes out
    place, channel = _channel(piece, kind)
    return [Text(place, channel, piece, "delta")] if channel else []


def whole_texts(piece: Json) -> list[Text]:
    texts: list[Text] = []
    kind = piece.get("type", "")
    if kind in LAST:
        return answer_texts(piece["response"])
    if kind in {"response.output_item.added", "response.output_item.done"}:
        _item(str(piece.get("output_index")), piece.get("item") or {}, texts, "output")
        return texts
    place, channel = _channel(piece, kind)
    if not channel:
        return texts
    part = piece.get("part")
    if isinstance(part, dict):
        _part(place, channel, part, texts)
    elif kind.endswith(".done"):
        if piece.get("logprobs"):
            piece["logprobs"] = []
        texts += [
            Text(place, channel, piece, name)
            for name in ("text", "refusal", "arguments", "input", "code")
            if isinstance(piece.get(name), str) and piece[name]
        ]
    return texts


def ended(piece: Json) -> list[str]:
    kind = piece.get("type", "")
    if kind == "response.output_item.done":
        return [str(piece.get("output_index"))]
    if kind.endswith(".done"):
        _, channel = _channel(piece, kind)
        return [channel] if channel else []
    return []


def tail(piece: Json, channel: str, text: str) -> Json:  # noqa: ARG001 - the piece is of that channel
    return {name: value for name, value in piece.items() if name != "obfuscation"} | {"delta": text}


def _channel(piece: Json, kind: str) -> tuple[Place, str]:
    """The channel that an event of a stream belongs to; empty for one that says nothing."""
    name, item = kind.removeprefix("response."), piece.get("output_index")
    if name.startswith(("output_text.", "refusal.", "content_part.")):
        part = piece.get("part")
        if isinstance(part, dict) and part.get("type") == "reasoning_text":
            return "output", f"{item}.reasoning.{piece.get('content_index')}"
        return "output", f"{item}.{piece.get('content_index')}"
    if name.startswith("reasoning_summary"):
        return "output", f"{item}.summary.{piece.get('summary_index')}"
    if name.startswith("reasoning_text."):
        return "output", f"{item}.reasoning.{piece.get('content_index')}"
    if name.startswith((
        "function_call_arguments.", "custom_tool_call_input.", "mcp_call_arguments.", "code_interpreter_call_code."
    )):  # fmt: skip
        return "tool", f"{item}.tool"
    return "output", ""


def _item(channel: str, item: Any, texts: list[Text], place: Place) -> None:
    if not isinstance(item, dict):
        return
    kind = item.get("type") or "message"
    if kind == "message":
        _content(place, channel, item, "content", texts)
    elif kind == "reasoning":
        for name, run in (("summary", "summary"), ("content", "reasoning")):
            _content("output", f"{channel}.{run}", item, name, texts)
    elif kind in CALLS:
        name = CALLS[kind]
        if isinstance(item.get(name), str) and item[name]:
            texts.append(Text("tool", f"{channel}.tool", item, name))
        texts += leaves("retrieved", f"{channel}.result", {"": item.get("outputs")}, {"logs"})
    elif kind.endswith("_call"):
        texts += leaves("tool", f"{channel}.tool", {"": item.get("action"), "_": item.get("operation")})
        texts += leaves("retrieved", f"{channel}.result", {"": item.get("results")}, {"text"})
    if isinstance(item.get("output"), str | list):
        _content("retrieved", f"{channel}.output", item, "output", texts)


def _content(place: Place, channel: str, holder: Json, key: str, texts: list[Text]) -> None:
    content = holder.get(key)
    if isinstance(content, str):
        if content:
            texts.append(Text(place, channel, holder, key))
    elif isinstance(content, list):
        for number, part in enumerate(content):
            _part(place, f"{channel}.{number}", part, texts)


def _part(place: Place, channel: str, part: Any, texts: list[Text]) -> None:
    if not isinstance(part, dict):
        return
    name = PARTS.get(str(part.get("type")), "text")
    if isinstance(part.get(name), str) and part[name]:
        texts.append(Text(place, channel, part, name))
        if place == "output" and part.get("logprobs"):
            part["logprobs"] = []
    texts += [
        Text("retrieved", f"{channel}.{name}", part, name)
        for name in ("stdout", "stderr")
        if isinstance(part.get(name), str) and part[name]
    ]
