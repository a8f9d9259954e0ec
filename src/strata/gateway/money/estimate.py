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

PICTURE = 1_600
"""Tokens of a picture, mostly."""

VIDEO = 1_000_000
"""Tokens of a video, or of a document that the vendor fetches itself: no model takes a longer prompt."""

MEDIA = {
    "image_url", "image", "input_image", "input_audio", "audio", "audio_url", "file", "document", "input_file", "video",
    "video_url", "input_video", "container_upload",
}  # fmt: skip
"""Parts of a message that hold more than their texts."""

PACKED = {"url", "data", "bytes", "image_url", "file_data", "file_url", "file_id", "video_url", "audio_url"}
"""Where such a part holds what is no text, or says where it is."""

AUDIO_BYTES = 32
"""Bytes of base64 that a token of speech has at the least: at the lowest usual rate a second has 1,333, and no vendor
makes more than 32 tokens of one.
"""


Media = Callable[[str, str, str], int]
"""Tokens of what stands under a name in a part of a kind; of the part itself where there is no name."""


def prompt_bound(body: Json, count: Callable[[str], int]) -> int:
    """An upper bound of the prompt's tokens; `count` is an upper bound for a text."""
    return _counted(body, count, _most)


def _counted(body: Json, count: Callable[[str], int], media: Media) -> int:
    try:
        return _bound(body, count, media)
    except RecursionError as error:
        raise Invalid("the request is nested too deeply") from error


def _bound(body: Json, count: Callable[[str], int], media: Media) -> int:
    total = OVERHEAD
    for name, value in body.items():
        if name == "messages" and isinstance(value, list):
            for message in value:
                total += OVERHEAD + _weigh(message, count, media)
        elif name == "input" and isinstance(value, list):
            total += sum(_weigh_input(text, count, media) for text in value)
        elif name != "model" and isinstance(value, (str, list, dict)):
            total += _weigh(value, count, media)
    return total


def likely_tokens(text: str) -> int:
    """About how many tokens a text has: four bytes make one, as vendors say of English."""
    return -(-len(text.encode()) // 4)


def likely_prompt(body: Json) -> int:
    """About how many tokens the prompt has."""
    return _counted(body, likely_tokens, _likely)


def byte_bound(text: str) -> int:
    """No byte-level tokenizer makes more tokens of a text than it has bytes in UTF-8."""
    return len(text.encode())


def _weigh(value: Any, count: Callable[[str], int], media: Media, kind: str = "") -> int:
    """The tokens of a value, which stands in a part of this kind."""
    if isinstance(value, str):
        return count(value)
    if isinstance(value, dict):
        total = 0
        if isinstance(value.get("type"), str) and value["type"] in MEDIA:
            kind = value["type"]
            total = media(kind, "", "")
        for name, part in value.items():
            packed = kind and name in PACKED and isinstance(part, str)
            total += OVERHEAD + count(name) + (media(kind, name, part) if packed else _weigh(part, count, media, kind))
        return total
    if isinstance(value, list):
        return len(value) + sum(_weigh(part, count, media, kind) for part in value)
    return len(str(value))


def _most(kind: str, name: str, value: str) -> int:
    """At the most; for what is no text by its size, where that says anything."""
    if not name:
        return IMAGE
    if "image" in kind:
        return 0
    if "video" in kind:
        return VIDEO
    if "audio" in kind:
        return len(value) // AUDIO_BYTES
    return VIDEO if value.startswith(("http:", "https:")) or name == "file_id" else min(len(value.encode()), VIDEO)


def _likely(kind: str, name: str, value: str) -> int:
    """About: a large picture, speech as it is mostly packed, a page for each 50 kB."""
    if not name:
        return PICTURE
    return 0 if "image" in kind else len(value) // (400 if "audio" in kind else 32)


def _weigh_input(text: Any, count: Callable[[str], int], media: Media) -> int:
    """A text to embed, which may already be tokens: a list of numbers, or one number of such a list."""
    if isinstance(text, list):
        return sum(1 if isinstance(it, int) else OVERHEAD + _weigh(it, count, media) for it in text)
    return 1 if isinstance(text, int) else OVERHEAD + _weigh(text, count, media)


def whole_number(body: Json, name: str) -> int:
    """The limit of that name. Raises `Invalid` for what is none."""
    value = body[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Invalid(f"'{name}' must be a whole number of at least 1", param=name)
    return value
