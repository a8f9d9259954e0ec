"""Anthropic's Messages: natively, and for requests in the gateway's own dialect.

A deployment's `options`: `api_key`, `base_url` (without the version: `https://api.anthropic.com`), `beta` (names of the
vendor's previews to switch on), `omit` (fields that the model refuses, such as `["temperature"]`), `headers`,
`max_response`. A Messages request may name `betas` itself, as Anthropic's clients do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

from strata.errors import Misconfigured, UpstreamBroken
from strata.gateway.money.estimate import byte_bound
from strata.gateway.options import Deployment
from strata.gateway.translations import from_messages, nonsense, to_messages
from strata.gateway.translations.hidden import hidden
from strata.gateway.wire.upstream import Upstream
from strata.types import Json

VERSION = "2023-06-01"
PATHS = {"chat": "/v1/messages", "messages": "/v1/messages", "count_tokens": "/v1/messages/count_tokens"}


@dataclass(slots=True)
class Anthropic:
    """One deployment. Its connections are kept open and shared by all its calls."""

    deployment: Deployment
    upstream: Upstream
    beta: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    operations: frozenset[str] = field(default=frozenset(PATHS))

    async def whole(self, operation: str, request: Json) -> Json:
        body, headers = self._own(operation, request)
        answer = await self.upstream.json(PATHS[operation], body, headers)
        if operation != "chat":
            return answer
        with nonsense.answered(self.upstream.name):
            return from_messages.completion(answer)

    async def stream(self, operation: str, request: Json) -> AsyncIterator[list[Json]]:
        body, headers = self._own(operation, request)
        body["stream"] = True
        reading = from_messages.Reading() if operation == "chat" else None
        done = False
        async with aclosing(self.upstream.events(PATHS[operation], body, headers)) as source:
            async for events in source:
                done = done or any(event.get("type") == "message_stop" for event in events)
                pieces = events
                if reading is not None:
                    with nonsense.answered(self.upstream.name):
                        pieces = reading.chunks(events)
                if pieces:
                    yield pieces
        if not done:
            raise UpstreamBroken(f"{self.upstream.name} broke off in the middle of its answer")

    def count(self, text: str) -> int:
        return byte_bound(text)

    def hidden(self, operation: str, request: Json) -> int:  # noqa: ARG002 - the same for all
        """Tokens that the vendor adds to the prompt on its own, at the most."""
        return hidden(request, self.deployment.context)

    async def warm(self) -> None:
        await self.upstream.warm()

    async def close(self) -> None:
        await self.upstream.close()

    def _own(self, operation: str, request: Json) -> tuple[Json, dict[str, str]]:
        """The request under the vendor's own names, and the headers that it asks for."""
        model = self.deployment.model or self.deployment.name
        if operation == "chat":
            with nonsense.asked():
                body = to_messages.request(request, model)
        else:
            body = {**request, "model": model}
        body.pop("stream", None)
        for name in self.omit:
            body.pop(name, None)
        beta = dict.fromkeys([*self.beta, *to_messages.names(body.pop("betas", None))])
        return body, {"anthropic-beta": ",".join(beta)} if beta else {}


def make(row: str, deployment: Deployment) -> Anthropic:
    """Raises `Misconfigured` with everything that is wrong about the deployment."""
    wrong = [f"models.{deployment.name}: the provider anthropic has no rows; leave out {row!r}"] if row else []
    options = deployment.options
    key = str(options.get("api_key") or "").strip()
    if not key:
        wrong.append(f'models.{deployment.name}: options.api_key is missing; set it to "env:NAME" or "file:PATH"')
    if wrong:
        raise Misconfigured(wrong)
    base_url = str(options.get("base_url") or "https://api.anthropic.com").rstrip("/").removesuffix("/v1")
    upstream = Upstream.of(deployment, base_url, {"x-api-key": key, "anthropic-version": VERSION})
    return Anthropic(
        deployment, upstream, to_messages.names(options.get("beta")), to_messages.names(options.get("omit"))
    )


def price_list(row: str) -> str:  # noqa: ARG001 - it has no rows
    """The vendor's name in the published prices."""
    return "anthropic"
