"""A circuit breaker: a deployment that keeps failing is left alone for a while, then tried with one call.

It opens after `CONSECUTIVE` failures in a row, or when `RATE` of at least `FEWEST` calls within the last `WINDOW`
seconds failed. It stays open for `FIRST_PAUSE` seconds, twice as long after each trial that fails, at most
`LONGEST_PAUSE`. Apart from that a vendor may ask to be left alone (Retry-After): then the deployment rests.

What counts as a failure is the caller's business: a request that is at fault, or a caller who leaves, is `left`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

CONSECUTIVE = 5
RATE = 0.5
FEWEST = 20
WINDOW = 30.0
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 60.0

FIRST_REST = 0.25
LONGEST_REST = 5.0
"""Seconds of rest for a vendor that is over its limit and does not say for how long: twice as long each time in a row."""

SLOTS = 10
SLOT = WINDOW / SLOTS

State = Literal["closed", "open", "half-open"]


@dataclass(slots=True)
class Breaker:
    """One deployment's. Every `begin` must be followed by one of `succeeded`, `failed` and `left`, with what it gave.

    `opened` counts how often it has opened, `clock` is in seconds.
    """

    clock: Callable[[], float] = time.monotonic
    opened: int = 0
    resting_until: float = 0.0
    _open_until: float = 0.0
    _pause: float = FIRST_PAUSE
    _probe: int = 0
    _serial: int = 0
    _in_a_row: int = 0
    _limited: int = 0
    _answered: float = -math.inf
    _slot: int = 0
    _calls: list[int] = field(default_factory=lambda: [0] * SLOTS)
    _failures: list[int] = field(default_factory=lambda: [0] * SLOTS)

    @property
    def state(self) -> State:
        if not self._open_until:
            return "closed"
        return "half-open" if self.clock() >= self._open_until else "open"

    @property
    def untroubled(self) -> bool:
        """Whether it is closed and nobody asked for rest: what is true nearly always, told without a clock."""
        return not self._open_until and not self.resting_until

    def wait(self) -> float:
        """Seconds until a call may begin; 0 when one may now. While the one trial runs: until it is due again."""
        if self.untroubled:
            return 0.0
        at = self.clock()
        rest = self.resting_until - at
        if rest <= 0:
            self.resting_until = rest = 0.0
        if not self._open_until:
            return rest
        return max(rest, FIRST_PAUSE if self._probe and at >= self._open_until else self._open_until - at, 0.0)

    @property
    def rests(self) -> bool:
        """Whether only a vendor's wish, and not its failures, keeps calls away."""
        return not self._open_until and self.wait() > 0

    def begin(self) -> int:
        """A call begins. The number tells trials apart: 0 for a call that is none."""
        if not self._open_until:
            return 0
        self._serial += 1
        self._probe = self._serial
        return self._probe

    def succeeded(self, probe: int = 0) -> None:
        if self._open_until:
            if probe and probe == self._probe:
                self._close()
            return
        self._in_a_row = self._limited = 0
        self._answered = at = self.clock()
        slot = int(at / SLOT)
        self._calls[slot % SLOTS if slot == self._slot else self._now()] += 1

    def heard(self, probe: int = 0) -> None:
        """A call under way has begun to be answered, which is as much as a trial has to show."""
        self._answered = self.clock()
        if probe and probe == self._probe:
            self._close()

    def failed(self, probe: int = 0, begun: float = math.inf) -> None:
        """A call failed that began at this moment; it broke off in the middle of its answer where none is said. In a row
        are only those that began after the last sign of life: otherwise calls that hang, which all end late, would look
        like an outage beside those that are answered at once.
        """
        if self._open_until:
            if probe and probe == self._probe:
                self._pause = min(self._pause * 2, LONGEST_PAUSE)
                self._open()
            return
        self._in_a_row += begun >= self._answered
        slot = self._now()
        self._calls[slot] += 1
        self._failures[slot] += 1
        calls = sum(self._calls)
        if self._in_a_row >= CONSECUTIVE or (calls >= FEWEST and sum(self._failures) >= RATE * calls):
            self._open()

    def left(self, probe: int = 0) -> None:
        """The call says nothing about the deployment. A trial may be made again at once."""
        if probe and probe == self._probe:
            self._probe = 0

    def rest(self, seconds: float) -> None:
        """The vendor asks not to be called for so long."""
        self.resting_until = max(self.resting_until, self.clock() + seconds)

    def limited(self) -> None:
        """The vendor is over its limit and does not say for how long."""
        self.rest(min(FIRST_REST * 2.0 ** min(self._limited, 10), LONGEST_REST))
        self._limited += 1

    def _open(self) -> None:
        self.opened += 1
        self._open_until = self.clock() + self._pause
        self._probe = 0

    def _close(self) -> None:
        self._open_until, self._probe, self._in_a_row, self._pause = 0.0, 0, 0, FIRST_PAUSE
        self._calls, self._failures = [0] * SLOTS, [0] * SLOTS

    def _now(self) -> int:
        """The slot of this moment, emptied if it was last used in an earlier round."""
        slot = int(self.clock() / SLOT)
        passed = slot - self._slot
        if passed:
            for step in range(max(passed - SLOTS, 0), passed):
                index = (self._slot + 1 + step) % SLOTS
                self._calls[index] = self._failures[index] = 0
            self._slot = slot
        return slot % SLOTS
