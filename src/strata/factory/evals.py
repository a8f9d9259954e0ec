"""Evaluation: asks an assistant every question of a set, each as the person of the case, and scores the answers.

It asks through the same contract as any reader, so what it measures is what readers get: rights, budgets and all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strata.access import Access, Resource
from strata.contracts import Assistants, Library
from strata.errors import Forbidden, Invalid, NotFound, StrataError
from strata.events import EvaluationRun
from strata.factory.datasets import mistakes
from strata.factory.metric import Metric, Reply
from strata.factory.reports import Reports
from strata.types import (
    Cited,
    Done,
    EvalCase,
    EvalReport,
    EvalResult,
    Failed,
    Person,
    Principal,
    Said,
    new_id,
    now,
)

MOST_CASES = 10_000


@dataclass(frozen=True, slots=True)
class EvaluationFactory:
    """Implements `contracts.Factory`."""

    tenant: str
    access: Access
    assistants: Assistants
    library: Library
    kept: Reports
    metrics: tuple[Metric, ...]
    people: tuple[Person, ...]
    parallel: int = 2
    seconds: float = 300.0

    async def evaluate(
        self,
        principal: Principal,
        dataset: str,
        cases: Sequence[EvalCase],
        *,
        on_result: Callable[[EvalResult], None] | None = None,
    ) -> EvalReport:
        """Ask everything, score it, keep the report. `on_result` is called as each case ends.

        A case whose answer breaks off counts as not passed, with the reason; it does not stop the others.
        Raises `Forbidden` unless this principal may evaluate every assistant that is asked, and `Invalid` with every
        mistake of the cases; nothing is asked then.
        """
        for assistant in sorted({case.assistant for case in cases}):
            self.access.require(principal, "evaluate", Resource("Assistant", assistant, self.tenant))
        self._check(cases)
        gate = asyncio.Semaphore(self.parallel)

        async def run(case: EvalCase) -> EvalResult:
            async with gate:
                result = await self._run(case)
            if on_result:
                on_result(result)
            return result

        async with asyncio.TaskGroup() as group:
            running = [group.create_task(run(case)) for case in cases]
        results = tuple(task.result() for task in running)
        report = EvalReport(new_id("eval"), dataset, now(), scores(results), results)
        await self.kept.add(report, sorted({case.assistant for case in cases}), self._fact(principal, report))
        return report

    async def reports(self, principal: Principal) -> list[EvalReport]:
        """Reports, newest first, of evaluations of assistants that this principal may evaluate."""

        def may(assistants: Sequence[str]) -> bool:
            resources = (Resource("Assistant", assistant, self.tenant) for assistant in assistants)
            return all(self.access.may(principal, "evaluate", resource) for resource in resources)

        return await self.kept.newest(may)

    def _check(self, cases: Sequence[EvalCase]) -> None:
        wrong = list(mistakes(tuple(cases)))
        known = {person.id for person in self.people}
        wrong += [f"nobody is called {name!r}" for name in sorted({case.person for case in cases} - known)]
        if not 1 <= len(cases) <= MOST_CASES:
            wrong.append(f"an evaluation has 1 to {MOST_CASES} cases, not {len(cases)}")
        if wrong:
            raise Invalid("these cases cannot be run: " + "; ".join(wrong), mistakes=wrong)

    async def _run(self, case: EvalCase) -> EvalResult:
        person = next(person for person in self.people if person.id == case.person).principal(self.tenant)
        try:
            async with asyncio.timeout(self.seconds):
                reply = await self._ask(person, case)
        except TimeoutError:
            return EvalResult(case.id, case.kind, False, {}, "", f"no answer within {self.seconds:g} seconds")
        except StrataError as error:
            return EvalResult(case.id, case.kind, False, {}, "", error.detail)
        return self._judge(case, reply)

    async def _ask(self, person: Principal, case: EvalCase) -> Reply:
        try:
            session = await self.assistants.open(person, case.assistant)
        except (Forbidden, NotFound) as error:
            return Reply(refused=error.detail)
        try:
            if case.after:
                await self._answer(person, session.id, case.after)
            return await self._answer(person, session.id, case.question)
        finally:
            with contextlib.suppress(StrataError):  # a conversation that stays behind changes no score
                await self.assistants.delete(person, session.id)

    async def _answer(self, person: Principal, session: str, question: str) -> Reply:
        text: list[str] = []
        quotes: list[str] = []
        cited: set[str] = set()
        outcome = None
        async for part in self.assistants.answer(person, session, question):
            match part:
                case Said(sentence):
                    text.append(sentence.text)
                case Cited(citation):
                    quotes.append(citation.quote)
                    cited.add(citation.document)
                case Done():
                    outcome = part.outcome
                case Failed(problem):
                    raise StrataError(f"the answer broke off: {problem.get('detail') or problem.get('title')}")
                case _:
                    pass
        if outcome is None or outcome == "failed":
            raise StrataError("the answer failed" if outcome else "the answer broke off")
        sources, closed = await self._sources(person, cited)
        return Reply("".join(text), outcome, tuple(quotes), sources, closed)

    async def _sources(self, person: Principal, documents: set[str]) -> tuple[frozenset[str], int]:
        sources: set[str] = set()
        closed = 0
        for name in sorted(documents):
            try:
                document = await self.library.document(person, name)
            except (NotFound, Forbidden):
                closed += 1
            else:
                sources.add(f"{document.corpus}/{document.source}")
        return frozenset(sources), closed

    def _judge(self, case: EvalCase, reply: Reply) -> EvalResult:
        verdicts = {metric.name: metric.judge(case, reply) for metric in self.metrics}
        given = {name: verdict for name, verdict in verdicts.items() if verdict is not None}
        reasons = [verdict.reason for verdict in given.values() if verdict.reason]
        if reply.refused and reasons:
            reasons.insert(0, f"the question was refused: {reply.refused}")
        passed = bool(given) and all(verdict.score >= 1 for verdict in given.values())
        found = {name: verdict.score for name, verdict in given.items()}
        return EvalResult(case.id, case.kind, passed, found, reply.text, "; ".join(reasons))

    def _fact(self, principal: Principal, report: EvalReport) -> EvaluationRun:
        return EvaluationRun(
            tenant=self.tenant,
            actor=principal.id,
            evaluation=report.id,
            dataset=report.dataset,
            cases=len(report.results),
            passed=sum(result.passed for result in report.results),
        )


def scores(results: Sequence[EvalResult]) -> dict[str, float]:
    """The share of cases passed in all (`all`) and of each kind, and the mean of each metric (`metric.<name>`) over
    the cases that it applies to. A case without scores, because its answer broke off, counts as 0 where it is missed.
    """
    found = {"all": _mean([float(result.passed) for result in results])}
    for kind in sorted({result.kind for result in results}):
        found[kind] = _mean([float(result.passed) for result in results if result.kind == kind])
    names: dict[str, set[str]] = {}
    for result in results:
        for name in result.scores:
            names.setdefault(name, set()).add(result.kind)
    for name in sorted(names):
        values = [
            result.scores.get(name, 0.0)
            for result in results
            if name in result.scores or (not result.scores and result.kind in names[name])
        ]
        found[f"metric.{name}"] = _mean(values)
    return found


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 6) if values else 0.0
