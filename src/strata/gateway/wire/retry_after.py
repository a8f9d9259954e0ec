"""When a vendor wants to be asked again, out of the many ways in which vendors say so.

`retry-after` in seconds or as a date (RFC 9110, 10.2.3), `retry-after-ms` (OpenAI, Azure), and where neither is there
the reset of the limit that is used up: `x-ratelimit-reset-requests: 6m0s` beside `x-ratelimit-remaining-requests: 0`
(OpenAI and those that follow it), `anthropic-ratelimit-tokens-reset` as an RFC 3339 date.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 3600.0
"""Seconds that are believed at the most."""

UNSAID = 1.0
"""Seconds for what cannot be read."""

UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
DURATION = re.compile(rf"(?:{PART.pattern})+")


def seconds(said: str | None, clock: Callable[[], float] = time.time) -> float:
    """Retry-After in seconds, between 0 and an hour; 1 where it says nothing that can be read."""
    found = _seconds(said, clock) if said else None
    return UNSAID if found is None else found


def wanted(headers: Mapping[bytes, bytes], clock: Callable[[], float] = time.time) -> float | None:
    """Seconds until the vendor may be asked again, out of an answer's headers in lower case; None where it says none."""
    if (wait := _number(_said(headers, b"retry-after-ms"))) is not None:
        return _within(wait / 1000)
    if (said := _said(headers, b"retry-after")) is not None:
        return seconds(said, clock)
    resets = [
        wait
        for name in headers
        if b"ratelimit" in name and b"remaining" in name and _number(_said(headers, name)) == 0
        if (wait := _seconds(_said(headers, name.replace(b"remaining", b"reset")), clock)) is not None
    ]
    return max(resets, default=None)


def _said(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1").strip()


def _number(said: str | None) -> float | None:
    try:
        return float(said) if said and said[0].isdigit() else None
    except ValueError:
        return None


def _seconds(said: str | None, clock: Callable[[], float]) -> float | None:
    """A number of seconds, a duration such as `1m30.5s`, or a date."""
    said = (said or "").strip()
    if (number := _number(said)) is not None:
        # A moment, and not a time to wait, where it is counted from 1970, in seconds or milliseconds.
        number = number / 1000 if number > 1e11 else number
        return _within(number - clock() if number > 1e9 else number)
    if DURATION.fullmatch(said):
        return _within(sum(float(count) * UNITS[unit] for count, unit in PART.findall(said)))
    date = _date(said)
    return None if date is None else _within(date.timestamp() - clock())


def _date(said: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            date = read(said)
        except ValueError:
            continue
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    return None


def _within(wait: float) -> float:
    return min(max(wait, 0.0), LONGEST)
