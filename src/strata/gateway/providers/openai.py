"""OpenAI's dialect over HTTP, and every vendor and server that speaks it: each is a row in `VENDORS`.

A deployment's `options`: `base_url` (with its version, such as `https://api.openai.com/v1`), `api_key`, `headers`
(more headers for every call), `max_response` (bytes of one answer), `max_tokens_field` (what the vendor calls the limit
of an answer). Timeouts are the deployment's: `first_token_timeout` also bounds the pause between two pieces of a stream.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

from strata.errors import Misconfigured, UpstreamBroken
from strata.gateway.estimate import byte_bound
from strata.gateway.options import Deployment
from strata.gateway.sse import Events
from strata.gateway.upstream import Upstream
from strata.types import Json

PATHS = {
    "chat": "/chat/completions", "embeddings": "/embeddings", "responses": "/responses", "rerank": "/rerank",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Vendor:
    """What is particular about a vendor. `prices` is its name in the published prices; none: it charges nothing.

    `limit` is what it calls the most tokens of an answer; `usage_asked`: streams count tokens only when asked to;
    `more`: what it takes besides chat and embeddings.
    """

    base_url: str = ""
    needs_key: bool = True
    key_header: str = "authorization"
    limit: str = "max_tokens"
    usage_asked: bool = True
    prices: str = ""
    more: tuple[str, ...] = ()


VENDORS: dict[str, Vendor] = {
    "openai": Vendor("https://api.openai.com/v1", limit="max_completion_tokens", prices="openai", more=("responses",)),
    "azure": Vendor(key_header="api-key", limit="max_completion_tokens", prices="azure", more=("responses",)),
    "groq": Vendor("https://api.groq.com/openai/v1", limit="max_completion_tokens", prices="groq"),
    "mistral": Vendor("https://api.mistral.ai/v1", usage_asked=False, prices="mistral"),
    "together": Vendor("https://api.together.xyz/v1", prices="together"),
    "openrouter": Vendor("https://openrouter.ai/api/v1", prices="openrouter"),
    "deepseek": Vendor("https://api.deepseek.com/v1", prices="deepseek"),
    "fireworks": Vendor("https://api.fireworks.ai/inference/v1", prices="fireworks"),
    "perplexity": Vendor("https://api.perplexity.ai", usage_asked=False, prices="perplexity"),
    "cerebras": Vendor("https://api.cerebras.ai/v1", limit="max_completion_tokens", prices="cerebras"),
    "xai": Vendor("https://api.x.ai/v1", limit="max_completion_tokens", prices="x-ai"),
    "vllm": Vendor("http://127.0.0.1:8000/v1", needs_key=False, more=("responses", "rerank")),
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
    upstream: Upstream
    limit: str
    operations: frozenset[str] = field(default=frozenset({"chat", "embeddings"}))

    async def whole(self, operation: str, request: Json) -> Json:
        body = self._own(operation, request)
        body.pop("stream", None)
        body.pop("stream_options", None)
        return await self.upstream.json(PATHS[operation], body)

    async def stream(self, operation: str, request: Json) -> AsyncIterator[list[Json]]:
        body = self._own(operation, request)
        body["stream"] = True
        if operation == "chat" and self.vendor.usage_asked:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        elif operation == "chat":
            body.pop("stream_options", None)
        events, finished = Events(), False
        source = self.upstream.events(PATHS[operation], body, events=events)
        async with aclosing(source):
            async for chunks in source:
                finished = finished or any(map(_finishes, chunks))
                yield chunks
        if not (events.done or finished):
            raise UpstreamBroken(f"{self.upstream.name} broke off in the middle of its answer")

    def count(self, text: str) -> int:
        return byte_bound(text)

    async def warm(self) -> None:
        await self.upstream.warm()

    async def close(self) -> None:
        await self.upstream.close()

    def _own(self, operation: str, request: Json) -> Json:
        """The request under the vendor's own names."""
        body = {**request, "model": self.deployment.model or self.deployment.name}
        if operation == "chat" and self.limit == "max_tokens" and "max_completion_tokens" in body:
            limit = body.pop("max_completion_tokens")
            if body.get("max_tokens") is None:
                body["max_tokens"] = limit
        return body


def _finishes(event: Json) -> bool:
    """Whether this is the end of an answer: a choice with its reason, or the last event of a response."""
    choices = event.get("choices")
    if isinstance(choices, list):
        return any(isinstance(it, dict) and it.get("finish_reason") for it in choices)
    return event.get("type") in {"response.completed", "response.incomplete", "response.failed"}


def make(row: str, deployment: Deployment) -> OpenAI:
    """Raises `Misconfigured` with everything that is wrong about the deployment."""
    vendor = VENDORS.get(row or "openai")
    if vendor is None:
        raise Misconfigured(f"models.{deployment.name}: no vendor called {row!r}; there are {sorted(VENDORS)}")
    options = deployment.options
    key = str(options.get("api_key") or "").strip()
    if vendor.needs_key and not key:
        raise Misconfigured(
            f'models.{deployment.name}: options.api_key is missing; set it to "env:NAME" or "file:PATH"'
        )
    headers = {}
    if key:
        headers[vendor.key_header] = f"Bearer {key}" if vendor.key_header == "authorization" else key
    upstream = Upstream.of(deployment, str(options.get("base_url") or vendor.base_url).rstrip("/"), headers)
    operations = frozenset({"chat", "embeddings", *vendor.more, *options.get("operations", ())})
    return OpenAI(vendor, deployment, upstream, options.get("max_tokens_field", vendor.limit), operations)


def price_list(row: str) -> str:
    """The vendor's name in the published prices; empty for a server of one's own, which charges nothing."""
    vendor = VENDORS.get(row or "openai")
    return vendor.prices if vendor else ""
