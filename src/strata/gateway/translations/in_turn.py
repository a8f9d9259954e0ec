"""Reads the chunks of a chat answer as a row of blocks, each ended before the next begins: thoughts, text, tool calls.

Vendors may send the arguments of several calls in turns. Dialects that speak in blocks cannot, so that the pieces of
later calls wait here until the earlier call's arguments are whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from strata.gateway.translations.kept import Kept
from strata.types import Json

Key = tuple[Any, ...]


class Speaker(Protocol):
    """Says the blocks in a dialect. `kind` is `thinking`, `text`, `refusal` or `tool`."""

    def opened(self, kind: str, call: Json) -> None:
        """A block begins; of a tool's call, `id` and `name` are known."""
        ...

    def said(self, kind: str, text: str) -> None: ...

    def closed(self, kind: str) -> None: ...

    def told(self, block: Json) -> None:
        """The vendor says something of a block that chat has no words for."""
        ...


@dataclass(slots=True)
class InTurn:
    """Reads one answer; of several choices the first. `reason`, `used` and `kept` are complete at the end."""

    speaker: Speaker
    kept: Kept = field(default_factory=Kept)
    used: Json = field(default_factory=dict)
    reason: str | None = None
    called: bool = False
    refused: bool = False
    _now: Key | None = None
    _arguments: list[str] = field(default_factory=list)
    _waiting: list[tuple[Key, Json, str]] = field(default_factory=list)
    _done: set[Key] = field(default_factory=set)

    def feed(self, chunk: Json) -> None:
        self.used = chunk.get("usage") or self.used
        for choice in chunk.get("choices") or ():
            if not choice.get("index"):
                self._delta(choice.get("delta") or {})
                self.reason = choice.get("finish_reason") or self.reason

    def end(self) -> None:
        order = list(dict.fromkeys(step[0] for step in self._waiting))
        for step in sorted(self._waiting, key=lambda step: order.index(step[0])):
            self._go(*step)
        self._waiting.clear()
        self.close()

    def close(self) -> None:
        """End the block that is open."""
        if self._now is not None:
            kind, *_ = now = self._now
            self._now = None
            if kind == "tool":
                self._done.add(now)
            self.speaker.closed(kind)

    @property
    def open(self) -> str:
        """The kind of the block that is open."""
        return str(self._now[0]) if self._now else ""

    def _delta(self, delta: Json) -> None:
        if thought := text_of(delta.get("reasoning_content")):
            self._step(("thinking",), {}, thought)
        if text := text_of(delta.get("content")):
            self._step(("text",), {}, text)
        if refusal := text_of(delta.get("refusal")):
            self.refused = True
            self._step(("refusal",), {}, refusal)
        for number, call in enumerate(delta.get("tool_calls") or ()):
            self.called = True
            function = call.get("function") or {}
            own = {"id": call.get("id") or "", "name": function.get("name") or ""}
            self._step(("tool", call.get("index", number)), own, function.get("arguments") or "")
        if "provider_fields" in delta or "tool_calls" in delta:
            self.kept.hear(delta)
            fields = delta.get("provider_fields")
            for block in (fields.get("blocks") if isinstance(fields, dict) else None) or ():
                self.speaker.told(block)

    def _step(self, key: Key, call: Json, text: str) -> None:
        if key != self._now and self._incomplete():
            self._waiting.append((key, call, text))
            return
        self._go(key, call, text)
        if self._waiting and not self._incomplete():
            waiting, self._waiting = self._waiting, []
            for step in waiting:
                self._step(*step)

    def _go(self, key: Key, call: Json, text: str) -> None:
        if key in self._done:
            return
        if key != self._now:
            self.close()
            self._now = key
            self._arguments.clear()
            self.speaker.opened(key[0], call)
        if text:
            self._arguments.append(text)
            self.speaker.said(key[0], text)

    def _incomplete(self) -> bool:
        """Whether the open block is a call whose arguments are still to come."""
        if self._now is None or self._now[0] != "tool":
            return False
        try:
            orjson.loads("".join(self._arguments))
        except ValueError:
            return True
        return False


def text_of(content: Any) -> str:
    """The text of a message, whether it is one or comes in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
