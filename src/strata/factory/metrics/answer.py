"""Is the answer there: the share of the expected phrases that the text says."""

from __future__ import annotations

from dataclasses import dataclass

from strata.factory.metric import Reply, Verdict, says
from strata.types import EvalCase


@dataclass(frozen=True, slots=True)
class Answer:
    name: str = "answer"

    def judge(self, case: EvalCase, reply: Reply) -> Verdict | None:
        if case.kind not in {"answerable", "follow_up"} or not case.answer:
            return None
        missing = [phrase for phrase in case.answer if not says(reply.text, phrase)]
        reason = f"the answer does not say {', '.join(map(repr, missing))}" if missing else ""
        return Verdict(1 - len(missing) / len(case.answer), reason)


def make() -> Answer:
    return Answer()
