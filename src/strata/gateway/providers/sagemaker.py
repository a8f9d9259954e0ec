"""Models on Amazon SageMaker endpoints whose containers speak OpenAI's dialect (vLLM, LMI, TGI), and TEI's embeddings.

A deployment's `model` is the endpoint's name. Its `options`:

    region, base_url and keys             as for the provider bedrock (gateway/wire/awskeys.py)
    variant                               a production variant: two deployments with different ones make an A/B test
    component                             an inference component
    served_model                          the model's name inside the container, where it wants one
    dialect = "tei"                       the container speaks text-embeddings-inference's JSON, not OpenAI's
    max_tokens_field, usage_asked         what the container calls the limit; whether streams count only when asked to
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from strata.errors import UpstreamBroken
from strata.gateway.money.estimate import byte_bound, likely_tokens
from strata.gateway.options import Deployment
from strata.gateway.translations import to_invoke
from strata.gateway.wire.aws import AWS
from strata.gateway.wire.sse import Events
from strata.types import Json


@dataclass(slots=True)
class SageMaker:
    """One deployment. Its connections are kept open and shared by all its calls."""

    deployment: Deployment
    aws: AWS
    operations: frozenset[str]
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    served: str = ""
    limit: str = "max_tokens"
    usage_asked: bool = True
    tei: bool = False

    async def whole(self, operation: str, request: Json) -> Json:
        if self.tei and operation == "embeddings":
            return await self._tei(request)
        body = self._own(operation, request)
        body.pop("stream", None)
        body.pop("stream_options", None)
        answer = await self.aws.json(self.path, body, self.headers)
        if answer.get("error"):
            raise self.aws.service.said("ModelError", orjson.dumps(answer["error"]))
        return answer

    async def stream(self, operation: str, request: Json) -> AsyncIterator[list[Json]]:
        body = self._own(operation, request)
        body["stream"] = True
        if self.usage_asked:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        events, finished = Events(), False
        path = f"{self.path}-response-stream"
        async with aclosing(self.aws.messages(path, orjson.dumps(body), self.headers)) as source:
            async for messages in source:
                data = b"".join(message.payload for message in messages if message.name == "PayloadPart")
                found: list[Json] = []
                failure = self.aws.service.spoken(events, data, found) if data else None
                finished = finished or any(map(_finishes, found))
                if found:
                    yield found
                if failure is not None:
                    raise failure
        rest: list[Json] = []
        failure = None if events.done else self.aws.service.spoken(events, b"", rest)
        if rest:
            yield rest
        if failure is not None:
            raise failure
        if not (events.done or finished or any(map(_finishes, rest))):
            raise UpstreamBroken(f"{self.aws.name} broke off in the middle of its answer")

    def count(self, text: str) -> int:
        return byte_bound(text)

    async def warm(self) -> None:
        """Fetch the keys that the first call would wait for."""
        if self.aws.keys is not None:
            await self.aws.keys.current()

    async def close(self) -> None:
        await self.aws.close()

    def _own(self, operation: str, request: Json) -> Json:
        """The request under the container's own names."""
        body = {name: value for name, value in request.items() if name != "model"}
        if self.served:
            body["model"] = self.served
        if operation == "chat" and self.limit == "max_tokens" and "max_completion_tokens" in body:
            limit = body.pop("max_completion_tokens")
            if body.get("max_tokens") is None:
                body["max_tokens"] = limit
        return body

    async def _tei(self, request: Json) -> Json:
        texts = to_invoke.texts(request)
        reply = await self.aws.post(self.path, orjson.dumps({"inputs": texts}), self.headers)
        try:
            rows: Any = orjson.loads(reply.data)
        except ValueError as error:
            raise UpstreamBroken(f"{self.aws.name} answered with something that is not JSON") from error
        rows = to_invoke.vectors({"embeddings": rows}, self.aws.name)
        if len(rows) != len(texts):
            raise UpstreamBroken(f"{self.aws.name} answered with another number of vectors than it got texts")
        said = reply.headers.get(b"x-compute-tokens", b"")
        tokens = int(said) if said.isdigit() else sum(map(likely_tokens, texts))
        return to_invoke.answer(rows, tokens, request, self.served or self.deployment.name)


def _finishes(chunk: Json) -> bool:
    choices = chunk.get("choices")
    return isinstance(choices, list) and any(isinstance(it, dict) and it.get("finish_reason") for it in choices)


def make(row: str, deployment: Deployment) -> SageMaker:
    """Raises `Misconfigured` with everything that is wrong about the deployment."""
    options = deployment.options
    wrong = [f"the provider sagemaker has no rows; leave out {row!r}"] if row else []
    if options.get("dialect") not in {None, "openai", "tei"}:
        wrong.append("options.dialect must be 'openai' or 'tei'")
    aws = AWS.of(deployment, "runtime.sagemaker", "sagemaker", wrong)
    endpoint = quote(deployment.model or deployment.name, safe="")
    given = {
        "x-amzn-sagemaker-target-variant": options.get("variant"),
        "x-amzn-sagemaker-inference-component": options.get("component"),
    }
    return SageMaker(
        deployment, aws, frozenset({"embeddings" if deployment.kind == "embedding" else "chat"}),
        f"/endpoints/{endpoint}/invocations", {name: str(value) for name, value in given.items() if value},
        str(options.get("served_model") or ""), str(options.get("max_tokens_field") or "max_tokens"),
        bool(options.get("usage_asked", True)), options.get("dialect") == "tei",
    )  # fmt: skip


def price_list(row: str) -> str:  # noqa: ARG001 - it has no rows
    """None: an endpoint is paid for by the hour, which only the settings can turn into a price."""
    return ""
