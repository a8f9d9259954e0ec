"""What a vendor wants back unchanged when a conversation goes on, carried by clients who know nothing of it.

Chat answers hold it under `provider_fields` (`dialects/answer.py`). Where another dialect has a place for something
opaque (Anthropic's redacted thinking, OpenAI's encrypted reasoning), it travels there as one sealed text.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import orjson

from strata.types import Json

SEAL = "strata.1."
WANTED = ("blocks", "thought_signature", "parts")
"""What a vendor reads again; the rest of its fields only tells the caller something."""


@dataclass(slots=True)
class Kept:
    """Gathers the fields of one answer from its message, or from the deltas of it."""

    fields: Json = field(default_factory=dict)
    calls: dict[str, Json] = field(default_factory=dict)
    ids: dict[int, str] = field(default_factory=dict)

    def hear(self, message: Json) -> None:
        for name, value in _table(message.get("provider_fields")).items():
            before = self.fields.get(name)
            self.fields[name] = [*before, *value] if isinstance(before, list) and isinstance(value, list) else value
        for number, call in enumerate(message.get("tool_calls") or ()):
            index = call.get("index", number)
            if call.get("id"):
                self.ids[index] = call["id"]
            if (own := _table(call.get("provider_fields"))) and index in self.ids:
                self.calls[self.ids[index]] = own

    def sealed(self, known: frozenset[str] = frozenset()) -> str:
        """Empty where there is nothing but blocks of these kinds, which the dialect holds itself."""
        fields = {name: self.fields[name] for name in WANTED if self.fields.get(name)}
        if all(isinstance(it, dict) and it.get("type") in known for it in fields.get("blocks") or ()):
            fields.pop("blocks", None)
        if not fields and not self.calls:
            return ""
        return SEAL + base64.b64encode(orjson.dumps({"fields": fields, "calls": self.calls})).decode()


def unsealed(text: Any) -> Json | None:
    """What was sealed; None for a text that was not, or was changed since."""
    if not isinstance(text, str) or not text.startswith(SEAL):
        return None
    try:
        found = orjson.loads(base64.b64decode(text[len(SEAL) :], validate=True))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def put_back(message: Json, kept: Json) -> None:
    """Give an assistant's message the fields that its vendor wants to see again."""
    if fields := _table(kept.get("fields")):
        message["provider_fields"] = {**_table(message.get("provider_fields")), **fields}
    calls = _table(kept.get("calls"))
    for call in message.get("tool_calls") or ():
        if own := _table(calls.get(call.get("id"))):
            call["provider_fields"] = own


def _table(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
