"""What looks at a request before a vendor sees it, and may refuse it. One file in `guardrails/` for each.

A guardrail file offers `make(options: Options) -> Guardrail`. Guardrails fail closed: one that breaks refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from strata.errors import Refused, StrataError, Unavailable
from strata.types import Json, Subject


@dataclass(frozen=True, slots=True)
class Submission:
    """A request as it is about to leave: who pays for it, what is to be done, and its JSON of `size` bytes."""

    payer: Subject
    operation: str
    body: Json
    size: int


class Guardrail(Protocol):
    """Judges one submission. Its `name` stands in the event that tells of a refusal."""

    @property
    def name(self) -> str: ...

    async def inspect(self, submission: Submission) -> None:
        """Return to let it pass; raise an error of the `Refused` branch, which says how to mend it, to stop it."""
        ...


class Blocked(Exception):
    """A guardrail stopped a call; `error` is what the caller is told."""

    def __init__(self, guardrail: str, error: StrataError) -> None:
        self.guardrail = guardrail
        self.error = error
        super().__init__(guardrail)


async def pass_all(guardrails: Sequence[Guardrail], submission: Submission) -> None:
    """Let every guardrail look; raise `Blocked` at the first that refuses or breaks."""
    for guardrail in guardrails:
        try:
            await guardrail.inspect(submission)
        except Refused as error:
            raise Blocked(guardrail.name, error) from error
        except Exception as error:
            broken = Unavailable(f"the guardrail {guardrail.name!r} is broken, so nothing passes; tell an operator")
            raise Blocked(guardrail.name, broken) from error
