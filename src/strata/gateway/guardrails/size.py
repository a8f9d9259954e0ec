"""Refuses requests that are too long to be meant, before they take a vendor's time or the department's money.

Options: `max_body`, bytes of the request's JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strata.errors import Misconfigured, TooLarge
from strata.gateway.guardrail import Submission, Watch


@dataclass(frozen=True, slots=True)
class Size:
    """`max_body`: bytes of the request's JSON."""

    max_body: int
    name: str = "size"
    reads: bool = False

    async def request(self, submission: Submission) -> None:
        if submission.size > self.max_body:
            raise TooLarge(
                f"the request has {submission.size} bytes; at most {self.max_body} are allowed: send less context"
            )

    def answer(self, submission: Submission) -> Watch | None:  # noqa: ARG002 - a promise's argument
        return None


def make(options: Mapping[str, Any]) -> Size:
    limit = options.get("max_body", 4 * 1024 * 1024)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1 or set(options) - {"max_body"}:
        raise Misconfigured("the guardrail 'size' takes max_body, a number of bytes of at least 1, and nothing else")
    return Size(limit)
