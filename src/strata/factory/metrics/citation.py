"""Does the answer rest on the right documents: the share of the expected documents that it cites."""

from __future__ import annotations

from dataclasses import dataclass

from strata.factory.metric import Reply, Verdict
from strata.types import EvalCase


@dataclass(frozen=True, slots=True)
class CitationRecall:
    name: str = "citation"

    def judge(self, case: EvalCase, reply: Reply) -> Verdict | None:
        if case.kind not in {"answerable", "follow_up"} or not case.documents:
            return None
        missing = [document for document in case.documents if document not in reply.sources]
        reason = f"the answer does not cite {', '.join(missing)}" if missing else ""
        return Verdict(1 - len(missing) / len(case.documents), reason)


def make() -> CitationRecall:
    return CitationRecall()
