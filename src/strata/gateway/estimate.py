"""How many tokens a call may take at the most, before it leaves; and about how many it took, if the vendor never says.

The bound goes over everything in the request that a vendor could read as prompt, so that a reservation made from it
cannot be too small. The likely count is only used to settle a call that broke off before the vendor gave its numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from strata.errors import Invalid
from strata.types import Json

OVERHEAD = 8
"""Tokens that a chat template puts around a message, at the most."""

IMAGE = 50_000
"""Tokens of one picture, at the most: what the dearest published tile scheme comes to for a picture of any size."""

MEDIA = {"image_url", "input_audio", "file", "image", "document", "input_image", "input_file"}
"""Parts of a message that are not counted by the length of their text."""


def prompt_bound(body: Json, count: Callable[[str], int]) -> int:
    """An upper bound of the prompt's tokens; `count` is an upper bound for a text."""
    try:
        return _bound(body, count)
    except RecursionError as error:
        raise Invalid("the request is nested too deeply") from error


def _bound(body: Json, count: Callable[[str], int]) -> int:
    total = OVERHEAD
    for name, value in body.items():
        if name == "messages" and isinstance(value, list):
            for message in value:
                total += OVERHEAD + _weigh(message, count)
        elif name == "input" and isinstance(value, list):
            total += sum(_weigh_input(text, count) for text in value)
        elif name != "model" and isinstance(value, (str, list, dict)):
            total += _weigh(value, count)
    return total


def likely_tokens(text: str) -> int:
    """About how many tokens a text has: four bytes make one, as vendors say of English."""
    return -(-len(text.encode()) // 4)


def likely_prompt(body: Json) -> int:
    """About how many tokens the prompt has."""
    return prompt_bound(body, likely_tokens)


def byte_bound(text: str) -> int:
    """No byte-level tokenizer makes more tokens of a text than it has bytes in UTF-8."""
    return len(text.encode())


def _weigh(value: Any, count: Callable[[str], int]) -> int:
    if isinstance(value, str):
        return count(value)
    if isinstance(value, dict):
        if value.get("type") in MEDIA:
            return IMAGE
        return sum(OVERHEAD + count(name) + _weigh(part, count) for name, part in value.items())
    if isinstance(value, list):
        return len(value) + sum(_weigh(part, count) for part in value)
    return len(str(value))


def _weigh_input(text: Any, count: Callable[[str], int]) -> int:
    """A text to embed, which may already be tokens: a list of numbers, or one number of such a list."""
    if isinstance(text, list):
        return len(text)
    return 1 if isinstance(text, int) else OVERHEAD + _weigh(text, count)


def whole_number(body: Json, name: str) -> int:
    """The limit of that name. Raises `Invalid` for what is none."""
    value = body[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Invalid(f"'{name}' must be a whole number of at least 1", param=name)
    return value
