"""Google's Gemini: the Gemini API with a key, or Vertex AI (row `gemini:vertex`) with a Google Cloud project.

A deployment's `options`: `api_key` or `api_keys`; `safety_settings` (a table of category and threshold, which a caller
cannot change); `base_url`, `headers`, `max_response` as elsewhere; `input_type` for embeddings where the caller names
none. For Vertex: `project`, `location` (`global` by default), and one of `credentials` (the JSON of a service account's
key: `"file:PATH"`), `token`, `metadata = true` (the machine's own account), or `api_key`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from strata.errors import Misconfigured, StrataError, UpstreamBroken, UpstreamRefused
from strata.gateway.money.estimate import byte_bound, likely_tokens
from strata.gateway.options import Deployment
from strata.gateway.translations import from_gemini, nonsense, to_gemini, vectors
from strata.gateway.wire import credentials
from strata.gateway.wire.credentials import Credentials, Headers
from strata.gateway.wire.jsonstream import Objects
from strata.gateway.wire.sse import MAX_EVENT, Events
from strata.gateway.wire.upstream import Upstream, status_in
from strata.types import Json

API = "https://generativelanguage.googleapis.com/v1beta"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
OWN = ("tunedModels/", "projects/")
BATCH = 100
"""Texts that the Gemini API embeds in one request; Vertex takes 250, and one of gemini-embedding-001."""

PURPOSES = {
    "query": "RETRIEVAL_QUERY", "search_query": "RETRIEVAL_QUERY", "document": "RETRIEVAL_DOCUMENT",
    "passage": "RETRIEVAL_DOCUMENT", "search_document": "RETRIEVAL_DOCUMENT", "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}  # fmt: skip
OURS = ("API key not valid", "API key expired", "API_KEY_INVALID", "location is not supported", "billing")
"""How Google says, with status 400, that not the request is at fault but the account."""


@dataclass(slots=True)
class Gemini:
    """One deployment. `root` stands before the model in the address of every call."""

    deployment: Deployment
    upstream: Upstream
    root: str
    vertex: bool
    credentials: Credentials | None
    operations: frozenset[str] = frozenset({"chat", "embeddings"})

    async def whole(self, operation: str, request: Json) -> Json:
        if operation == "embeddings":
            return await self._embed(request)
        told = await self._post("generateContent", self._asked(request))
        with nonsense.answered(self.upstream.name):
            answer = from_gemini.completion(told, self._model)
        if not answer["choices"]:
            raise UpstreamBroken(f"{self.upstream.name} gave no answer and no reason")
        return answer

    async def stream(self, operation: str, request: Json) -> AsyncIterator[list[Json]]:  # noqa: ARG002 - only chat
        body = self._asked(request)
        chunks = from_gemini.Chunks(self._model)
        async with aclosing(self._events(body)) as source:
            async for events in source:
                with nonsense.answered(self.upstream.name):
                    found = [chunks.chunk(event) for event in events]
                yield found
        if not chunks.finished:
            raise UpstreamBroken(f"{self.upstream.name} broke off in the middle of its answer")

    def hidden(self, operation: str, request: Json) -> int:
        """How many tokens Google may add to the prompt on its own: what its tools find, and files that it fetches."""
        if operation == "chat" and to_gemini.fetches(request):
            return self.deployment.context or to_gemini.CONTEXT
        return 0

    def count(self, text: str) -> int:
        return byte_bound(text)

    async def warm(self) -> None:
        await self.upstream.warm()

    async def close(self) -> None:
        await self.upstream.close()

    # -------------------------------------------------------------- the way to Google

    @property
    def _model(self) -> str:
        return (self.deployment.model or self.deployment.name).removeprefix("models/")

    def _path(self, verb: str) -> str:
        """A tuned model, or an endpoint of one's own, has an address of its own."""
        model = quote(self._model, safe="/")
        return f"/{model}:{verb}" if model.startswith(OWN) else f"{self.root}/{model}:{verb}"

    def _asked(self, request: Json) -> Json:
        with nonsense.asked():
            return to_gemini.request(request, self._model, self.deployment.options)

    async def _post(self, verb: str, body: Json) -> Json:
        return await credentials.tried(self.credentials, lambda headers: self._once(verb, body, headers))

    async def _once(self, verb: str, body: Json, headers: Headers | None) -> Json:
        try:
            return await self.upstream.json(self._path(verb), body, headers)
        except UpstreamRefused as error:
            raise _whose(error, self.upstream.name) from error

    def _events(self, body: Json) -> AsyncGenerator[list[Json]]:
        return credentials.tried_stream(self.credentials, lambda headers: self._read(body, headers))

    async def _read(self, body: Json, headers: Headers | None) -> AsyncGenerator[list[Json]]:
        """Server-sent events; or a JSON array, which an address between here and Google may make of them."""
        accept = {"accept": "text/event-stream", **(headers or {})}
        path = self._path("streamGenerateContent") + "?alt=sse"
        reader: Events | Objects | None = None
        source = self.upstream.pieces(path, orjson.dumps(body), accept, wanted="")
        try:
            async with aclosing(source):
                async for piece in source:
                    if reader is None:
                        reader = Objects() if piece.lstrip()[:1] in {b"[", b"{"} else Events()
                    found, failure = self._parsed(reader.feed(piece))
                    if found:
                        yield found
                    if failure is not None:
                        raise failure
            if isinstance(reader, Events):
                found, failure = self._parsed(reader.feed(b""))
                if found:
                    yield found
                if failure is not None:
                    raise failure
        except UpstreamRefused as error:
            raise _whose(error, self.upstream.name) from error

    def _parsed(self, raw: Iterator[bytes]) -> tuple[list[Json], StrataError | None]:
        """What came, and the error that stands behind it."""
        found: list[Json] = []
        try:
            for data in raw:
                event = self.upstream.object(data)
                if error := event.get("error"):
                    message = error.get("message") if isinstance(error, dict) else error
                    return found, self.upstream.failure(status_in(error), str(message or "")[:1000])
                found.append(event)
        except OverflowError:
            return found, UpstreamBroken(f"{self.upstream.name} sent an event of more than {MAX_EVENT} bytes")
        except UpstreamBroken as error:
            return found, error
        return found, None

    # -------------------------------------------------------------- embeddings

    async def _embed(self, request: Json) -> Json:
        texts = vectors.texts_in(request)
        more = self._wanted(request)
        found: list[list[float]] = []
        tokens = 0
        size = (1 if "gemini-embedding" in self._model else 250) if self.vertex else BATCH
        for start in range(0, len(texts), size):
            some = texts[start : start + size]
            with nonsense.answered(self.upstream.name):
                rows, used = await (self._predict(some, more) if self.vertex else self._batch(some, more))
            if len(rows) != len(some):
                raise UpstreamBroken(f"{self.upstream.name} gave {len(rows)} vectors for {len(some)} texts")
            found += rows
            tokens += used
        return vectors.answer(found, self._model, tokens, request.get("encoding_format"))

    def _wanted(self, request: Json) -> Json:
        """What is wanted of every vector, in the Gemini API's names."""
        given = request.get("input_type") or self.deployment.options.get("input_type")
        purpose = request.get("task_type") or request.get("taskType") or PURPOSES.get(str(given), given)
        wanted = {"taskType": purpose, "title": request.get("title"), "outputDimensionality": request.get("dimensions")}
        return {name: value for name, value in wanted.items() if value is not None}

    async def _batch(self, texts: list[str], more: Json) -> tuple[list[list[float]], int]:
        name = f"models/{self._model}"
        requests = [{"model": name, "content": {"parts": [{"text": text}]}, **more} for text in texts]
        answer = await self._post("batchEmbedContents", {"requests": requests})
        told = (answer.get("usageMetadata") or {}).get("promptTokenCount")
        rows = [it.get("values") or [] for it in answer.get("embeddings") or () if isinstance(it, dict)]
        return rows, told if isinstance(told, int) else sum(map(likely_tokens, texts))

    async def _predict(self, texts: list[str], more: Json) -> tuple[list[list[float]], int]:
        own = {"task_type": more.get("taskType"), "title": more.get("title")}
        own = {name: value for name, value in own.items() if value is not None}
        body: Json = {"instances": [{"content": text, **own} for text in texts]}
        if "outputDimensionality" in more:
            body["parameters"] = {"outputDimensionality": more["outputDimensionality"]}
        answer = await self._post("predict", body)
        told = [it.get("embeddings") or {} for it in answer.get("predictions") or () if isinstance(it, dict)]
        counts = [(it.get("statistics") or {}).get("token_count") for it in told]
        tokens = sum(
            int(number) if isinstance(number, int | float) else likely_tokens(text)
            for number, text in zip(counts, texts, strict=False)
        )
        return [it.get("values") or [] for it in told], tokens


def _whose(error: UpstreamRefused, name: str) -> StrataError:
    """Google says 400 of a key that is not valid, too."""
    if any(words in error.detail for words in OURS):
        return UpstreamBroken(f"{name} does not accept the platform's account: {error.detail}", vendor_status=403)
    return error


# ------------------------------------------------------------------ a deployment


def make(row: str, deployment: Deployment) -> Gemini:
    """Raises `Misconfigured` with everything that is wrong about the deployment."""
    if row not in {"", "vertex"}:
        raise Misconfigured(f"models.{deployment.name}: no row called {row!r}; there are '' and 'vertex'")
    options = deployment.options
    wrong: list[str] = []
    base, root = _address(row, deployment, wrong)
    try:
        headers, shown = _credentials(row, deployment)
        upstream = Upstream.of(deployment, base, headers)
    except Misconfigured as error:
        raise Misconfigured([*wrong, *error.mistakes]) from error
    if wrong:
        raise Misconfigured(wrong)
    operations = frozenset({"chat", "embeddings", *options.get("operations", ())})
    return Gemini(deployment, upstream, root, row == "vertex", shown, operations)


def _address(row: str, deployment: Deployment, wrong: list[str]) -> tuple[str, str]:
    """Where calls go, and what stands before the model's name. https://cloud.google.com/vertex-ai/docs/reference/rest"""
    options = deployment.options
    given = str(options.get("base_url") or "").rstrip("/")
    if row != "vertex":
        return given or API, "/models"
    location = str(options.get("location") or deployment.region or "global")
    project = str(options.get("project") or "") or str(_account(deployment).get("project_id") or "")
    if not project and not options.get("api_key"):
        wrong.append(f"models.{deployment.name}: options.project is missing")
    host = "aiplatform.googleapis.com" if location == "global" else f"{location}-aiplatform.googleapis.com"
    place = f"/projects/{quote(project, safe='')}/locations/{quote(location, safe='')}" if project else ""
    return given or f"https://{host}/v1beta1", f"{place}/publishers/google/models"


def _credentials(row: str, deployment: Deployment) -> tuple[Headers, Credentials | None]:
    options, name = deployment.options, f"models.{deployment.name}"
    keys = credentials.keys_in(options)
    if len(keys) > 1:
        return {}, credentials.Keys(f"the vendor of {deployment.name!r}", keys, lambda key: {"x-goog-api-key": key})
    if keys:
        return {"x-goog-api-key": keys[0]}, None
    if row != "vertex":
        raise Misconfigured(f'{name}: options.api_key is missing; set it to "env:NAME" or "file:PATH"')
    if options.get("token"):
        return credentials.bearer(str(options["token"])), None
    if options.get("credentials"):
        return {}, credentials.service_account(_account(deployment), SCOPE, name)
    if options.get("metadata") is True:
        return {}, credentials.metadata(str(options.get("metadata_url") or "http://169.254.169.254"))
    raise Misconfigured(
        f'{name}: set options.credentials to "file:PATH" of a service account\'s key, options.token, '
        "or options.metadata = true for the machine's own account"
    )


def _account(deployment: Deployment) -> Json:
    """The service account. Raises `Misconfigured`."""
    given: Any = deployment.options.get("credentials")
    if isinstance(given, dict):
        return given
    try:
        account = orjson.loads(given) if given else {}
    except (ValueError, TypeError) as error:
        raise Misconfigured(f"models.{deployment.name}: options.credentials is not JSON") from error
    if not isinstance(account, dict):
        raise Misconfigured(f"models.{deployment.name}: options.credentials must be a JSON object")
    return account


def price_list(row: str) -> str:  # noqa: ARG001 - the same for both
    """The vendor's name in the published prices."""
    return "google"
