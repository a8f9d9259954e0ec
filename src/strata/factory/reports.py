"""Evaluation reports as they are kept: a heading in `<tenant>/evaluations`, its results in a partition of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from strata.events import EvaluationRun
from strata.ports.records import Put, Records, every
from strata.types import EvalReport, EvalResult

NEWEST = 50
GROUP = 50
LONGEST_ANSWER = 20_000


@dataclass(frozen=True, slots=True)
class Reports:
    tenant: str
    records: Records

    async def add(self, report: EvalReport, assistants: Sequence[str], fact: EvaluationRun) -> None:
        """Keep a report. It appears with its last commit, in one with the fact; before that nobody sees it.

        Of very long answers the first 20,000 characters are kept.
        """
        puts = [
            Put(self._results(report.id), f"{number:06d}", msgspec.to_builtins(_bounded(result)))
            for number, result in enumerate(report.results)
        ]
        for start in range(0, len(puts), GROUP):
            await self.records.commit(*puts[start : start + GROUP])
        heading: dict[str, Any] = {
            "report": msgspec.to_builtins(replace(report, results=())),
            "assistants": list(assistants),
        }
        key = f"{report.at.isoformat()}/{report.id}"
        await self.records.commit(Put(f"{self.tenant}/evaluations", key, heading, version=0), events=[fact])

    async def newest(self, may: Callable[[Sequence[str]], bool]) -> list[EvalReport]:
        """The newest reports, at most 50, of those whose assistants pass `may`."""
        headings = await self.records.query(f"{self.tenant}/evaluations", reverse=True)
        found = [heading.value for heading in headings if may(heading.value["assistants"])]
        return [await self._whole(msgspec.convert(value["report"], EvalReport)) for value in found[:NEWEST]]

    async def _whole(self, report: EvalReport) -> EvalReport:
        kept = every(self.records, self._results(report.id))
        results = [msgspec.convert(record.value, EvalResult) async for record in kept]
        return replace(report, results=tuple(results))

    def _results(self, report: str) -> str:
        return f"{self.tenant}/evaluations/{report}"


def _bounded(result: EvalResult) -> EvalResult:
    return replace(result, answer=result.answer[:LONGEST_ANSWER], reason=result.reason[:LONGEST_ANSWER])
