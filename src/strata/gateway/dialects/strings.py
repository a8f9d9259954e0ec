"""Every text inside a piece of JSON whose shape is not known, for guardrails: nothing goes past them for being new."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from strata.errors import Invalid
from strata.gateway.guardrail import Place, Text
from strata.types import Json

NOT_TEXT = frozenset({
    "type", "id", "index", "role", "name", "data", "url", "uri", "media_type", "mime_type", "mimeType", "format",
    "signature", "thought_signature", "thoughtSignature", "encrypted_content", "file_id", "tool_use_id", "call_id",
    "cache_control", "detail", "status", "stop_reason", "model", "$ref", "$schema", "pattern", "bytes",
})  # fmt: skip
"""Fields that hold names, places, or what only a vendor can read."""

DEEPEST = 40


def strings(holder: Any, place: Place, channel: str, depth: int = 0) -> Iterator[Text]:
    """The texts in a dict or a list, at any depth."""
    if depth > DEEPEST:
        return
    items = holder.items() if isinstance(holder, dict) else enumerate(holder) if isinstance(holder, list) else ()
    for key, value in items:
        if key in NOT_TEXT:
            continue
        if isinstance(value, str) and value:
            yield Text(place, f"{channel}.{key}", holder, key)
        elif isinstance(value, dict | list):
            yield from strings(value, place, f"{channel}.{key}", depth + 1)


PACKED = frozenset({"data", "url", "uri", "image_url", "file_data", "file_url"})
"""Where pictures and files stand, or where they are: no text unless there are spaces in it."""

WORD = re.compile(r"[A-Za-z_./:-]{0,64}")
NAME = re.compile(r"[\w./:+=-]*")

PLACES: dict[str, Place] = {
    "tools": "system", "functions": "system", "response_format": "system", "text": "system", "output_config": "system",
    "output_format": "system", "system": "system", "instructions": "system", "documents": "retrieved",
}  # fmt: skip
ROLES: dict[Any, Place] = {
    "system": "system", "developer": "system", "assistant": "output", "tool": "retrieved", "function": "retrieved",
}  # fmt: skip


def others(body: Json, known: Sequence[Text]) -> Iterator[Text]:
    """The texts of a request that its dialect does not know of: in fields of other vendors, in fields of the wrong type, at
    any depth. Single words without a digit, and names where names stand, are none.

    Raises `Invalid` for tokens in place of texts, which no guardrail can read.
    """
    if isinstance(body.get("input"), list) and any(map(_tokens, body["input"])):
        raise Invalid(
            "guardrails stand over this model, and they cannot read tokens: send texts in 'input'", param="input"
        )
    seen = {(id(text.holder), text.key) for text in known}
    waiting: list[tuple[Any, Place, str]] = []
    for name, value in body.items():
        place = PLACES.get(name, "input")
        if isinstance(value, dict | list):
            waiting.append((value, place, name))
        elif name != "model" and (id(body), name) not in seen and _text(name, value):
            yield Text(place, f"other.{name}", body, name)
    while waiting:
        holder, place, channel = waiting.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(value, dict | list):
                role = value.get("role") if isinstance(value, dict) else None
                waiting.append((value, ROLES.get(role, place) if isinstance(role, str) else place, f"{channel}.{key}"))
            elif (id(holder), key) not in seen and _text(key, value):
                yield Text(place, f"other.{channel}.{key}", holder, key)


def _tokens(given: Any) -> bool:
    return isinstance(given, int) or (isinstance(given, list) and any(isinstance(it, int) for it in given))


def _text(key: Any, value: Any) -> bool:
    if not isinstance(value, str) or WORD.fullmatch(value):
        return False
    if key in PACKED:
        return any(map(str.isspace, value[:100_000]))
    return key not in NOT_TEXT or not NAME.fullmatch(value)
