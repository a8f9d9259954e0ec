"""Tells of every call that is over: counted for Prometheus, and sent as a span where a collector is set."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from strata.gateway.call import Call
from strata.gateway.caller import Caller
from strata.gateway.facts.metrics import Metrics
from strata.gateway.facts.tracing import Tracing, operation_name, provider_name
from strata.gateway.guardrail import Finding
from strata.gateway.money.spend import Bill


@dataclass(frozen=True, slots=True)
class Telemetry:
    """`tracing` None: no collector is set."""

    metrics: Metrics = field(default_factory=Metrics)
    tracing: Tracing | None = None

    def ended(self, caller: Caller, call: Call, bill: Bill) -> None:
        """A call is over."""
        target = call.attempts.target
        ended = time.perf_counter()
        self.metrics.call(
            (call.ask.operation, target.name, bill.deployment, bill.provider, bill.outcome, target.currency),
            seconds=ended - call.started,
            first=call.answered - call.started if call.answered else 0.0,
            admission=call.sent - call.started if call.sent else 0.0,
            prompt=bill.usage.prompt_tokens,
            completion=bill.usage.completion_tokens,
            cost=bill.cost,
            attempts=bill.attempts,
        )
        if self.tracing is not None:
            self._span(self.tracing, caller, call, bill, ended)

    def refused(self, model: str, reason: str) -> None:
        self.metrics.refused(model, reason)

    def judged(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.metrics.judged(finding.guardrail, finding.verdict)

    def close(self) -> None:
        self.metrics.leave()
        if self.tracing is not None:
            self.tracing.close()

    def _span(self, tracing: Tracing, caller: Caller, call: Call, bill: Bill, ended: float) -> None:
        operation = operation_name(call.ask.operation)
        now, usage = time.time_ns(), bill.usage
        target = call.attempts.target.name
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": provider_name(bill.provider),
            "gen_ai.request.model": target,
            "gen_ai.response.model": bill.deployment,
            "gen_ai.usage.input_tokens": usage.prompt_tokens,
            "gen_ai.usage.output_tokens": usage.completion_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
            "strata.request.id": call.ask.request,
            "strata.department": caller.payer.department,
            "strata.cost.micros": bill.cost,
            "strata.outcome": bill.outcome,
            "strata.attempts": bill.attempts,
            "strata.admission.seconds": call.sent - call.started if call.sent else 0.0,
        }
        if call.answered:
            attributes["gen_ai.response.time_to_first_chunk"] = call.answered - call.started
        begun = now - int((ended - call.started) * 1e9)
        failed = "" if bill.outcome == "ok" else bill.outcome
        tracing.span(f"{operation} {target}", begun, now, attributes, call.ask.trace, failed)
