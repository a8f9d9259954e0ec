"""How fast a deployment answers, as far as is known: an average that rises at once and falls slowly, and fades.

The peak-sensitive moving average of Finagle's load balancer
(https://twitter.github.io/finagle/docs/com/twitter/finagle/loadbalancer/PeakEwma$.html).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

DECAY = 10.0
"""Seconds in which an answer's weight falls to 1/e."""

FORGET = 120.0
"""Seconds after which a figure is so old that the deployment is tried again as if there were none."""


@dataclass(slots=True)
class Latency:
    """Seconds of one kind of answer from one deployment."""

    clock: Callable[[], float] = time.monotonic
    _average: float = 0.0
    _at: float = 0.0

    def observe(self, seconds: float) -> None:
        at = self.clock()
        if seconds >= self._average or at - self._at > FORGET:
            self._average = seconds
        else:
            weight = math.exp(-(at - self._at) / DECAY)
            self._average = self._average * weight + seconds * (1 - weight)
        self._at = at

    def at_least(self, seconds: float) -> None:
        """An answer would have taken longer than this, but nobody waited for it."""
        if seconds > self._average:
            self.observe(seconds)

    @property
    def seconds(self) -> float | None:
        """The average; None where nothing is known, or only what is old."""
        return self._average if self._at and self.clock() - self._at <= FORGET else None
