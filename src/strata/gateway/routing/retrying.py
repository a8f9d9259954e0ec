"""Which failures another try may mend, how long to wait before it, and how many tries a deployment has to bear.

Waiting is exponential with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/),
and never shorter than the vendor's Retry-After. Retries are a share of the calls, so that an outage is not answered
with several times the load; the budget is that of Finagle
(https://twitter.github.io/finagle/guide/Clients.html#retries): each call pays in a part of one retry.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from strata.errors import Deadline, Invalid, Later, StrataError, TooLarge, UpstreamBroken, UpstreamRefused

BASE = 0.2
"""Seconds that the first retry waits at the most; each further one twice as long, up to `LONGEST_WAIT`."""

LONGEST_WAIT = 5.0
"""Seconds of waiting after which the caller is told instead: it knows better whether to wait for longer."""

SHARE = 0.2
"""Retries that each call allows for: at most a fifth of the calls are tried again."""

SPARE = 10.0
"""Retries in a burst, so that a deployment with few calls can be tried again as well."""

SPARE_RATE = 0.5
"""Retries that become possible each second without any call."""

Mend = Literal["again", "elsewhere", "larger", "never"]
"""What may mend a failure: another try; another deployment; one with a larger context; nothing."""

TOO_LONG = re.compile(
    r"context[ _-]?(length|window|size)|maximum context|prompt is too long|input is too long|too many (input )?tokens"
    r"|input token count|input length and .*max_tokens. exceed|exceeds? the (maximum|model).{0,40}tokens",
    re.IGNORECASE,
)
"""How vendors say that a request has more tokens than the model takes."""

OPERATOR = {401, 402, 403, 404, 405}
"""What a vendor answers when the settings are wrong: the same deployment will say so again."""


def mend(error: StrataError) -> Mend:
    if isinstance(error, UpstreamBroken):
        return "elsewhere" if error.vendor_status in OPERATOR else "again"
    if isinstance(error, UpstreamRefused | Invalid | TooLarge):
        return "larger" if TOO_LONG.search(error.detail) else "never"
    return "again" if isinstance(error, Later) and not isinstance(error, Deadline) else "never"


def backoff(retry: int, random: Callable[[], float], rest: float = 0.0) -> float:
    """Seconds before a retry, the first being 0, to a deployment that rests for `rest` more seconds: all of those, and
    a part that is drawn, so that not everybody comes back at the same moment.
    """
    return rest + random() * min(max(BASE * 2.0**retry, rest / 2), LONGEST_WAIT)


@dataclass(slots=True)
class RetryBudget:
    """One deployment's. `clock` in seconds."""

    clock: Callable[[], float] = time.monotonic
    _level: float = SPARE
    _at: float = 0.0

    def called(self) -> None:
        """A call begins that is no retry."""
        if self._level < SPARE:
            self._level += SHARE

    def take(self) -> bool:
        """Whether a retry may be made now, which counts it."""
        at = self.clock()
        if self._at:
            self._level = min(SPARE, self._level + (at - self._at) * SPARE_RATE)
        self._at = at
        if self._level < 1:
            return False
        self._level -= 1
        return True
