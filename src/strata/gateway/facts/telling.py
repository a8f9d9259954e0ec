"""Tells what befell calls, beside their callers: refusals and verdicts as facts on the record, everything as figures."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from typing import Any

from strata.errors import RateLimited, StrataError
from strata.events import CallRefused, GuardrailActed, UsageRecorded
from strata.gateway.call import Call
from strata.gateway.caller import Ask, Caller
from strata.gateway.facts.telemetry import Telemetry
from strata.gateway.guardrail import Submission
from strata.gateway.money.spend import Bill
from strata.gateway.routing.target import Target
from strata.ports.records import Records
from strata.types import Usage

log = logging.getLogger(__name__)

QUIET = 60.0
"""Seconds for which a caller's haste is told once."""

MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Telling:
    """`beside` runs work that no caller waits for."""

    tenant: str
    records: Records
    telemetry: Telemetry
    beside: Callable[[Coroutine[Any, Any, None]], object]
    clock: Callable[[], float] = time.monotonic
    _told: dict[str, float] = field(default_factory=dict, repr=False)

    def ended(self, caller: Caller, call: Call, bill: Bill) -> None:
        """A call is over."""
        self.telemetry.ended(caller, call, bill)
        if call.submission.findings:
            self.judged(caller, call.submission, call.ask.request)

    def reused(self, caller: Caller, ask: Ask, target: Target) -> Bill:
        """An answer was given again from memory: told as usage that cost nothing."""
        bill = Bill(Usage(), 0, "cached")
        fact = UsageRecorded(
            tenant=self.tenant,
            actor=caller.principal.id,
            request=ask.request,
            payer=caller.payer,
            model=target.name,
            provider="",
            operation=ask.operation,
            usage=bill.usage,
            cost_micros=0,
            currency=target.currency,
            outcome=bill.outcome,
            duration_ms=0,
        )
        self.beside(self._tell(fact))
        return bill

    def refused(self, caller: Caller, model: str, request: str, error: StrataError, guardrail: str = "") -> None:
        """A call was refused. Of a caller who is too fast it is told once a minute."""
        reason = f"{guardrail or 'gateway'}: {error.slug}"
        self.telemetry.refused(model, reason)
        if isinstance(error, RateLimited) and not self._news(caller.name):
            return
        fact = CallRefused(
            tenant=self.tenant,
            actor=caller.principal.id,
            request=request,
            payer=caller.payer,
            model=model,
            reason=reason,
            budget=str(error.more.get("budget", "")),
        )
        self.beside(self._tell(fact))

    def judged(self, caller: Caller, submission: Submission, request: str) -> None:
        """Guardrails have found something so far."""
        if not submission.findings:
            return
        self.telemetry.judged(submission.findings)
        findings = tuple(asdict(finding) for finding in submission.findings)
        submission.findings.clear()
        fact = GuardrailActed(
            tenant=self.tenant,
            actor=caller.principal.id,
            request=request,
            payer=caller.payer,
            model=submission.model,
            findings=findings,
        )
        self.beside(self._tell(fact))

    def _news(self, name: str) -> bool:
        if self._told.get(name, 0.0) > self.clock():
            return False
        if len(self._told) > MAX_REMEMBERED:
            self._told.clear()
        self._told[name] = self.clock() + QUIET
        return True

    async def _tell(self, fact: CallRefused | GuardrailActed | UsageRecorded) -> None:
        try:
            await self.records.commit(events=[fact])
        except StrataError as error:
            log.warning("%s of %s could not be recorded: %s", fact.kind, fact.request, error)
