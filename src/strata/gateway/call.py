"""One model call under way: what has been heard from the vendor so far, and the bill it makes in the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from strata.gateway.caller import Ask
from strata.gateway.dialect import Dialect
from strata.gateway.guardrail import Submission
from strata.gateway.guards.watching import Watching
from strata.gateway.money.estimate import likely_prompt
from strata.gateway.money.limits import Entry
from strata.gateway.money.prices import Manner, manner
from strata.gateway.money.spend import Bill, Outcome, Reservation
from strata.gateway.routing.attempts import Attempts
from strata.types import Json, Usage

PHASES = b"queue;dur=%.3f, checks;dur=%.3f, tries;dur=%.3f, vendor;dur=%.3f"
"""Waiting to be let in; limits, guardrails and budgets; waiting for room and earlier tries; the one that answered."""

PACE = 50
"""Tokens that a vendor makes in a second, about: whoever leaves an answer that nobody has seen yet pays for the time."""

GRACE = 2.0
"""Seconds for which a vendor is thought to read."""


@dataclass(slots=True)
class Call:
    """A call that has been let out. Its tokens are the vendor's own count where it gives one, otherwise ours.

    `begun`, `sent` and `answered` are moments of `time.perf_counter`: let out, last sent to a vendor, first piece.
    `pieces` were said, `counted` of them when the vendor last counted, of `size` bytes together; `words` are they
    themselves, where transcripts are kept.
    """

    ask: Ask
    dialect: Dialect
    attempts: Attempts
    reservation: Reservation
    most: int
    submission: Submission
    watching: Watching | None = None
    entry: Entry | None = None
    usage: Usage | None = None
    counted: int = 0
    pieces: int = 0
    size: int = 0
    begun: float = field(default_factory=time.perf_counter)
    sent: float = 0.0
    answered: float = 0.0
    bill: Bill | None = None
    served: Manner = ()
    words: list[str] | None = None

    def hear(self, answer: Json) -> None:
        """Take note of a whole answer or a piece of one: its usage, or how much it says."""
        if "service_tier" in answer:
            self.served = manner(answer) or self.served
        if not self.answered:
            self.answered = time.perf_counter()
            self.ask.headers.append((b"server-timing", self._phases()))
        for text in self.dialect.said(answer):
            self.pieces += 1
            self.size += len(text) if text.isascii() else len(text.encode())
            if self.words is not None:
                self.words.append(text)
        usage = self.dialect.usage(answer, self.usage)
        if usage is not None:
            self.usage = usage
            self.counted = self.pieces

    @property
    def started(self) -> float:
        """When it arrived: the caller's waiting for others counts too."""
        return self.ask.arrived

    def _phases(self) -> bytes:
        """Where the time went until the first piece, in milliseconds (https://www.w3.org/TR/server-timing/)."""
        let_in = self.entry.at if self.entry is not None else self.begun
        return PHASES % (
            (let_in - self.ask.arrived) * 1000,
            (self.begun - let_in) * 1000,
            (self.sent - self.begun) * 1000,
            (self.answered - self.sent) * 1000,
        )

    @property
    def manner(self) -> Manner:
        """How the vendor says that it served the call, else how it was asked to."""
        return self.served or manner(self.ask.body)

    def close(self, outcome: Outcome) -> Bill:
        """The bill. A call that was never sent, or failed before it said anything, costs nothing; one that was left costs its
        prompt, and what the vendor may have made of it by then.
        """
        route = self.attempts.route
        estimated = self.usage is None
        usage = self.usage or self._counted(outcome)
        if outcome != "ok" and self.pieces > self.counted and self._said > usage.completion_tokens:
            # Some vendors count the prompt at the start of a stream, and the answer only at its end.
            estimated, usage = True, replace(usage, completion_tokens=self._said)
        cost = (
            route.tariff.cost(usage, self.reservation.at, self.manner)
            if (usage.total_tokens or not estimated) and not self.dialect.FREE
            else 0
        )
        if estimated:
            cost = min(cost, self.reservation.quote.estimate)
        duration = round((time.perf_counter() - self.started) * 1000)
        self.bill = Bill(
            usage,
            cost,
            outcome,
            duration,
            estimated and usage.total_tokens > 0,
            route.deployment.name,
            route.deployment.provider,
            round((self.answered - self.started) * 1000) if self.answered else 0,
            self.attempts.count,
        )
        return self.bill

    def _counted(self, outcome: Outcome) -> Usage:
        if not self.sent or (outcome == "failed" and not self.pieces):
            return Usage()
        said = self._said
        if self.sent and not self.answered:
            worked = time.perf_counter() - self.sent - GRACE
            said = min(max(int(worked * PACE), 0), self.most)
        return Usage(likely_prompt(self.ask.body), said)

    @property
    def _said(self) -> int:
        """About how many tokens have been said."""
        return min(max(self.pieces, -(-self.size // 4)), self.most)
