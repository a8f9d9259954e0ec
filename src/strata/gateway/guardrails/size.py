"""The size guard: a request larger than the gateway allows does not reach a vendor."""

from __future__ import annotations

from dataclasses import dataclass

from strata.errors import Invalid, TooLarge
from strata.gateway.guardrail import Submission
from strata.gateway.options import Options

MAX_TEXTS = 2048


@dataclass(frozen=True, slots=True)
class SizeGuard:
    """At most `max_body` bytes of JSON, and at most `MAX_TEXTS` texts in one embedding call."""

    max_body: int
    name: str = "size"

    async def inspect(self, submission: Submission) -> None:
        if submission.size > self.max_body:
            raise TooLarge(f"the request has {submission.size} bytes; at most {self.max_body} are allowed")
        texts = submission.body.get("input")
        if isinstance(texts, list) and len(texts) > MAX_TEXTS and not isinstance(texts[0], int):
            raise Invalid(f"'input' has {len(texts)} texts; send at most {MAX_TEXTS} at a time", param="input")


def make(options: Options) -> SizeGuard:
    return SizeGuard(options.max_body)
