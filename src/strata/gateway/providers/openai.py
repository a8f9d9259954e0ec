"""OpenAI's dialect over HTTP, and every vendor and server that speaks it: each is a row in `_vendors.py`.

A deployment's `options`: `base_url` (with its version, such as `https://api.openai.com/v1`), `api_key` or `api_keys`
(several, used in turn; one that is refused or over its limit rests), `headers` (more headers for every call),
`max_response` (bytes of one answer), `max_tokens_field` (what the vendor calls the limit of an answer), `operations`
(more than the row takes). For Azure: `base_url` of the resource, `api_version` for the addresses by deployment, and
`tenant_id`, `client_id`, `client_secret` or `token` in place of a key. For embeddings: `input_type`, which is sent
where the caller names none.

Requests and answers of this dialect are not taken apart: fields that only the vendor knows pass both ways. What a
vendor says in a way of its own is put into the common one by `dialects/openai_family.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from strata.errors import Invalid, Misconfigured, StrataError, UpstreamBroken
from strata.gateway.money.estimate import byte_bound
from strata.gateway.options import Deployment
from strata.gateway.providers._vendors import VENDORS, Vendor
from strata.gateway.translations import nonsense
from strata.gateway.translations import openai_family as family
from strata.gateway.translations import to_openai_family as wanted
from strata.gateway.wire import credentials, multipart
from strata.gateway.wire.credentials import Credentials, Headers
from strata.gateway.wire.sse import Events
from strata.gateway.wire.upstream import Reply, Upstream, status_in
from strata.types import Json

PATHS = {
    "chat": "/chat/completions", "embeddings": "/embeddings", "responses": "/responses", "rerank": "/rerank",
    "images": "/images/generations", "speech": "/audio/speech", "transcriptions": "/audio/transcriptions",
}  # fmt: skip

STATUS = {
    "rate_limit_exceeded": 429, "insufficient_quota": 429, "invalid_prompt": 400, "context_length_exceeded": 400,
    "invalid_request_error": 400, "server_error": 500,
}  # fmt: skip
"""What the codes of errors inside a stream stand for."""

AZURE_SCOPE = "https://cognitiveservices.azure.com/.default"
BY_DEPLOYMENT = {"chat", "embeddings", "images", "speech", "transcriptions"}
"""What Azure's older addresses name the deployment for; the others have the resource's address."""


ENDS = {"response.completed", "response.incomplete", "response.failed"}


@dataclass(slots=True)
class OpenAI:
    """One deployment at a vendor. Its connections are kept open and shared by all its calls."""

    row: str
    vendor: Vendor
    deployment: Deployment
    upstream: Upstream
    limit: str
    paths: dict[str, str]
    credentials: Credentials | None
    operations: frozenset[str] = field(default=frozenset({"chat", "embeddings"}))

    async def whole(self, operation: str, request: Json) -> Json:
        with nonsense.asked():
            body = self._own(operation, request)
        if "stream" in body:
            body["stream"] = False
        body.pop("stream_options", None)
        path = self.paths[operation]
        answer = await credentials.tried(self.credentials, lambda headers: self.upstream.json(path, body, headers))
        if operation == "chat":
            self._must_answer(answer)
        with nonsense.answered(self.upstream.name):
            if operation == "rerank":
                return wanted.from_data(answer, request)
            exact = self.vendor.exact or operation not in {"chat", "embeddings"}
            return answer if exact else family.completion(answer)

    async def stream(self, operation: str, request: Json) -> AsyncIterator[list[Json]]:
        with nonsense.asked():
            body = self._own(operation, request)
        body["stream"] = True
        if operation == "chat" and self.vendor.usage_asked:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        elif operation == "chat":
            body.pop("stream_options", None)
        common = None if self.vendor.exact or operation != "chat" else family.Chunks()
        events, finished = Events(), False
        path = self.paths[operation]
        if self.credentials is None:
            source = self.upstream.events(path, body, events=events)
        else:
            source = credentials.tried_stream(
                self.credentials, lambda headers: self.upstream.events(path, body, headers, events)
            )
        async with aclosing(source):
            async for chunks in source:
                finished = finished or _finished(chunks)
                if common is not None:
                    with nonsense.answered(self.upstream.name):
                        for chunk in chunks:
                            common.chunk(chunk)
                elif operation == "responses" and (failure := self._failure_in(chunks)):
                    raise failure
                yield chunks
        if not (events.done or finished):
            raise UpstreamBroken(f"{self.upstream.name} broke off in the middle of its answer")
        if common is not None and (last := common.end()):
            yield last

    async def raw(self, operation: str, content_type: str, body: bytes) -> Reply:
        """An operation whose request or answer is no JSON: `images`, `speech`, `transcriptions`. Only the model's name
        is replaced, in JSON or in a form. Raises `Invalid`, and what `whole` does.
        """
        own = self._named(content_type, body)
        path = self.paths[operation]
        return await credentials.tried(
            self.credentials, lambda headers: self.upstream.send("POST", path, own, headers, content_type)
        )

    @property
    def strict(self) -> bool:
        """Whether it refuses fields that it does not know."""
        return self.vendor.exact

    def hidden(self, operation: str, request: Json) -> int:
        """How many tokens the vendor may add to the prompt on its own: what it searches, or kept of earlier calls."""
        if operation in {"chat", "responses"} and wanted.fetches(request, self._model):
            return self.deployment.context or wanted.CONTEXT
        return 0

    def count(self, text: str) -> int:
        return byte_bound(text)

    async def warm(self) -> None:
        await self.upstream.warm()

    async def close(self) -> None:
        await self.upstream.close()

    # -------------------------------------------------------------- what is sent

    @property
    def _model(self) -> str:
        return self.deployment.model or self.deployment.name

    def _own(self, operation: str, request: Json) -> Json:
        """The request under the vendor's own names."""
        body = {**request, "model": self._model}
        if operation == "chat":
            self._own_chat(body)
        elif operation == "embeddings":
            self._own_embeddings(body)
        elif operation == "rerank" and self.row in {"voyage", "mixedbread"}:
            body = wanted.to_topk(body)
            if self.row == "mixedbread":
                body["input"] = body.pop("documents")
        return body

    def _own_chat(self, body: Json) -> None:
        if self.row == "openrouter":
            wanted.must_stay(body, placed=bool(self.deployment.region or self.deployment.agreements))
        if self.limit == "max_tokens" and "max_completion_tokens" in body:
            limit = body.pop("max_completion_tokens")
            if body.get("max_tokens") is None:
                body["max_tokens"] = limit
        messages = wanted.without_ours(body.get("messages"))
        if isinstance(messages, list) and not self.vendor.exact:
            messages = self._own_messages(messages)
        body["messages"] = messages
        if self.vendor.picky:
            body.pop("top_k", None)

    def _own_messages(self, messages: list[Any]) -> list[Any]:
        vendor = self.vendor
        messages = [wanted.without_empty(it) for it in messages]
        if vendor.picky:
            messages = [wanted.without_foreign(it) for it in messages]
        if vendor.thoughts is not None:
            rename = wanted.thoughts_as_parts if vendor.thoughts == "parts" else wanted.thoughts_as(vendor.thoughts)
            messages = [rename(it) if isinstance(it, dict) and "reasoning_content" in it else it for it in messages]
        if not vendor.developer:
            messages = [
                {**it, "role": "system"} if isinstance(it, dict) and it.get("role") == "developer" else it
                for it in messages
            ]
        return wanted.short_ids(messages) if vendor.short_ids else messages

    def _own_embeddings(self, body: Json) -> None:
        kind = self.deployment.options.get("input_type")
        if kind and "input_type" not in body:
            body["input_type"] = kind
        if self.row == "voyage":
            if body.get("encoding_format") == "float":
                del body["encoding_format"]  # it knows only base64 by name
            if "dimensions" in body:
                body["output_dimension"] = body.pop("dimensions")
        elif self.row == "jina" and "encoding_format" in body:
            body["embedding_type"] = body.pop("encoding_format")

    def _named(self, content_type: str, body: bytes) -> bytes:
        if content_type.lower().startswith("multipart/form-data"):
            return multipart.with_field(content_type, body, "model", self._model)
        try:
            request = orjson.loads(body)
        except ValueError as error:
            raise Invalid("the request is not JSON") from error
        if not isinstance(request, dict):
            raise Invalid("the request must be a JSON object")
        return orjson.dumps({**request, "model": self._model})

    # -------------------------------------------------------------- what comes back

    def _must_answer(self, answer: Json) -> None:
        """Some vendors say 200 and mean an error."""
        choices = answer.get("choices")
        error = answer.get("error")
        if not error and isinstance(choices, list):
            error = next((it["error"] for it in choices if isinstance(it, dict) and it.get("error")), None)
        if error and not _says(choices):
            raise self._failure(error)

    def _failure_in(self, events: list[Json]) -> StrataError | None:
        """An error inside a stream of the Responses API is an event of its own."""
        for event in events:
            if event.get("type") == "error":
                status = STATUS.get(str(event.get("code")), status_in(event))
                return self.upstream.failure(status, str(event.get("message") or "")[:1000])
        return None

    def _failure(self, error: Any) -> StrataError:
        message = error.get("message") if isinstance(error, dict) else error
        return self.upstream.failure(status_in(error), str(message or "")[:1000])


def _says(choices: Any) -> bool:
    if not isinstance(choices, list):
        return False
    messages = [it.get("message") for it in choices if isinstance(it, dict)]
    return any(isinstance(it, dict) and (it.get("content") or it.get("tool_calls")) for it in messages)


def _finished(events: list[Json]) -> bool:
    """Whether the end of an answer is among these: a choice with its reason, or the last event of a response."""
    for event in events:
        choices = event.get("choices")
        if isinstance(choices, list):
            for choice in choices:
                if isinstance(choice, dict) and choice.get("finish_reason"):
                    return True
        elif event.get("type") in ENDS:
            return True
    return False


# ------------------------------------------------------------------ a deployment


def make(row: str, deployment: Deployment) -> OpenAI:
    """Raises `Misconfigured` with everything that is wrong about the deployment."""
    row = row or "openai"
    vendor = VENDORS.get(row)
    if vendor is None:
        raise Misconfigured(f"models.{deployment.name}: no vendor called {row!r}; there are {sorted(VENDORS)}")
    options = deployment.options
    wrong: list[str] = []
    base = str(options.get("base_url") or vendor.base_url).rstrip("/")
    base, paths = _azure(deployment, base) if row == "azure" else (base, dict(PATHS))
    paths["rerank"] = vendor.rerank_path
    headers, shown = _credentials(row, vendor, deployment, wrong)
    try:
        upstream = Upstream.of(deployment, base, headers)
    except Misconfigured as error:
        raise Misconfigured([*wrong, *error.mistakes]) from error
    if wrong:
        raise Misconfigured(wrong)
    operations = frozenset({"chat", "embeddings", *vendor.more, *options.get("operations", ())})
    limit = options.get("max_tokens_field", vendor.limit)
    return OpenAI(row, vendor, deployment, upstream, limit, paths, shown, operations)


def _credentials(
    row: str, vendor: Vendor, deployment: Deployment, wrong: list[str]
) -> tuple[Headers, Credentials | None]:
    """What every call carries, or how to find what it carries."""
    options, name = deployment.options, f"models.{deployment.name}"

    def header(key: str) -> Headers:
        return {vendor.key_header: f"Bearer {key}" if vendor.key_header == "authorization" else key}

    keys = credentials.keys_in(options)
    if len(keys) > 1:
        if any(not key.isprintable() or not key.isascii() for key in keys):
            wrong.append(f"{name}: options.api_keys has characters that no HTTP header may have")
        return {}, credentials.Keys(f"the vendor of {deployment.name!r}", keys, header)
    if keys:
        return header(keys[0]), None
    if row == "azure" and options.get("token"):
        return credentials.bearer(str(options["token"])), None
    if row == "azure" and options.get("client_id"):
        try:
            return {}, credentials.client_credentials(options, str(options.get("scope") or AZURE_SCOPE), name)
        except Misconfigured as error:
            wrong += error.mistakes
    elif vendor.needs_key:
        wrong.append(f'{name}: options.api_key is missing; set it to "env:NAME" or "file:PATH"')
    return {}, None


def _azure(deployment: Deployment, base: str) -> tuple[str, dict[str, str]]:
    """Azure's two kinds of address: `/openai/v1`, as OpenAI's own; and by deployment, with the version of its API.

    https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
    """
    version = str(deployment.options.get("api_version") or "")
    query = f"?api-version={quote(version)}" if version else ""
    path = urlsplit(base).path
    if base and path in {"", "/openai"} and version in {"", "preview", "latest", "v1"}:
        base, path = base.removesuffix("/openai") + "/openai/v1", "/openai/v1"
    if path.endswith("/v1") or not version:
        return base, {operation: it + query for operation, it in PATHS.items()}
    model = quote(deployment.model or deployment.name, safe="")
    root = "" if path.endswith("/openai") else "/openai"
    return base, {
        operation: root + (f"/deployments/{model}" if operation in BY_DEPLOYMENT else "") + it + query
        for operation, it in PATHS.items()
    }


def price_list(row: str) -> str:
    """The vendor's name in the published prices; empty for a server of one's own, which charges nothing."""
    vendor = VENDORS.get(row or "openai")
    return vendor.prices if vendor else ""
