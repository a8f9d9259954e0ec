"""Asks a service of yours about every text: it lets it pass, changes it or refuses it.

Options: `url`; `key`, a secret of at least 16 characters that signs each request; `timeout` in seconds (5); `places`
(all but `system`); `name`, for events where there are several hooks.

The service gets `POST` with JSON `{"place", "texts", "payer", "operation", "model"}` and the headers
`X-Strata-Timestamp` (seconds) and `X-Strata-Signature`: `v1=` and the hexadecimal HMAC-SHA256 of timestamp, a full stop
and the body. It answers 200 with `{"action": "pass"}`, `{"action": "mask", "texts": [...]}` (as many as it was asked
about) or `{"action": "refuse", "reason": "..."}`. Anything else, or nothing in time, stops the call.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from strata.errors import Forbidden, Misconfigured, Unavailable
from strata.gateway.guardrail import Finding, Place, Submission, Text, Watch
from strata.gateway.guards.blocks import Blocks

PLACES = ("input", "retrieved", "tool", "output", "system")
MAX_ANSWER = 8 * 1024 * 1024


@dataclass(slots=True)
class Hook:
    """`close` gives its connections back."""

    url: str
    key: bytes = field(repr=False)
    timeout: float
    places: tuple[str, ...]
    name: str = "hook"
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    async def request(self, submission: Submission) -> None:
        for place in self.places:
            texts = [text for text in submission.texts if text.place == place and text.value]
            said = await self.asked(submission, place, [text.value for text in texts]) if texts else []
            for text, value in zip(texts, said, strict=True):
                text.replace(value)

    def answer(self, submission: Submission) -> Watch | None:
        return _Answer(self, submission) if {"output", "tool"} & set(self.places) else None

    async def asked(self, submission: Submission, place: str, texts: Sequence[str]) -> list[str]:
        """The texts as the service wants them; raises `Forbidden` when it refuses, `Unavailable` when it fails."""
        verdict = await self._posted(orjson.dumps(_question(submission, place, texts)))
        action, changed = verdict.get("action"), verdict.get("texts") or []
        if action == "pass":
            return list(texts)
        if action == "mask" and _texts(changed, len(texts)):
            submission.findings += [
                Finding(self.name, "masked", place, _reason(verdict), 0, len(before))  # type: ignore[arg-type]
                for before, after in zip(texts, changed, strict=True)
                if before != after
            ]
            return list(changed)
        if action == "refuse":
            submission.findings.append(Finding(self.name, "refused", place, _reason(verdict)))  # type: ignore[arg-type]
            raise Forbidden(f"refused by {self.name}: {_reason(verdict)}")
        raise Unavailable(f"the service behind the guardrail {self.name!r} answers nonsense")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _posted(self, body: bytes) -> dict[str, Any]:
        stamp = str(int(time.time()))
        signature = hmac.new(self.key, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Strata-Timestamp": stamp,
            "X-Strata-Signature": f"v1={signature}",
        }
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.timeout))
        try:
            async with self._session.post(self.url, data=body, headers=headers, allow_redirects=False) as response:
                answer = await response.content.read(MAX_ANSWER) if response.status == 200 else b""
                while response.status == 200 and not response.content.at_eof() and len(answer) < MAX_ANSWER:
                    answer += await response.content.read(MAX_ANSWER - len(answer))
            verdict = orjson.loads(answer) if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError) as error:
            raise Unavailable(f"the service behind the guardrail {self.name!r} does not answer") from error
        if not isinstance(verdict, dict):
            raise Unavailable(f"the service behind the guardrail {self.name!r} answers {response.status}")
        return verdict


@dataclass(slots=True)
class _Answer:
    """Holds each block of the answer back until the service has judged it; arguments of tools until they are whole."""

    hook: Hook
    submission: Submission
    channels: dict[str, tuple[Place, Blocks]] = field(default_factory=dict)

    async def piece(self, text: Text) -> str:
        if text.channel not in self.channels and text.place not in self.hook.places:
            return text.value
        place, blocks = self.channels.setdefault(text.channel, (text.place, Blocks()))
        if place == "tool":
            blocks.waiting += text.value
            return ""
        return await self._judged(place, blocks.add(text.value))

    async def end(self, channel: str) -> str:
        place, blocks = self.channels.pop(channel, (None, None))
        rest = blocks.rest() if blocks else ""
        return await self._judged(place, [rest]) if place and rest else ""

    async def _judged(self, place: Place, blocks: list[str]) -> str:
        return "".join(await self.hook.asked(self.submission, place, blocks)) if blocks else ""


def _question(submission: Submission, place: str, texts: Sequence[str]) -> dict[str, Any]:
    return {
        "place": place,
        "texts": list(texts),
        "payer": submission.payer,
        "operation": submission.operation,
        "model": submission.model,
    }


def _texts(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(isinstance(text, str) for text in value)


def _reason(verdict: Mapping[str, Any]) -> str:
    reason = verdict.get("reason")
    return reason[:200] if isinstance(reason, str) and reason else "no reason given"


def make(options: Mapping[str, Any]) -> Hook:
    known = {"url", "key", "timeout", "places", "name"}
    wrong = [f"the guardrail 'hook' does not know {name!r}" for name in set(options) - known]
    url, key, timeout = options.get("url"), options.get("key"), options.get("timeout", 5.0)
    places, name = options.get("places", [place for place in PLACES if place != "system"]), options.get("name", "hook")
    address = urlsplit(url) if isinstance(url, str) else None
    if address is None or address.scheme not in {"http", "https"} or not address.hostname:
        wrong.append("the guardrail 'hook' needs url, an http or https address")
    if not isinstance(key, str) or len(key) < 16:
        wrong.append(
            "the guardrail 'hook' needs key, a secret of at least 16 characters, best by reference: 'env:NAME'"
        )
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= 60:
        wrong.append("the guardrail 'hook' takes a timeout of at most 60 seconds")
    if not isinstance(places, list | tuple) or not places or not set(places) <= set(PLACES):
        wrong.append(f"the guardrail 'hook' takes places out of {list(PLACES)}")
    if not isinstance(name, str) or not name:
        wrong.append("the guardrail 'hook' takes a name that is a text")
    if wrong:
        raise Misconfigured(wrong)
    return Hook(str(url), str(key).encode(), float(timeout), tuple(places), str(name))
