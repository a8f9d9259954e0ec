"""Cohere: chat, embeddings and rerank, version 2 of its API. https://docs.cohere.com/v2/reference/about

A deployment's `options`: `api_key` or `api_keys`, `base_url`, `headers`, `max_response`; `input_type` for embeddings
where the caller names none (`search_document` by default, which suits what is stored, not what is asked).
"""

from __future__ import annotations

import base64
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from strata.errors import Misconfigured, UpstreamBroken
from strata.gateway.money.estimate import byte_bound, likely_tokens
from strata.gateway.options import Deployment
from strata.gateway.translations import from_cohere, nonsense, to_cohere, vectors
from strata.gateway.wire import credentials
from strata.gateway.wire.credentials import Credentials, Headers
from strata.gateway.wire.upstream import Upstream
from strata.types import Json

API = "https://api.cohere.com/v2"
BATCH = 96
"""Texts that Cohere embeds in one request."""

PURPOSES = {
    "query": "search_query", "document": "search_document", "passage": "search_document",
    "RETRIEVAL_QUERY": "search_query", "RETRIEVAL_DOCUMENT": "search_document",
}  # fmt: skip


@dataclass(slots=True)
class Cohere:
    """One deployment."""

    deployment: Deployment
    upstream: Upstream
    credentials: Credentials | None
    operations: frozenset[str] = frozenset({"chat", "embeddings", "rerank"})

    async def whole(self, operation: str, request: Json) -> Json:
        if operation == "embeddings":
            return await self._embed(request)
        if operation == "rerank":
            return await self._rerank(request)
        answer = await self._post("/chat", self._asked(request))
        if answer.get("finish_reason") in from_cohere.BROKEN:
            raise UpstreamBroken(f"{self.upstream.name} failed while it answered")
        if not isinstance(answer.get("message"), dict):
            raise UpstreamBroken(f"{self.upstream.name} gave no answer and no reason")
        with nonsense.answered(self.upstream.name):
            return from_cohere.completion(answer, self._model)

    async def stream(self, operation: str, request: Json) -> AsyncIterator[list[Json]]:  # noqa: ARG002 - only chat
        body = {**self._asked(request), "stream": True}
        chunks = from_cohere.Chunks(self._model)
        async with aclosing(self._events(body)) as source:
            async for events in source:
                with nonsense.answered(self.upstream.name):
                    found = [chunk for event in events if (chunk := chunks.chunk(event)) is not None]
                if found:
                    yield found
        if chunks.failure:
            raise UpstreamBroken(f"{self.upstream.name} failed while it answered: {chunks.failure[:500]}")
        if not chunks.finished:
            raise UpstreamBroken(f"{self.upstream.name} broke off in the middle of its answer")

    def count(self, text: str) -> int:
        return byte_bound(text)

    async def warm(self) -> None:
        await self.upstream.warm()

    async def close(self) -> None:
        await self.upstream.close()

    # -------------------------------------------------------------- the way to Cohere

    @property
    def _model(self) -> str:
        return self.deployment.model or self.deployment.name

    def _asked(self, request: Json) -> Json:
        with nonsense.asked():
            return to_cohere.request(request, self._model)

    async def _post(self, path: str, body: Json) -> Json:
        return await credentials.tried(self.credentials, lambda headers: self.upstream.json(path, body, headers))

    def _events(self, body: Json) -> AsyncGenerator[list[Json]]:
        return credentials.tried_stream(self.credentials, lambda headers: self.upstream.events("/chat", body, headers))

    # -------------------------------------------------------------- embeddings and rerank

    async def _embed(self, request: Json) -> Json:
        texts = vectors.texts_in(request)
        kind = str(request.get("input_type") or self.deployment.options.get("input_type") or "search_document")
        body: Json = {"model": self._model, "input_type": PURPOSES.get(kind, kind), "embedding_types": ["float"]}
        body.update({name: request[name] for name in ("truncate", "max_tokens", "priority") if name in request})
        dimensions = request.get("dimensions", request.get("output_dimension"))
        if dimensions is not None:
            body["output_dimension"] = dimensions
        found: list[list[float]] = []
        tokens = 0
        for start in range(0, len(texts), BATCH):
            some = texts[start : start + BATCH]
            answer = await self._post("/embed", {**body, "texts": some})
            with nonsense.answered(self.upstream.name):
                rows = _floats(answer.get("embeddings"))
                billed = ((answer.get("meta") or {}).get("billed_units") or {}).get("input_tokens")
            if len(rows) != len(some):
                raise UpstreamBroken(f"{self.upstream.name} gave {len(rows)} vectors for {len(some)} texts")
            found += rows
            tokens += int(billed) if isinstance(billed, int | float) else sum(map(likely_tokens, some))
        return vectors.answer(found, self._model, tokens, request.get("encoding_format"))

    async def _rerank(self, request: Json) -> Json:
        """Cohere's own words, but that documents may be objects and come back, as others do it."""
        documents = request.get("documents") or []
        body = {name: value for name, value in request.items() if name not in {"return_documents", "rank_fields"}}
        with nonsense.asked():
            texts = [it.get("text", "") if isinstance(it, dict) else it for it in documents]
        answer = await self._post("/rerank", {**body, "model": self._model, "documents": texts})
        if request.get("return_documents"):
            with nonsense.answered(self.upstream.name):
                for result in answer.get("results") or ():
                    result["document"] = {"text": texts[result["index"]]}
        return answer


def _floats(told: Any) -> list[list[float]]:
    """The vectors as numbers; `base64` is Cohere's too."""
    if isinstance(told, list):
        return told
    if not isinstance(told, dict):
        return []
    if isinstance(rows := told.get("float") or told.get("float_"), list):
        return rows
    packed = [base64.b64decode(it) for it in told.get("base64") or ()]
    return [list(struct.unpack(f"<{len(it) // 4}f", it)) for it in packed]


# ------------------------------------------------------------------ a deployment


def make(row: str, deployment: Deployment) -> Cohere:
    """Raises `Misconfigured` with everything that is wrong about the deployment."""
    options, name = deployment.options, f"models.{deployment.name}"
    if row:
        raise Misconfigured(f"{name}: cohere has no rows, so no {row!r}")
    keys = credentials.keys_in(options)
    wrong = [] if keys else [f'{name}: options.api_key is missing; set it to "env:NAME" or "file:PATH"']
    headers: Headers = credentials.bearer(keys[0]) if len(keys) == 1 else {}
    shown = credentials.Keys(f"the vendor of {deployment.name!r}", keys, credentials.bearer) if len(keys) > 1 else None
    try:
        upstream = Upstream.of(deployment, str(options.get("base_url") or API).rstrip("/"), headers)
    except Misconfigured as error:
        raise Misconfigured([*wrong, *error.mistakes]) from error
    if wrong:
        raise Misconfigured(wrong)
    return Cohere(deployment, upstream, shown)


def price_list(row: str) -> str:  # noqa: ARG001 - there is one
    """The vendor's name in the published prices."""
    return "cohere"
