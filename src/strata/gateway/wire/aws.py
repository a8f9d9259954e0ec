"""Calls AWS services over HTTP: signed requests, whole answers and event streams, every failure as what to do about it.

A deployment's options for all of AWS: `region`, `base_url` (such as a VPC endpoint's), and where the keys come from
(`gateway/wire/awskeys.py`), or `api_key`, a key that is sent as it is.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

import orjson

from strata.errors import Misconfigured, StrataError, UpstreamBroken
from strata.gateway.options import Deployment
from strata.gateway.wire import awskeys
from strata.gateway.wire.connection import Connection, TooMuch
from strata.gateway.wire.eventstream import Frames, Garbled, Message
from strata.gateway.wire.retry_after import wanted
from strata.gateway.wire.sigv4 import sign
from strata.gateway.wire.sse import Events
from strata.gateway.wire.upstream import Reply, Upstream
from strata.types import Json

STREAM = "application/vnd.amazon.eventstream"

STATUS = {
    "ThrottlingException": 429, "TooManyRequestsException": 429, "ServiceQuotaExceededException": 429,
    "ModelNotReadyException": 429, "ValidationException": 400, "ValidationError": 400, "ModelTimeoutException": 504,
    "AccessDeniedException": 403, "ExpiredTokenException": 403, "ExpiredToken": 403, "UnrecognizedClientException": 403,
    "InvalidSignatureException": 403, "ResourceNotFoundException": 404, "ServiceUnavailableException": 503,
    "ServiceUnavailable": 503, "InternalServerException": 500, "InternalFailure": 500, "InternalStreamFailure": 500,
    "InternalDependencyException": 500, "ModelErrorException": 502, "ModelStreamErrorException": 502, "ModelStreamError": 502,
}  # fmt: skip
"""What an error of AWS is by its name, whatever status it came with."""


class Service(Upstream):
    """One service. AWS names its errors in a header."""

    def named(self, name: str, message: str, status: int = 500, retry_after: str | None = None) -> StrataError:
        """The error of that name, of which no more than the name's last part has to be known."""
        plain = re.split(r"[#/]", name.partition(":")[0])[-1]
        known = STATUS.get(plain[:1].upper() + plain[1:], status)
        return self.failure(known, message or plain, retry_after)

    def spoken(self, events: Events, data: bytes, found: list[Json]) -> StrataError | None:
        """Append what server-sent events in these bytes hold; returns the error that stands behind them."""
        return self._parse(events, data, found)

    def said(self, name: str, data: bytes, status: int = 500, retry_after: str | None = None) -> StrataError:
        """The error that these bytes describe; a model's own is told as the model told it."""
        try:
            held = orjson.loads(data)
        except ValueError:
            held = {}
        own = (
            {str(key)[:1].lower() + str(key)[1:]: value for key, value in held.items()}
            if isinstance(held, dict)
            else {}
        )
        original = own.get("originalStatusCode")
        message = str(own.get("originalMessage") or own.get("message") or "")[:1000]
        if "ModelError" in name and isinstance(original, int) and 400 <= original < 500:
            return self.failure(original, message, retry_after)
        return self.named(name or str(own.get("__type") or ""), message, status, retry_after)

    async def _refusal(self, connection: Connection) -> StrataError:
        name = connection.headers.get(b"x-amzn-errortype", b"").decode("latin-1")
        status, wait = connection.status, wanted(connection.headers)
        try:
            data = await connection.whole(64 * 1024)
        except TooMuch:
            data = b""
        return self.said(name, data, status, None if wait is None else str(wait))


@dataclass(slots=True)
class AWS:
    """A deployment at one service, such as `bedrock` at `bedrock-runtime.eu-central-1.amazonaws.com`."""

    service: Service
    signing: str
    region: str
    keys: awskeys.Keys | None

    @classmethod
    def of(cls, deployment: Deployment, host: str, signing: str, wrong: list[str] | None = None) -> AWS:
        """`host` is the service's name in its addresses, `signing` that in signatures. Raises `Misconfigured`."""
        wrong = list(wrong or ())
        options = deployment.options
        region = str(options.get("region") or deployment.region or "")
        if not re.fullmatch(r"[a-z]{2,4}(-[a-z0-9]+)+", region):
            wrong.append("options.region must be a region of AWS, such as 'eu-central-1'")
        key = str(options.get("api_key") or "").strip()
        keys = None if key else awskeys.keys(options, region, wrong)
        if wrong:
            raise Misconfigured([f"models.{deployment.name}: {problem}" for problem in wrong])
        url = str(options.get("base_url") or f"https://{host}.{region}.{awskeys.domain(region)}").rstrip("/")
        return cls(
            Service.of(deployment, url, {"authorization": f"Bearer {key}"} if key else {}), signing, region, keys
        )

    @property
    def name(self) -> str:
        return self.service.name

    async def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """Raises as `Upstream.send` does."""
        return await self.service.send("POST", path, body, await self._signed(path, body, headers or {}))

    async def json(self, path: str, body: Json, headers: Mapping[str, str] | None = None) -> Json:
        return self.service.object((await self.post(path, orjson.dumps(body), headers)).data)

    async def messages(
        self, path: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[list[Message]]:
        """The events of a stream, those that came together in one list. One that tells of a failure is raised, after
        what came before it; so is a stream that ends in the middle of a message.
        """
        frames = Frames()
        signed = await self._signed(path, body, headers or {})
        async with aclosing(self.service.pieces(path, body, signed, wanted=STREAM)) as source:
            async for data in source:
                found: list[Message] = []
                failure = self._read(frames, data, found)
                if found:
                    yield found
                if failure is not None:
                    raise failure
        if frames.rest:
            raise UpstreamBroken(f"{self.name} broke off in the middle of its answer")

    def _read(self, frames: Frames, data: bytes, found: list[Message]) -> StrataError | None:
        try:
            for message in frames.feed(data):
                if message.kind != "event":
                    return self._failure(message)
                found.append(message)
        except Garbled as error:
            return UpstreamBroken(f"{self.name} sent a stream that cannot be read: {error}")
        return None

    def _failure(self, message: Message) -> StrataError:
        if said := message.headers.get(":error-message"):
            return self.service.named(message.name, str(said)[:1000])
        return self.service.said(message.name, message.payload)

    async def _signed(self, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        if self.keys is None:
            return dict(headers)
        keys, host = await self.keys.current(), self.service.host
        return sign(
            keys, self.region, self.signing, awskeys.now(), "POST", host.authority, host.path + path, headers, body
        )

    async def close(self) -> None:
        await self.service.close()
        if self.keys is not None:
            await self.keys.close()
