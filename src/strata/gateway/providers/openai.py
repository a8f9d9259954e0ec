"""OpenAI's dialect over HTTP, and every vendor and server that speaks it: each is a row in `VENDORS`.

A deployment's `options`: `base_url` (with its version, such as `https://api.openai.com/v1`), `api_key`, `headers`
(more headers for every call), `max_response` (bytes of one answer), `max_tokens_field` (what the vendor calls the limit
of an answer). Timeouts are the deployment's: `first_token_timeout` also bounds the pause between two pieces of a stream.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from strata.errors import Misconfigured, RateLimited, StrataError, UpstreamBroken, UpstreamRefused
from strata.gateway.estimate import byte_bound
from strata.gateway.options import Deployment
from strata.types import Json

MAX_RESPONSE = 64 * 1024 * 1024
MAX_EVENT = 8 * 1024 * 1024
LINGER = 0.25
"""Seconds to wait for the end of a stream that has said it is done, so that its connection can be used again."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """What is particular about a vendor. `prices` is its name in the published prices; none: it charges nothing.

    `limit` is what it calls the most tokens of an answer; `usage_asked`: streams count tokens only when asked to.
    """

    base_url: str = ""
    needs_key: bool = True
    key_header: str = "authorization"
    limit: str = "max_tokens"
    usage_asked: bool = True
    prices: str = ""


VENDORS: dict[str, Vendor] = {
    "openai": Vendor("https://api.openai.com/v1", limit="max_completion_tokens", prices="openai"),
    "azure": Vendor(key_header="api-key", limit="max_completion_tokens", prices="azure"),
    "groq": Vendor("https://api.groq.com/openai/v1", limit="max_completion_tokens", prices="groq"),
    "mistral": Vendor("https://api.mistral.ai/v1", usage_asked=False, prices="mistral"),
    "together": Vendor("https://api.together.xyz/v1", prices="together"),
    "openrouter": Vendor("https://openrouter.ai/api/v1", prices="openrouter"),
    "deepseek": Vendor("https://api.deepseek.com/v1", prices="deepseek"),
    "fireworks": Vendor("https://api.fireworks.ai/inference/v1", prices="fireworks"),
    "perplexity": Vendor("https://api.perplexity.ai", usage_asked=False, prices="perplexity"),
    "cerebras": Vendor("https://api.cerebras.ai/v1", limit="max_completion_tokens", prices="cerebras"),
    "xai": Vendor("https://api.x.ai/v1", limit="max_completion_tokens", prices="x-ai"),
    "vllm": Vendor("http://127.0.0.1:8000/v1", needs_key=False),
    "tgi": Vendor("http://127.0.0.1:8080/v1", needs_key=False),
    "ollama": Vendor("http://127.0.0.1:11434/v1", needs_key=False),
    "llamacpp": Vendor("http://127.0.0.1:8080/v1", needs_key=False),
    "compatible": Vendor(needs_key=False),
}


@dataclass(slots=True)
class OpenAI:
    """One deployment at a vendor. Its connections are kept open and shared by all its calls."""

    vendor: Vendor
    deployment: Deployment
    base_url: str
    headers: dict[str, str] = field(repr=False)
    limit: str
    max_response: int = MAX_RESPONSE
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    async def chat(self, request: Json) -> Json:
        body = self._own(request)
        body.pop("stream", None)
        body.pop("stream_options", None)
        return await self._whole("/chat/completions", body, self.deployment.timeout)

    async def stream(self, request: Json) -> AsyncIterator[list[Json]]:
        body = self._own(request)
        body["stream"] = True
        if self.vendor.usage_asked:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        else:
            body.pop("stream_options", None)
        end = asyncio.get_running_loop().time() + self.deployment.timeout
        answer: aiohttp.ClientResponse | None = None
        clean = False
        try:
            with self._translated("the first piece of its answer"):
                async with asyncio.timeout_at(self._next(end)):
                    answer = await self._post("/chat/completions", body)
                    await self._accept(answer, "text/event-stream")
            events, finished = Events(), False
            while True:
                with self._translated("the next piece of its answer"):
                    async with asyncio.timeout_at(self._next(end)):
                        data = await answer.content.readany()
                chunks: list[Json] = []
                failure = self._parse(events, data, chunks)
                if chunks:
                    finished = finished or any(map(_finishes, chunks))
                    yield chunks
                if failure is not None:
                    raise failure
                if events.done or not data:
                    break
            if not (events.done or finished):
                raise UpstreamBroken(f"{self.name} broke off in the middle of its answer")
            clean = await _ended(answer)
        finally:
            if answer is not None:
                if clean:
                    answer.release()
                else:
                    answer.close()

    async def embed(self, request: Json) -> Json:
        return await self._whole("/embeddings", self._own(request), self.deployment.timeout)

    def count(self, text: str) -> int:
        return byte_bound(text)

    async def warm(self) -> None:
        self._connections()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def name(self) -> str:
        return f"the vendor of {self.deployment.name!r}"

    # -------------------------------------------------------------- requests

    def _own(self, request: Json) -> Json:
        """The request under the vendor's own names."""
        body = {**request, "model": self.deployment.model or self.deployment.name}
        if self.limit == "max_tokens" and "max_completion_tokens" in body:
            limit = body.pop("max_completion_tokens")
            if body.get("max_tokens") is None:
                body["max_tokens"] = limit
        return body

    async def _whole(self, path: str, body: Json, timeout: float) -> Json:
        with self._translated("its answer"):
            async with asyncio.timeout(timeout):
                answer = await self._post(path, body)
                try:
                    await self._accept(answer, "json")
                    data = await self._read(answer, self.max_response)
                finally:
                    answer.release()
        return self._object(data)

    async def _post(self, path: str, body: Json) -> aiohttp.ClientResponse:
        session = self._session or self._connections()
        return await session.post(self.base_url + path, data=orjson.dumps(body), allow_redirects=False)

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15, ttl_dns_cache=30),
                headers=self.headers,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    def _next(self, end: float) -> float:
        return min(end, asyncio.get_running_loop().time() + self.deployment.first_token_timeout)

    # -------------------------------------------------------------- answers

    async def _accept(self, answer: aiohttp.ClientResponse, wanted: str) -> None:
        """Raise unless the vendor answers with success and in the form that was asked for."""
        if answer.status != 200:
            data = await self._read(answer, 64 * 1024)
            answer.release()
            raise self._failure(answer.status, _message(data), answer.headers.get("retry-after"))
        kind = answer.headers.get("content-type", "")
        if wanted not in kind:
            data = await self._read(answer, 64 * 1024)
            if "json" in kind and (message := _message(data)):
                raise self._failure(500, message, None)
            raise UpstreamBroken(f"{self.name} answered with {kind or 'no content type'} instead of {wanted}")

    async def _read(self, answer: aiohttp.ClientResponse, limit: int) -> bytes:
        length = answer.content_length
        if length is not None and length <= limit and "content-encoding" not in answer.headers:
            return await answer.read()
        parts, size = [], 0
        while data := await answer.content.readany():
            size += len(data)
            if size > limit:
                answer.close()
                raise UpstreamBroken(f"{self.name} answered with more than {limit} bytes")
            parts.append(data)
        return b"".join(parts)

    def _object(self, data: bytes) -> Json:
        try:
            value = orjson.loads(data)
        except ValueError as error:
            raise UpstreamBroken(f"{self.name} answered with something that is not JSON") from error
        if not isinstance(value, dict):
            raise UpstreamBroken(f"{self.name} answered with JSON that is not an object")
        return value

    def _parse(self, events: Events, data: bytes, chunks: list[Json]) -> StrataError | None:
        """Append what the data holds; returns the error that stands behind it, so that what came before is not lost."""
        try:
            for event in events.feed(data):
                chunk = self._object(event)
                if chunk.get("error"):
                    return self._failure(_status(chunk["error"]), _message(event), None)
                chunks.append(chunk)
        except OverflowError:
            return UpstreamBroken(f"{self.name} sent an event of more than {MAX_EVENT} bytes")
        except UpstreamBroken as error:
            return error
        return None

    def _failure(self, status: int, message: str, retry_after: str | None) -> StrataError:
        """The vendor's refusal as the error that says what to do about it."""
        if status == 429:
            wait = _seconds(retry_after)
            return RateLimited(f"{self.name} is over its limit: {message}".rstrip(": "), retry_after=wait)
        if status in {401, 403}:
            told = f"{self.name} does not accept the platform's credentials; an operator has to renew them"
            return UpstreamBroken(told, vendor_status=status)
        if status in {404, 405}:
            told = f"{self.name} does not know the model or address in the settings; an operator has to mend them"
            return UpstreamBroken(told, vendor_status=status)
        if status in {400, 409, 413, 415, 422}:
            return UpstreamRefused(message or f"{self.name} refuses this request", vendor_status=status)
        told = f"{self.name} failed with status {status}" + (f": {message}" if message else "")
        return UpstreamBroken(told, vendor_status=status, retry_after=_seconds(retry_after) if retry_after else None)

    @contextlib.contextmanager
    def _translated(self, awaited: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise UpstreamBroken(f"{self.name} did not give {awaited} in time", vendor_status=None) from error
        except (aiohttp.ClientConnectorError, ConnectionRefusedError) as error:
            raise UpstreamBroken(f"{self.name} cannot be reached") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamBroken(f"{self.name} broke off: {type(error).__name__}") from error


@dataclass(slots=True)
class Events:
    """Server-sent events out of bytes as they come; `done` once `[DONE]` was seen. Other fields than data are skipped.

    Raises OverflowError for an event that is larger than `MAX_EVENT`.
    """

    rest: bytes = b""
    data: list[bytes] = field(default_factory=list)
    done: bool = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of each event that is complete; no bytes at all stand for the end of the stream."""
        if not piece:
            lines, self.rest = [self.rest, b""], b""
        else:
            lines = (self.rest + piece).split(b"\n")
            self.rest = lines.pop()
        if len(self.rest) + sum(map(len, self.data)) > MAX_EVENT:
            raise OverflowError
        for raw in lines:
            line = raw.rstrip(b"\r")
            if line.startswith(b"data:"):
                self.data.append(line[5:].strip())
            elif not line and self.data:
                event = self.data[0] if len(self.data) == 1 else b"\n".join(self.data)
                self.data.clear()
                if event == b"[DONE]":
                    self.done = True
                    return
                if event:
                    yield event


async def _ended(answer: aiohttp.ClientResponse) -> bool:
    """Whether the stream has come to its end, as it should shortly after saying that it is done."""
    if answer.content.at_eof():
        return True
    try:
        async with asyncio.timeout(LINGER):
            await answer.content.readany()
    except (TimeoutError, aiohttp.ClientError):
        return False
    return answer.content.at_eof()


def _finishes(chunk: Json) -> bool:
    choices = chunk.get("choices")
    return isinstance(choices, list) and any(isinstance(it, dict) and it.get("finish_reason") for it in choices)


def _message(data: bytes) -> str:
    """What the vendor says is wrong, shortened; empty when it says nothing that can be shown."""
    try:
        said = orjson.loads(data)
    except ValueError:
        return ""
    error = said.get("error", said) if isinstance(said, dict) else said
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail")
    return error[:1000] if isinstance(error, str) else ""


def _status(error: Any) -> int:
    """The status that an error inside a stream stands for."""
    code = error.get("status", error.get("code")) if isinstance(error, dict) else None
    return int(code) if isinstance(code, int | str) and str(code).isdigit() and 400 <= int(code) < 600 else 500


def _seconds(retry_after: str | None) -> float:
    try:
        return min(max(float(retry_after or 1), 0.0), 3600.0)
    except ValueError:
        return 1.0


def make(row: str, deployment: Deployment) -> OpenAI:
    """Raises `Misconfigured` with everything that is wrong about the deployment."""
    vendor = VENDORS.get(row or "openai")
    if vendor is None:
        raise Misconfigured(f"models.{deployment.name}: no vendor called {row!r}; there are {sorted(VENDORS)}")
    options = deployment.options
    base_url = str(options.get("base_url") or vendor.base_url).rstrip("/")
    key = str(options.get("api_key") or "").strip()
    wrong = []
    if not base_url.startswith(("http://", "https://")):
        wrong.append(f"models.{deployment.name}: options.base_url must be an http or https address")
    if vendor.needs_key and not key:
        wrong.append(f'models.{deployment.name}: options.api_key is missing; set it to "env:NAME" or "file:PATH"')
    if not key.isprintable():
        wrong.append(f"models.{deployment.name}: options.api_key holds characters that no key has")
    if wrong:
        raise Misconfigured(wrong)
    headers = {"content-type": "application/json", **options.get("headers", {})}
    if key:
        headers[vendor.key_header] = f"Bearer {key}" if vendor.key_header == "authorization" else key
    return OpenAI(
        vendor,
        deployment,
        base_url,
        headers,
        options.get("max_tokens_field", vendor.limit),
        int(options.get("max_response", MAX_RESPONSE)),
    )


def price_list(row: str) -> str:
    """The vendor's name in the published prices; empty for a server of one's own, which charges nothing."""
    vendor = VENDORS.get(row or "openai")
    return vendor.prices if vendor else ""
