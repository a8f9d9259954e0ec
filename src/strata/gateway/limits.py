"""How fast and how many at once: requests per minute for each caller, and calls under way in this process.

These limits live in the memory of one process. With several workers each lets its own share pass, so the sum may be
as many times the setting as there are workers; money is safe regardless, because budgets are kept in the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from strata.errors import RateLimited, Unavailable

MAX_CALLERS = 50_000


@dataclass(slots=True)
class Bucket:
    """Tokens that refill steadily; each request takes one."""

    level: float
    at: float


@dataclass(slots=True)
class Limits:
    """`per_minute` requests for each caller, bursts included (0: no limit); `concurrent` calls in this process."""

    per_minute: int
    concurrent: int
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, Bucket] = field(default_factory=dict, repr=False)
    _under_way: int = 0

    def enter(self, caller: str) -> None:
        """Let a call in, or raise `RateLimited` or `Unavailable`. Every call let in must `leave`."""
        if self._under_way >= self.concurrent:
            raise Unavailable(
                f"{self.concurrent} model calls are under way here, which is the limit; try again shortly",
                retry_after=1,
            )
        if self.per_minute:
            self._take(caller)
        self._under_way += 1

    def leave(self) -> None:
        self._under_way -= 1

    @property
    def under_way(self) -> int:
        return self._under_way

    def _take(self, caller: str) -> None:
        at, rate = self.clock(), self.per_minute / 60
        bucket = self._buckets.get(caller)
        if bucket is None:
            if len(self._buckets) >= MAX_CALLERS:
                self._forget(at)
            self._buckets[caller] = bucket = Bucket(float(self.per_minute), at)
        bucket.level = min(float(self.per_minute), bucket.level + (at - bucket.at) * rate)
        bucket.at = at
        if bucket.level < 1:
            wait = (1 - bucket.level) / rate
            raise RateLimited(
                f"{caller!r} may make {self.per_minute} requests a minute; try again in {wait:.1f} s",
                retry_after=round(wait, 3),
            )
        bucket.level -= 1

    def _forget(self, at: float) -> None:
        """Drop the callers who have been away for a minute: their buckets are full again."""
        self._buckets = {caller: bucket for caller, bucket in self._buckets.items() if at - bucket.at < 60}
        if len(self._buckets) >= MAX_CALLERS:
            self._buckets.clear()
