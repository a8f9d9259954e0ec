"""Every text inside a piece of JSON whose shape is not known, for guardrails: nothing goes past them for being new."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from strata.gateway.guardrail import Place, Text

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
