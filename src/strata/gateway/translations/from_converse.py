"""Makes an answer in the gateway's own dialect of what Bedrock's Converse answers, whole or event by event.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html. Blocks that are not known here are
kept as they are, as `{"type": "converse", "block": …}` among the message's `provider_fields.blocks`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import orjson

from strata.gateway.translations.answer import Answer, dumps, usage
from strata.types import Json

REASONS = {
    "end_turn": "stop", "stop_sequence": "stop", "tool_use": "tool_calls", "max_tokens": "length",
    "model_context_window_exceeded": "length", "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}  # fmt: skip
PLAIN_REASONS = {"end_turn", "max_tokens", "tool_use"}
SERVER_TOOL = "server_tool_use"


def completion(said: Json, id: str, model: str) -> Json:
    """A whole answer of Converse as a chat.completion. Raises LookupError for JSON that is none."""
    reading = Reading(Answer(id=id, model=model))
    for index, block in enumerate(said["output"]["message"]["content"]):
        if isinstance(block, dict):
            reading.whole(index, block)
    reading.count(said.get("usage"))
    reading.finish(said)
    reading.tell(said)
    return reading.answer.completion()


@dataclass(slots=True)
class Block:
    """A block that is being received. `kind` is the member of the union that it turned out to be; `it` collects one
    that is kept as it is.
    """

    kind: str = ""
    length: int = 0
    signature: str = ""
    redacted: list[bytes] = field(default_factory=list)
    call: int = -1
    id: str = ""
    json: list[str] = field(default_factory=list)
    it: Json = field(default_factory=dict)
    citations: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    """Reads one answer. `done` once the vendor said why it ended."""

    answer: Answer
    done: bool = False
    _open: dict[int, Block] = field(default_factory=dict)

    def read(self, name: str, event: Json) -> None:
        """One event of the stream; those that are not known say nothing."""
        index = event.get("contentBlockIndex", 0)
        if name == "contentBlockDelta":
            self._more(index, event.get("delta") or {})
        elif name == "contentBlockStart":
            self._start(index, event.get("start") or {})
        elif name == "contentBlockStop":
            self._stop(index)
        elif name == "messageStart":
            self.answer.begin()
        elif name == "messageStop":
            self.done = True
            self.finish(event)
        elif name == "metadata":
            self.count(event.get("usage"))
            self.tell(event)
            self.answer.counted()

    # -------------------------------------------------------------- blocks

    def whole(self, index: int, block: Json) -> None:
        """A block of an answer that was not streamed, as the pieces that it could have come in."""
        reasoning = block.get("reasoningContent")
        if "text" in block:
            self._more(index, {"text": block["text"]})
        elif isinstance(reasoning, dict):
            text = reasoning.get("reasoningText") or {}
            for piece in ({"text": text.get("text")}, {"signature": text.get("signature")}, reasoning):
                self._more(index, {"reasoningContent": piece})
        elif "citationsContent" in block:
            cited = block["citationsContent"]
            for part in cited.get("content") or ():
                self._more(index, {"text": part.get("text")})
            for citation in cited.get("citations") or ():
                self._more(index, {"citation": citation})
        elif "toolUse" in block:
            self._start(index, {"toolUse": block["toolUse"]})
            self._more(index, {"toolUse": {"input": dumps(block["toolUse"].get("input") or {})}})
        else:
            self._open[index] = Block("kept", it=block)
        self._stop(index)

    def _start(self, index: int, start: Json) -> None:
        now = self._open[index] = Block()
        tool = start.get("toolUse")
        if isinstance(tool, dict) and tool.get("type") != SERVER_TOOL:
            now.kind, now.id = "toolUse", str(tool.get("toolUseId") or "")
            now.call = self.answer.call(now.id, str(tool.get("name") or ""))
        else:
            now.kind = "kept"
            now.it = {name: dict(value) if isinstance(value, dict) else value for name, value in start.items()}
            for value in now.it.values():
                if isinstance(value, dict):
                    value.pop("input", None)

    def _more(self, index: int, delta: Json) -> None:
        now = self._open.setdefault(index, Block())
        if isinstance(text := delta.get("text"), str):
            now.kind = now.kind or "text"
            now.length += len(text)
            self.answer.text(text)
        if isinstance(thought := delta.get("reasoningContent"), dict):
            now.kind = "reasoningContent"
            self._think(now, thought)
        if isinstance(tool := delta.get("toolUse"), dict):
            piece = str(tool.get("input") or "")
            now.json.append(piece)
            if now.call >= 0:
                self.answer.arguments(now.call, piece)
        if delta.get("citation") is not None:
            now.citations.append(delta["citation"])
        if isinstance(results := delta.get("toolResult"), list):
            held = now.it.setdefault("toolResult", {})
            held["content"] = [*held.get("content", ()), *results]

    def _think(self, now: Block, thought: Json) -> None:
        if isinstance(text := thought.get("text"), str):
            now.length += len(text)
            self.answer.reasoning(text)
        if isinstance(signature := thought.get("signature"), str):
            now.signature += signature
        if isinstance(redacted := thought.get("redactedContent"), str):
            now.redacted.append(base64.b64decode(redacted))

    def _stop(self, index: int) -> None:
        now = self._open.pop(index, None)
        if now is None:
            return
        if now.kind == "text":
            cited = {"citations": now.citations} if now.citations else {}
            self.answer.end({"type": "text", "length": now.length, **cited}, plain=not cited)
        elif now.kind == "reasoningContent" and now.redacted:
            data = b"".join(now.redacted).decode("latin-1")
            self.answer.end({"type": "redacted_thinking", "data": data}, plain=False)
        elif now.kind == "reasoningContent":
            signed = {"signature": now.signature} if now.signature else {}
            self.answer.end({"type": "thinking", "length": now.length, **signed}, plain=not signed)
        elif now.call >= 0:
            if not "".join(now.json):
                self.answer.arguments(now.call, "{}")
            self.answer.end({"type": "tool_use", "id": now.id}, plain=True)
        elif now.it:
            if "toolUse" in now.it:
                now.it["toolUse"] = {**now.it["toolUse"], "input": _input(now)}
            self.answer.end({"type": "converse", "block": now.it}, plain=False)

    # -------------------------------------------------------------- the end

    def finish(self, said: Json) -> None:
        """Take why it stopped from a whole answer or a messageStop."""
        for index in list(self._open):
            self._stop(index)
        reason = said.get("stopReason")
        self.answer.tell(
            stop_reason=reason if reason not in PLAIN_REASONS else None,
            additionalModelResponseFields=said.get("additionalModelResponseFields"),
        )
        self.answer.finish(REASONS.get(str(reason), "stop"))

    def tell(self, said: Json) -> None:
        """What a guardrail of Bedrock found, and how the call was served."""
        self.answer.tell(**{name: said.get(name) for name in ("trace", "performanceConfig", "serviceTier")})

    def count(self, used: Any) -> None:
        if isinstance(used, dict):
            self.answer.usage = counted(used)


def counted(used: Json) -> Json:
    """Converse's usage in the gateway's own dialect: its input tokens leave out those of caches."""
    names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    prompt, completion, read, written = (_count(used.get(name)) for name in names)
    return usage(prompt, completion, cached=read, created=written)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _input(now: Block) -> Any:
    text = "".join(now.json)
    try:
        return orjson.loads(text or "{}")
    except ValueError:
        return text
