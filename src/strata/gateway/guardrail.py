"""What looks at a request before a vendor sees it and at the answer before the caller does. One file each in `guardrails/`.

A guardrail file offers `make(options: Mapping[str, Any]) -> Guardrail` and raises `Misconfigured` with every mistake in
its options. Guardrails fail closed: one that breaks refuses. They see texts, whatever dialect the request came in: the
dialect says where in its JSON texts stand (`gateway/dialects`), and a guardrail may replace them in place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from strata.errors import Refused, StrataError, Unavailable
from strata.gateway.faults import where
from strata.types import Json, Subject

log = logging.getLogger(__name__)

Place = Literal["system", "input", "retrieved", "tool", "output"]
"""Where a text stands: instructions; what people say; passages and the results of tools; arguments of tool calls; the
model's answer.
"""


LONGEST = 90.0
"""Seconds after which a guardrail that looks at a request, or at a piece of an answer, counts as broken."""


@dataclass(slots=True)
class Text:
    """One text inside a request or an answer. `channel` names the run of text that it continues in a stream: `0` for
    the first choice, `0.tool.1` for the arguments of its second tool call.
    """

    place: Place
    channel: str
    holder: Any = field(repr=False)
    key: Any

    @property
    def value(self) -> str:
        value: str = self.holder[self.key]
        return value

    def replace(self, value: str) -> None:
        self.holder[self.key] = value


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict on a span of a text, in characters. It says what kind of thing was found, never the text itself."""

    guardrail: str
    verdict: Literal["refused", "masked", "flagged"]
    place: Place
    reason: str
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class Submission:
    """A request as it is about to leave: who pays for it, what is to be done, and its JSON of `size` bytes.

    `memory` holds what a guardrail needs again for the answer, under its name. `labels` is what has been learnt about
    the data (`personal`, `health`); where the request may go depends on it.
    """

    payer: Subject
    operation: str
    body: Json = field(repr=False)
    size: int
    model: str = ""
    texts: list[Text] = field(default_factory=list, repr=False)
    findings: list[Finding] = field(default_factory=list)
    memory: dict[str, Any] = field(default_factory=dict, repr=False)
    labels: set[str] = field(default_factory=set)


class Watch(Protocol):
    """Looks at the answer of one call, streamed or whole, text by text."""

    async def piece(self, text: Text) -> str:
        """What of the channel's text may go on now, which may be less than has come; raises `Refused` to stop."""
        ...

    async def end(self, channel: str) -> str:
        """What was held back, once a channel has ended; raises `Refused` to stop."""
        ...


class Guardrail(Protocol):
    """Judges requests and answers. Its `name` stands in the event that tells of a verdict. One that has something to load
    or to end offers `warm` and `close`, both asynchronous and without arguments.
    """

    @property
    def name(self) -> str: ...

    async def request(self, submission: Submission) -> None:
        """Return to let it pass, with texts replaced or not; raise an error of the `Refused` branch, which says how to
        mend it, to stop it.
        """
        ...

    def answer(self, submission: Submission) -> Watch | None:
        """Who looks at the answer of this submission; None where nobody needs to."""
        ...


class Blocked(Exception):
    """A guardrail stopped a call; `error` is what the caller is told."""

    def __init__(self, guardrail: str, error: StrataError) -> None:
        self.guardrail = guardrail
        self.error = error
        super().__init__(guardrail)


async def pass_all(guardrails: Sequence[Guardrail], submission: Submission) -> None:
    """Let every guardrail look; raise `Blocked` at the first that refuses, breaks or hangs."""
    for guardrail in guardrails:
        try:
            if getattr(guardrail, "reads", True):
                async with asyncio.timeout(LONGEST):
                    await guardrail.request(submission)
            else:
                await guardrail.request(submission)
        except Exception as error:
            raise stopped(guardrail.name, error) from error


def stopped(name: str, error: Exception) -> Blocked:
    """What a guardrail's error means for the call: a refusal is one, and whatever else is a broken guardrail."""
    if isinstance(error, Refused):
        return Blocked(name, error)
    log.error("the guardrail %r is broken: %s", name, where(error))
    return Blocked(name, Unavailable(f"the guardrail {name!r} is broken, so nothing passes; tell an operator"))
