"""Does the assistant say that it does not know what the documents do not tell."""

from __future__ import annotations

from dataclasses import dataclass

from strata.factory.metric import Reply, Verdict
from strata.types import EvalCase


@dataclass(frozen=True, slots=True)
class Abstention:
    name: str = "abstention"

    def judge(self, case: EvalCase, reply: Reply) -> Verdict | None:
        if case.kind != "unanswerable":
            return None
        if reply.outcome == "abstained":
            return Verdict(1.0)
        ended = reply.refused or f"the outcome is {reply.outcome!r}"
        return Verdict(0.0, f"the assistant did not abstain: {ended}")


def make() -> Abstention:
    return Abstention()
