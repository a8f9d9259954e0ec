"""The parts of a message's content, texts, pictures and files, as Anthropic's blocks."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from strata.errors import Invalid
from strata.types import Json


def parts(content: list[Any]) -> Iterator[Json]:
    """The blocks. Those of Anthropic's own types stay as they are. Raises `Invalid`."""
    for part in content:
        it = {"type": "text", "text": part} if isinstance(part, str) else part
        if not isinstance(it, dict):
            raise Invalid("each part of 'content' must be an object", param="messages")
        block = _part(it)
        if block is not None:
            yield cached(it, block)


def _part(part: Json) -> Json | None:
    kind = part.get("type")
    if kind == "text":
        more = {"citations": part["citations"]} if part.get("citations") else {}
        return {"type": "text", "text": str(part.get("text")), **more} if part.get("text") else None
    if kind == "refusal":
        return {"type": "text", "text": str(part["refusal"])} if part.get("refusal") else None
    if kind == "image_url":
        image = part.get("image_url")
        return {"type": "image", "source": _source(image.get("url") if isinstance(image, dict) else image)}
    if kind == "file":
        return _file(part.get("file"))
    if kind in {"input_audio", "video_url"}:
        raise Invalid(f"this model does not take {kind!r}", param="messages")
    return part


def _source(url: Any) -> Json:
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    media, data = data_url(url)
    return {"type": "base64", "media_type": {"image/jpg": "image/jpeg"}.get(media, media), "data": data}


def data_url(url: Any) -> tuple[str, str]:
    """Media type and base64 of a data URL. Raises `Invalid` for anything else."""
    found = re.match(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.-]+)*;base64,", url) if isinstance(url, str) else None
    if found is None:
        raise Invalid("a picture or file must be an https:// address or a data: URL in base64", param="messages")
    return found[1].lower(), url[found.end() :]


def _file(file: Any) -> Json:
    if not isinstance(file, dict):
        raise Invalid("a part of type 'file' must hold a 'file'", param="messages")
    title = {"title": file["filename"]} if file.get("filename") else {}
    if file.get("file_id"):
        return {"type": "document", "source": {"type": "file", "file_id": file["file_id"]}, **title}
    given = file.get("file_data")
    if isinstance(given, str) and given.startswith(("https://", "http://")):
        return {"type": "document", "source": {"type": "url", "url": given}, **title}
    if isinstance(given, str) and not given.startswith("data:"):
        given = f"data:application/pdf;base64,{given}"
    media, data = data_url(given)
    if media.startswith("image/"):
        return {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}
    if media.startswith("text/"):
        return {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": _text(data)},
            **title,
        }
    return {"type": "document", "source": {"type": "base64", "media_type": media, "data": data}, **title}


def _text(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except ValueError as error:
        raise Invalid("a text file must be UTF-8 in base64", param="messages") from error


def cached(source: Json, block: Json) -> Json:
    """The block, kept in the vendor's cache up to here where its source asks for that."""
    return {**block, "cache_control": source["cache_control"]} if source.get("cache_control") else block
