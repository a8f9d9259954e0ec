"""Anthropic's Messages as the gateway has to know them: where their texts stand, what they may cost, what was used.

https://docs.claude.com/en/api/messages. A vendor that speaks it gets the request as it came; for others it is
translated by `messages_by_chat`.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from strata.errors import Invalid
from strata.gateway.dialect import leaves
from strata.gateway.dialects.chat import parse_usage
from strata.gateway.guardrail import Place, Text
from strata.gateway.money.estimate import whole_number
from strata.gateway.translations.from_messages import counted
from strata.types import Json, Usage

KINDS: tuple[str, ...] = ("chat",)
FREE = False
REPEATS = True
SPOKEN = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
"""Deltas that say something, and where."""


def check(body: Json) -> None:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise Invalid("'messages' must be a list with at least one message", param="messages")


def bound(body: Json, default: int) -> int:
    if not body.get("max_tokens"):
        body["max_tokens"] = default
        return default
    return whole_number(body, "max_tokens")


def usage(answer: Json, so_far: Usage | None = None) -> Usage | None:
    """A stream says at its start what the prompt came to, and at its end, as sums, what changed since."""
    message = answer.get("message")
    found = (message if isinstance(message, dict) else answer).get("usage")
    if not isinstance(found, dict):
        return None
    if so_far is not None:
        found = usage_json(so_far) | {name: value for name, value in found.items() if value is not None}
    used = parse_usage(counted(found))
    return used if used.total_tokens or so_far is not None else None


def usage_json(usage: Usage) -> Json:
    """Usage as Anthropic's object, where `input_tokens` leave out what came from a cache or went into one."""
    hour = usage.cache_write_hour_tokens
    lasting = {"ephemeral_5m_input_tokens": usage.cache_write_tokens - hour, "ephemeral_1h_input_tokens": hour}
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
        **({"cache_creation": lasting} if hour else {}),
    }


def said(answer: Json) -> Iterator[str]:
    if (delta := answer.get("delta")) is not None:
        name = SPOKEN.get(str(delta.get("type")))
        if name and isinstance(delta.get(name), str):
            yield delta[name]
        return
    for block in answer.get("content") or ():
        kind = block.get("type")
        if kind in {"text", "thinking"}:
            yield block.get(kind) or ""
        elif kind == "tool_use":
            yield orjson.dumps(block.get("input") or {}).decode()


def whole(answer: Json) -> bool:
    return isinstance(answer.get("content"), list) and all(isinstance(block, dict) for block in answer["content"])


def shown(piece: Json, model: str) -> bool:
    """The last two events of a stream are kept until it is known what it cost."""
    kind = piece.get("type")
    if kind == "message":
        piece["model"] = model
    elif kind == "message_start":
        piece["message"]["model"] = model
    elif kind in {"message_delta", "message_stop"}:
        return False
    return True


def closing(kept: list[Json], last: Json, usage: Usage, cost: Json) -> list[Json]:  # noqa: ARG001
    for piece in kept:
        if piece.get("type") == "message_delta":
            piece["usage"] = usage_json(usage) | (piece.get("usage") or {}) | cost
    return kept


# ------------------------------------------------------------------ texts


def request_texts(body: Json) -> list[Text]:
    texts: list[Text] = []
    _content("system", "system", body, "system", texts)
    for number, message in enumerate(body["messages"]):
        role = message.get("role")
        place: Place = "output" if role == "assistant" else "system" if role == "system" else "input"
        _content(place, str(number), message, "content", texts)
    return texts


def answer_texts(answer: Json) -> list[Text]:
    texts: list[Text] = []
    _content("output", "", answer, "content", texts)
    return texts


def piece_texts(piece: Json) -> list[Text]:
    kind, channel = piece.get("type"), str(piece.get("index"))
    if kind == "content_block_delta":
        delta = piece.get("delta") or {}
        name = SPOKEN.get(str(delta.get("type")))
        if name and isinstance(delta.get(name), str) and delta[name]:
            return [Text("tool" if name == "partial_json" else "output", channel, delta, name)]
    elif kind == "content_block_start":
        block = piece.get("content_block") or {}
        name = str(block.get("type"))
        if name in {"text", "thinking"} and isinstance(block.get(name), str) and block[name]:
            return [Text("output", channel, block, name)]
    return []


def whole_texts(piece: Json) -> list[Text]:
    """Passages that are cited, and blocks that come in one piece."""
    texts: list[Text] = []
    channel = f"{piece.get('index')}.whole"
    if piece.get("type") == "content_block_start":
        block = piece.get("content_block") or {}
        if block.get("type") not in {"text", "thinking"}:
            _block("output", channel, block, texts)
    elif piece.get("type") == "content_block_delta":
        delta = piece.get("delta") or {}
        if isinstance(delta.get("citation"), dict):
            texts += leaves("output", channel, delta["citation"], {"cited_text"})
    return texts


def ended(piece: Json) -> list[str]:
    return [str(piece.get("index"))] if piece.get("type") == "content_block_stop" else []


def tail(piece: Json, channel: str, text: str) -> Json:
    before = piece.get("delta") or {}
    kind = str(before.get("type"))
    if kind not in SPOKEN:
        kind = f"{(piece.get('content_block') or {}).get('type', 'text')}_delta"
    index = int(channel.partition(".")[0])
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, SPOKEN[kind]: text}}


def _content(place: Place, channel: str, holder: Json, key: str, texts: list[Text]) -> None:
    content = holder.get(key)
    if isinstance(content, str):
        if content:
            texts.append(Text(place, channel, holder, key))
    elif isinstance(content, list):
        for number, block in enumerate(content):
            if isinstance(block, dict):
                _block(place, f"{channel}.{number}" if channel else str(number), block, texts)


def _block(place: Place, channel: str, block: Json, texts: list[Text]) -> None:
    kind = block.get("type")
    if kind in {"text", "thinking"}:
        if isinstance(block.get(kind), str) and block[kind]:
            texts.append(Text(place, channel, block, kind))
        texts += leaves(place, f"{channel}.cited", block.get("citations"), {"cited_text"})
    elif kind in {"tool_use", "server_tool_use", "mcp_tool_use"}:
        texts += leaves("tool", channel, block.get("input"))
    elif kind in {"document", "search_result"}:
        _document(channel, block, texts)
    elif isinstance(kind, str) and kind.endswith("tool_result"):
        content = block.get("content")
        if kind == "tool_result":
            _content("retrieved", channel, block, "content", texts)
        else:
            texts += leaves("retrieved", channel, content, READABLE)


READABLE = {"text", "title", "stdout", "stderr", "data", "content"}
"""What a model reads of the results of the vendor's own tools; the rest is opaque."""


def _document(channel: str, block: Json, texts: list[Text]) -> None:
    source = block.get("source")
    texts += [
        Text("retrieved", f"{channel}.{name}", block, name)
        for name in ("title", "context")
        if isinstance(block.get(name), str) and block[name]
    ]
    if isinstance(source, dict):
        if source.get("type") == "text" and isinstance(source.get("data"), str):
            texts.append(Text("retrieved", channel, source, "data"))
        elif source.get("type") == "content":
            _content("retrieved", channel, source, "content", texts)
    _content("retrieved", f"{channel}.content", block, "content", texts)
