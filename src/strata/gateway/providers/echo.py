"""A model that answers by a script: for tests, trials and documentation. It costs nothing and reaches nobody.

`deployment.options["script"]` may hold: `reply` (text; by default the last message is said back), `chunks` (list of
pieces for a stream; by default words), `delay` (seconds before each piece), `fail` (`refused`, `rate-limited`,
`broken` or `hang`), `fail_after` (pieces of a stream that come before the failure), `fail_times` (only the first so
many calls fail), `usage` (a usage object, or null for a vendor that does not count), `dimensions`, `finish_reason`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import math
import re
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from strata.errors import Invalid, RateLimited, StrataError, UpstreamBroken, UpstreamRefused
from strata.gateway.options import Deployment
from strata.types import Json

WORDS = re.compile(r"\w+")


@dataclass(slots=True)
class Echo:
    """Answers by its script. `calls` counts what it was asked; `cancelled` what was broken off."""

    model: str
    script: Json
    calls: int = 0
    cancelled: int = 0
    requests: list[Json] = field(default_factory=list)
    operations: frozenset[str] = frozenset({"chat", "embeddings"})

    async def whole(self, operation: str, request: Json) -> Json:
        return await (self._embed(request) if operation == "embeddings" else self._chat(request))

    async def _chat(self, request: Json) -> Json:
        self._asked(request)
        try:
            await self._pause()
            await self._fail()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        message = {"role": "assistant", "content": self._reply(request), "refusal": None}
        reason = self.script.get("finish_reason", "stop")
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return self._answer("chat.completion", choice) | self._usage(request, self._reply(request))

    async def stream(self, operation: str, request: Json) -> AsyncIterator[list[Json]]:  # noqa: ARG002
        self._asked(request)
        said = 0
        fail_after = self.script.get("fail_after", 0)
        finished = False
        try:
            for piece in self._pieces(request):
                await self._pause()
                if said >= fail_after:
                    await self._fail()
                yield [self._chunk({"role": "assistant", "content": piece} if not said else {"content": piece})]
                said += 1
            if said <= fail_after:
                await self._fail()
            yield [self._chunk({}, self.script.get("finish_reason", "stop"))]
            usage = self._usage(request, self._reply(request))
            if usage:
                yield [{**self._chunk({}), "choices": [], **usage}]
            finished = True
        except StrataError:
            finished = True
            raise
        finally:
            self.cancelled += not finished

    async def _embed(self, request: Json) -> Json:
        self._asked(request)
        await self._pause()
        await self._fail()
        texts = request["input"]
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise Invalid("'input' must be a text or a list of texts", param="input")
        dimensions = self.script.get("dimensions", 64)
        packed = request.get("encoding_format") == "base64"
        vectors = [hashed(text, dimensions) for text in texts]
        data = [
            {"object": "embedding", "index": index, "embedding": pack(vector) if packed else vector}
            for index, vector in enumerate(vectors)
        ]
        tokens = sum(self.count(text) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "model": self.model, "data": data, "usage": usage}

    def count(self, text: str) -> int:
        return len(text.split())

    async def warm(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def _asked(self, request: Json) -> None:
        self.calls += 1
        self.requests.append(request)
        del self.requests[:-100]

    async def _pause(self) -> None:
        if delay := self.script.get("delay"):
            await asyncio.sleep(delay)

    async def _fail(self) -> None:
        times = self.script.get("fail_times")
        if times is not None and self.calls > times:
            return
        match self.script.get("fail"):
            case "refused":
                raise UpstreamRefused("the script refuses this request", vendor_status=400)
            case "rate-limited":
                raise RateLimited("the script is over its limit", retry_after=7)
            case "broken":
                raise UpstreamBroken("the script breaks off", vendor_status=500)
            case "hang":
                await asyncio.Event().wait()

    def _reply(self, request: Json) -> str:
        if "reply" in self.script:
            return str(self.script["reply"])
        if "chunks" in self.script:
            return "".join(self.script["chunks"])
        said = [message.get("content") for message in request.get("messages", ()) if isinstance(message, dict)]
        return said[-1] if said and isinstance(said[-1], str) else ""

    def _pieces(self, request: Json) -> list[str]:
        if "chunks" in self.script:
            return list(self.script["chunks"])
        return re.findall(r"\S+\s*|\s+", self._reply(request))

    def _usage(self, request: Json, reply: str) -> Json:
        if "usage" in self.script:
            return {"usage": self.script["usage"]} if self.script["usage"] else {}
        said = [message.get("content") for message in request.get("messages", ()) if isinstance(message, dict)]
        prompt = sum(self.count(text) for text in said if isinstance(text, str))
        completion = self.count(reply)
        return {
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            }
        }

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        return self._answer("chat.completion.chunk", {"index": 0, "delta": delta, "finish_reason": finish_reason})

    def _answer(self, kind: str, choice: Json) -> Json:
        return {"id": f"echo-{self.calls}", "object": kind, "created": 0, "model": self.model, "choices": [choice]}


def hashed(text: str, dimensions: int) -> list[float]:
    """A vector of length 1 in which each word has a place of its own: texts that share words are similar."""
    vector = [0.0] * dimensions
    for word in WORDS.findall(text.casefold()):
        place = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        vector[place % dimensions] += 1.0 if place & (1 << 63) else -1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]


def pack(vector: list[float]) -> str:
    """A vector as OpenAI's base64 form: little-endian float32."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def make(row: str, deployment: Deployment) -> Echo:  # noqa: ARG001
    script: Any = deployment.options.get("script", {})
    if deployment.dimensions:
        script = {"dimensions": deployment.dimensions, **script}
    return Echo(deployment.model or deployment.name, dict(script))
