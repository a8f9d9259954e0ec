"""Makes an answer in the gateway's own dialect of what Anthropic's Messages answer, whole or event by event.

https://docs.claude.com/en/api/messages-streaming. Events, blocks and fields that are not known here lose nothing: what
the gateway's dialect cannot hold is kept under `provider_fields`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from strata.gateway.translations.answer import Answer, dumps, usage
from strata.types import Json

REASONS = {
    "end_turn": "stop", "stop_sequence": "stop", "tool_use": "tool_calls", "max_tokens": "length",
    "model_context_window_exceeded": "length", "refusal": "content_filter", "pause_turn": "stop",
}  # fmt: skip
PLAIN_REASONS = {"end_turn", "max_tokens", "tool_use"}
"""Those that the finish reason tells in full."""


def completion(message: Json) -> Json:
    """A whole Message as a chat.completion. Raises TypeError for JSON that is no Message."""
    if not isinstance(message.get("content"), list):
        raise TypeError("a message without content")
    reading = Reading()
    answer = reading.answer
    answer.id, answer.model = str(message.get("id") or ""), str(message.get("model") or "")
    reading.count(message.get("usage"))
    for index, block in enumerate(message["content"]):
        if isinstance(block, dict):
            reading.start(index, block)
            reading.stop(index)
    reading.finish(message)
    return answer.completion()


@dataclass(slots=True)
class Block:
    """A block that is being received: what it began as, with all that came since; `call` is its tool call's index."""

    it: Json
    length: int = 0
    call: int = -1
    json: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    """Reads one answer. `done` once the vendor said that it is whole."""

    answer: Answer = field(default_factory=Answer)
    done: bool = False
    _used: Json = field(default_factory=dict)
    _open: dict[Any, Block] = field(default_factory=dict)

    def chunks(self, events: Iterable[Json]) -> list[Json]:
        """The chunks that these events come to; perhaps none."""
        for event in events:
            self._read(event)
        return self.answer.taken()

    def _read(self, event: Json) -> None:
        kind = event.get("type")
        if kind == "content_block_delta":
            self._more(event.get("index"), event.get("delta") or {})
        elif kind == "content_block_start":
            self.start(event.get("index"), event.get("content_block") or {})
        elif kind == "content_block_stop":
            self.stop(event.get("index"))
        elif kind == "message_start":
            message = event.get("message") or {}
            self.answer.id, self.answer.model = str(message.get("id") or ""), str(message.get("model") or "")
            self.count(message.get("usage"))
            self.answer.begin()
        elif kind == "message_delta":
            self.count(event.get("usage"))
            self.finish(event.get("delta") or {})
        elif kind == "message_stop":
            self.done = True
            self.answer.counted()

    # -------------------------------------------------------------- blocks

    def start(self, index: Any, block: Json) -> None:
        kind = block.get("type")
        now = self._open[index] = Block(dict(block))
        if kind == "text":
            self._say(now, block.get("text"))
        elif kind == "thinking":
            self._think(now, block.get("thinking"))
        elif kind == "tool_use":
            now.call = self.answer.call(str(block.get("id") or ""), str(block.get("name") or ""))

    def _more(self, index: Any, delta: Json) -> None:
        now = self._open.get(index)
        if now is None:
            now = self._open[index] = Block({"type": "text"})
        kind = delta.get("type")
        if kind == "text_delta":
            self._say(now, delta.get("text"))
        elif kind == "thinking_delta":
            self._think(now, delta.get("thinking"))
        elif kind == "input_json_delta":
            piece = delta.get("partial_json") or ""
            now.json.append(piece)
            if now.call >= 0:
                self.answer.arguments(now.call, piece)
        elif kind == "citations_delta":
            now.it["citations"] = [*(now.it.get("citations") or ()), delta.get("citation")]
        else:
            _join(now.it, {name: value for name, value in delta.items() if name != "type"})

    def stop(self, index: Any) -> None:
        now = self._open.pop(index, None)
        if now is None:
            return
        kind = now.it.get("type")
        if now.call >= 0:
            if not "".join(now.json):
                self.answer.arguments(now.call, dumps(now.it.get("input") or {}))
            more = {name: now.it[name] for name in now.it.keys() - {"type", "id", "name", "input"}}
            plain = more.get("caller") in (None, {"type": "direct"}) and not more.keys() - {"caller"}
            self.answer.end({"type": "tool_use", "id": str(now.it.get("id") or ""), **more}, plain=plain)
        elif kind in {"text", "thinking"}:
            more = {name: value for name, value in now.it.items() if name not in {"type", kind} and value}
            self.answer.end({"type": kind, "length": now.length, **more}, plain=not more)
        else:
            if joined := "".join(now.json):
                now.it["input"] = _parsed(joined)
            self.answer.end(now.it, plain=False)

    def _say(self, now: Block, text: Any) -> None:
        if isinstance(text, str):
            now.length += len(text)
            self.answer.text(text)

    def _think(self, now: Block, text: Any) -> None:
        if isinstance(text, str):
            now.length += len(text)
            self.answer.reasoning(text)

    # -------------------------------------------------------------- the end

    def finish(self, said: Json) -> None:
        """Take why it stopped from a Message or a message_delta."""
        for index in list(self._open):
            self.stop(index)
        reason = said.get("stop_reason")
        self.answer.tell(
            stop_reason=reason if reason not in PLAIN_REASONS else None,
            stop_sequence=said.get("stop_sequence"),
            stop_details=said.get("stop_details"),
            container=said.get("container"),
            context_management=said.get("context_management"),
        )
        if reason is not None:
            self.answer.finish(REASONS.get(str(reason), "stop"))

    def count(self, used: Any) -> None:
        """Each usage holds the sums so far; what it leaves out stays as it was."""
        if isinstance(used, dict):
            self._used |= {name: value for name, value in used.items() if value is not None}
            self.answer.usage = counted(self._used)


def counted(used: Json) -> Json:
    """Anthropic's usage in the gateway's own dialect; what only Anthropic counts is under `provider_fields`.

    Tokens spent on making a long conversation shorter stand only in `iterations`, and are paid for like the others.
    """
    made = [it for it in used.get("iterations") or () if isinstance(it, dict) and it.get("type") == "compaction"]
    sums = {
        name: sum(_count(it.get(name)) for it in (used, *made))
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    }
    details = used.get("output_tokens_details")
    whole = usage(
        sums["input_tokens"], sums["output_tokens"],
        cached=sums["cache_read_input_tokens"], created=sums["cache_creation_input_tokens"],
        reasoning=_count(details.get("thinking_tokens")) if isinstance(details, dict) else 0,
    )  # fmt: skip
    more = {
        name: used[name]
        for name in ("server_tool_use", "cache_creation", "service_tier", "iterations")
        if used.get(name)
    }
    return {**whole, "provider_fields": more} if more else whole


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _join(block: Json, more: Json) -> None:
    """Add what came to a block of a kind that is not known here: texts grow, the rest is set."""
    for name, value in more.items():
        before = block.get(name)
        block[name] = before + value if isinstance(before, str) and isinstance(value, str) else value


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return text
