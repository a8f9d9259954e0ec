"""One model call under way: what has been heard from the vendor so far, and the bill it makes in the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from strata.gateway.estimate import likely_prompt
from strata.gateway.router import Route
from strata.gateway.spend import Bill, Outcome, Reservation
from strata.types import Json, Usage


@dataclass(slots=True)
class Call:
    """A call that has been let out. Its tokens are the vendor's own count where it gives one, otherwise ours."""

    route: Route
    body: Json
    reservation: Reservation
    most: int
    usage: Usage | None = None
    pieces: int = 0
    size: int = 0
    started: float = field(default_factory=time.perf_counter)
    bill: Bill | None = None

    def hear(self, chunk: Json) -> None:
        """Take note of a piece of a stream: its usage, or how much it says."""
        if usage := chunk.get("usage"):
            self.usage = parse_usage(usage)
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            said = delta.get("content") or delta.get("reasoning_content") or delta.get("refusal")
            if said:
                self._say(said)
            for call in delta.get("tool_calls") or ():
                self._say((call.get("function") or {}).get("arguments") or "")

    def hear_whole(self, answer: Json) -> None:
        """Take note of a whole answer."""
        if usage := answer.get("usage"):
            self.usage = parse_usage(usage)
        else:
            for choice in answer.get("choices") or ():
                self._say(str(choice.get("message") or ""))

    def close(self, outcome: Outcome) -> Bill:
        """The bill. A call that failed before it said anything costs nothing; one that was left costs its prompt."""
        estimated = self.usage is None
        usage = self.usage or self._counted(outcome)
        cost = self.route.tariff.cost(usage) if usage.total_tokens or not estimated else 0
        if estimated:
            cost = min(cost, self.reservation.quote.estimate)
        duration = round((time.perf_counter() - self.started) * 1000)
        self.bill = Bill(usage, cost, outcome, duration, estimated and usage.total_tokens > 0)
        return self.bill

    def _counted(self, outcome: Outcome) -> Usage:
        if outcome == "failed" and not self.pieces:
            return Usage()
        completion = min(max(self.pieces, -(-self.size // 4)), self.most)
        return Usage(likely_prompt(self.body), completion)

    def _say(self, text: str) -> None:
        self.pieces += 1
        self.size += len(text) if text.isascii() else len(text.encode())


def parse_usage(usage: Any) -> Usage:
    """A vendor's usage object. Some vendors leave reasoning tokens out of the completion's: their total tells."""
    if not isinstance(usage, dict):
        return Usage()
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    inside, outside = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    cached = _count(inside.get("cached_tokens")) if isinstance(inside, dict) else 0
    cached = cached or _count(usage.get("prompt_cache_hit_tokens"))
    reasoning = _count(outside.get("reasoning_tokens")) if isinstance(outside, dict) else 0
    if reasoning and _count(usage.get("total_tokens")) == prompt + completion + reasoning:
        completion += reasoning
    return Usage(prompt, completion, min(cached, prompt), min(reasoning, completion))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
