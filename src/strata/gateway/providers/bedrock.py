"""Amazon Bedrock: any of its models through Converse, Anthropic's also in their own Messages, and models of embeddings.

A deployment's `model` is a model's id, an inference profile's (`eu.anthropic.claude-…`) or its ARN. Its `options`:

    region, base_url                      where; `base_url` for a VPC endpoint
    api_key                               a Bedrock key, or the keys that gateway/wire/awskeys.py describes
    guardrail = { id = "…", version = "1", trace = "enabled" }
                                          a guardrail of Bedrock, on every call
    performance = "optimized"             latency-optimised inference
    service_tier                          default, flex, priority
    request_metadata                      names and values for Bedrock's log of calls
    dialect = "anthropic"                 the ARN of a profile belongs to one of Anthropic's models
    count_model                           the model to count tokens with, where `model` is an ARN
    beta, omit, headers, max_response     as for the provider anthropic
"""

from __future__ import annotations

import asyncio
import base64
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from strata.errors import UpstreamBroken
from strata.gateway.money.estimate import byte_bound, likely_tokens
from strata.gateway.options import Deployment
from strata.gateway.translations import from_converse, nonsense, to_converse, to_invoke, to_messages
from strata.gateway.translations.answer import Answer
from strata.gateway.translations.hidden import hidden
from strata.gateway.wire.aws import AWS
from strata.gateway.wire.eventstream import Message
from strata.types import Json

VERSION = "bedrock-2023-05-31"
PROFILE = re.compile(r"^(us|eu|ap|apac|jp|au|ca|sa|me|af|us-gov|global)\.(?=[a-z0-9]+\.)")
AT_ONCE = 8
"""Texts that are embedded at once where a call takes one."""


@dataclass(slots=True)
class Bedrock:
    """One deployment. Its connections are kept open and shared by all its calls."""

    deployment: Deployment
    aws: AWS
    model: str
    family: str
    operations: frozenset[str]
    fixed: Json = field(default_factory=dict)
    guard: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    beta: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    count_model: str = ""

    async def whole(self, operation: str, request: Json) -> Json:
        if operation == "embeddings":
            return await self._embed(request)
        if operation == "count_tokens":
            return await self._count_tokens(request)
        if operation == "messages":
            return await self.aws.json(self._path("invoke"), self._messages(request), self.headers)
        said = await self.aws.json(self._path("converse"), self._converse(request))
        with nonsense.answered(self.aws.name):
            return from_converse.completion(said, new_id(), self.model)

    async def stream(self, operation: str, request: Json) -> AsyncIterator[list[Json]]:
        source = self._native(request) if operation == "messages" else self._chat(request)
        async with aclosing(source) as pieces:
            async for some in pieces:
                yield some

    async def _chat(self, request: Json) -> AsyncGenerator[list[Json]]:
        body = orjson.dumps(self._converse(request))
        reading = from_converse.Reading(Answer(new_id(), self.model))
        async with aclosing(self.aws.messages(self._path("converse-stream"), body)) as source:
            async for messages in source:
                with nonsense.answered(self.aws.name):
                    for message in messages:
                        reading.read(message.name, self.aws.service.object(message.payload))
                if chunks := reading.answer.taken():
                    yield chunks
        if not reading.done:
            raise UpstreamBroken(f"{self.aws.name} broke off in the middle of its answer")

    async def _native(self, request: Json) -> AsyncGenerator[list[Json]]:
        body, done = orjson.dumps(self._messages(request)), False
        path = self._path("invoke-with-response-stream")
        async with aclosing(self.aws.messages(path, body, self.headers)) as source:
            async for messages in source:
                events = [self._event(message) for message in messages if message.name == "chunk"]
                done = done or any(event.get("type") == "message_stop" for event in events)
                if events:
                    yield events
        if not done:
            raise UpstreamBroken(f"{self.aws.name} broke off in the middle of its answer")

    def count(self, text: str) -> int:
        return byte_bound(text)

    def hidden(self, operation: str, request: Json) -> int:  # noqa: ARG002 - the same for all
        """Tokens that the vendor adds to the prompt on its own, at the most."""
        return hidden(request, self.deployment.context)

    async def warm(self) -> None:
        """Fetch the keys that the first call would wait for."""
        if self.aws.keys is not None:
            await self.aws.keys.current()

    async def close(self) -> None:
        await self.aws.close()

    # -------------------------------------------------------------- requests

    def _path(self, action: str, model: str = "") -> str:
        return f"/model/{quote(model or self.model, safe='')}/{action}"

    def _converse(self, request: Json) -> Json:
        own = {**request, **self.guard}
        for name, value in self.fixed.items():
            own.setdefault(name, value)
        with nonsense.asked():
            body = to_converse.request(own, f"{self.family} {self.model}".strip())
        if self.beta:
            more = body.setdefault("additionalModelRequestFields", {})
            more["anthropic_beta"] = list(dict.fromkeys([*self.beta, *more.get("anthropic_beta", ())]))
        for name in self.omit:
            body["inferenceConfig"].pop({"top_p": "topP"}.get(name, name), None)
        return body

    def _messages(self, request: Json) -> Json:
        """A Messages request as InvokeModel takes it: the model is in the address, previews are in the body."""
        body = {name: value for name, value in request.items() if name not in {"model", "stream", "betas", *self.omit}}
        body.setdefault("anthropic_version", VERSION)
        beta = [*self.beta, *to_messages.names(request.get("betas")), *to_messages.names(request.get("anthropic_beta"))]
        return {**body, "anthropic_beta": list(dict.fromkeys(beta))} if beta else body

    def _event(self, message: Message) -> Json:
        held = self.aws.service.object(message.payload).get("bytes")
        try:
            return self.aws.service.object(base64.b64decode(held or ""))
        except ValueError as error:
            raise UpstreamBroken(f"{self.aws.name} sent a piece that cannot be read") from error

    # -------------------------------------------------------------- counting and embedding

    async def _count_tokens(self, request: Json) -> Json:
        """Profiles cannot count: the model behind them is asked."""
        body = {"max_tokens": 1, **self._messages(request)}
        held = {"invokeModel": {"body": base64.b64encode(orjson.dumps(body)).decode()}}
        said = await self.aws.json(self._path("count-tokens", self.count_model), {"input": held})
        if not isinstance(said.get("inputTokens"), int):
            raise UpstreamBroken(f"{self.aws.name} did not say how many tokens there are")
        return {"input_tokens": said["inputTokens"]}

    async def _embed(self, request: Json) -> Json:
        bodies = list(to_invoke.requests(request, self.model))
        rows: list[list[float]] = []
        tokens = 0
        for start in range(0, len(bodies), AT_ONCE):
            try:
                async with asyncio.TaskGroup() as group:
                    asked = [group.create_task(self._embed_some(body)) for body in bodies[start : start + AT_ONCE]]
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from failed
            for vectors, count in (task.result() for task in asked):
                rows += vectors
                tokens += count
        if len(rows) != len(to_invoke.texts(request)):
            raise UpstreamBroken(f"{self.aws.name} answered with another number of vectors than it got texts")
        return to_invoke.answer(rows, tokens, request, self.model)

    async def _embed_some(self, body: Json) -> tuple[list[list[float]], int]:
        reply = await self.aws.post(self._path("invoke"), orjson.dumps(body))
        answer = self.aws.service.object(reply.data)
        said = reply.headers.get(b"x-amzn-bedrock-input-token-count", b"")
        count: Any = int(said) if said.isdigit() else answer.get("inputTextTokenCount")
        if not isinstance(count, int):
            count = likely_tokens(str(body))
        return to_invoke.vectors(answer, self.aws.name), count


def new_id() -> str:
    """Converse gives its answers no id."""
    return f"chatcmpl-{uuid.uuid4().hex}"


def make(row: str, deployment: Deployment) -> Bedrock:
    """Raises `Misconfigured` with everything that is wrong about the deployment."""
    options = deployment.options
    wrong = [f"the provider bedrock has no rows; leave out {row!r}"] if row else []
    model = deployment.model or deployment.name
    guardrail = options.get("guardrail")
    if guardrail is not None and not (isinstance(guardrail, dict) and guardrail.get("id")):
        wrong.append("options.guardrail must be a table with an id and a version")
        guardrail = None
    if deployment.kind == "embedding" and not wrong:
        to_invoke.family(model)
    anthropics = to_converse.anthropics(model) or options.get("dialect") == "anthropic"
    operations = frozenset({"chat", "messages", "count_tokens"} if anthropics else {"chat"})
    if deployment.kind == "embedding":
        operations = frozenset({"embeddings"})
    aws = AWS.of(deployment, "bedrock-runtime", "bedrock", wrong)
    return Bedrock(
        deployment, aws, model, "anthropic" if anthropics else "", operations, _fixed(options), _guard(guardrail),
        _headers(options, guardrail), to_messages.names(options.get("beta")), to_messages.names(options.get("omit")),
        str(options.get("count_model") or PROFILE.sub("", model)),
    )  # fmt: skip


def _fixed(options: Json) -> Json:
    """What the settings add to every Converse request; what a caller says itself counts more."""
    fixed: Json = {}
    if options.get("performance"):
        fixed["performanceConfig"] = {"latency": options["performance"]}
    if options.get("service_tier"):
        fixed["serviceTier"] = {"type": options["service_tier"]}
    if options.get("request_metadata"):
        fixed["requestMetadata"] = options["request_metadata"]
    return fixed


def _guard(guardrail: Json | None) -> Json:
    """The guardrail of the settings, which no caller can change."""
    if not guardrail:
        return {}
    config = {"guardrailIdentifier": guardrail["id"], "guardrailVersion": str(guardrail.get("version") or "DRAFT")}
    return {"guardrailConfig": {**config, **({"trace": guardrail["trace"]} if guardrail.get("trace") else {})}}


def _headers(options: Json, guardrail: Json | None) -> dict[str, str]:
    """The same for InvokeModel, which takes it in headers."""
    found = {
        "x-amzn-bedrock-performanceconfig-latency": options.get("performance"),
        "x-amzn-bedrock-service-tier": options.get("service_tier"),
    }
    if guardrail:
        found["x-amzn-bedrock-guardrailidentifier"] = guardrail["id"]
        found["x-amzn-bedrock-guardrailversion"] = str(guardrail.get("version") or "DRAFT")
    return {name: str(value) for name, value in found.items() if value}


def price_list(row: str) -> str:  # noqa: ARG001 - it has no rows
    """The vendor's name in the published prices."""
    return "aws"
