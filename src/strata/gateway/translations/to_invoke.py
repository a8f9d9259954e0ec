"""Embeddings of the models behind Bedrock's InvokeModel: each maker's own JSON, to and from OpenAI's.

Titan and Nova take one text a call, Cohere up to 96. What a request says beyond OpenAI's fields (`input_type`,
`truncate`, `normalize`, `embeddingPurpose`) goes to the model where it knows it.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any

from strata.errors import Invalid, Misconfigured, UpstreamBroken
from strata.types import Json

COHERE_BATCH = 96


def texts(request: Json) -> list[str]:
    """The texts to embed. Raises `Invalid` for anything else."""
    given = request.get("input")
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, list) or not found or not all(isinstance(text, str) and text for text in found):
        raise Invalid("'input' must be a text or a list of texts, none of them empty", param="input")
    return found


def family(model: str) -> str:
    """The maker's dialect. Raises `Misconfigured` for a model that is not known to embed."""
    for name in ("titan-embed", "cohere.embed", "nova-2-multimodal-embeddings"):
        if name in model:
            return name.partition("-")[0].partition(".")[0]
    raise Misconfigured([f"{model!r} is no model of embeddings that Bedrock is known to offer: titan, cohere or nova"])


def requests(request: Json, model: str) -> Iterator[Json]:
    """The bodies to send, in the order of the texts."""
    kind, dimensions = family(model), request.get("dimensions")
    if kind == "cohere":
        more = {"input_type": request.get("input_type") or "search_document"}
        more["truncate"] = request.get("truncate") or "NONE"
        if dimensions is not None:
            more["output_dimension"] = dimensions
        found = texts(request)
        for start in range(0, len(found), COHERE_BATCH):
            yield {"texts": found[start : start + COHERE_BATCH], **more}
    elif kind == "titan":
        size = {} if dimensions is None else {"dimensions": dimensions}
        normal = {} if request.get("normalize") is None else {"normalize": request["normalize"]}
        yield from ({"inputText": text, **size, **normal} for text in texts(request))
    else:
        size = {} if dimensions is None else {"embeddingDimension": dimensions}
        purpose = request.get("embeddingPurpose") or "GENERIC_INDEX"
        for text in texts(request):
            value = {"value": text, "truncationMode": request.get("truncate") or "NONE"}
            params = {"embeddingPurpose": purpose, "text": value, **size}
            yield {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": params}


def vectors(answer: Json, name: str) -> list[list[float]]:
    """The vectors of one answer. Raises `UpstreamBroken`."""
    found: Any = answer.get("embeddings", answer.get("embedding"))
    if isinstance(found, dict):
        found = found.get("float")
    if isinstance(found, list) and found and isinstance(found[0], dict):
        found = [it.get("embedding") for it in found]
    if isinstance(found, list) and found and isinstance(found[0], int | float):
        found = [found]
    if not isinstance(found, list) or not all(isinstance(vector, list) and vector for vector in found):
        raise UpstreamBroken(f"{name} answered without vectors")
    return found


def answer(rows: list[list[float]], tokens: int, request: Json, model: str) -> Json:
    """OpenAI's answer; the vectors as base64 where that was asked for."""
    packed = request.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": pack(row) if packed else row}
        for index, row in enumerate(rows)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def pack(row: list[float]) -> str:
    """Numbers as little-endian floats of four bytes, in base64."""
    return base64.b64encode(struct.pack(f"<{len(row)}f", *row)).decode()
