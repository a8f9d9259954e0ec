"""What a caller may say about the way of its call, in the headers of the request.

`x-strata-timeout`: seconds for all tries together. `x-strata-session`: which conversation this belongs to, so that a
route which is sticky by session keeps it on one model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from strata.errors import Invalid

LONGEST_TIMEOUT = 3600.0
MAX_SESSION = 200


def timeout_in(headers: Mapping[bytes, bytes]) -> float:
    """Seconds; 0 where the caller does not say. Raises `Invalid`."""
    said = headers.get(b"x-strata-timeout")
    if said is None:
        return 0.0
    try:
        timeout = float(said)
    except ValueError:
        timeout = math.nan
    if not 0 < timeout <= LONGEST_TIMEOUT:
        raise Invalid(f"x-strata-timeout is a number of seconds above 0, at most {LONGEST_TIMEOUT:g}")
    return timeout


def session_in(headers: Mapping[bytes, bytes]) -> str:
    """The caller's name for a conversation; empty where it gives none. Raises `Invalid`."""
    said = headers.get(b"x-strata-session", b"").decode("latin-1").strip()
    if len(said) > MAX_SESSION or not said.isascii() or (said and not said.isprintable()):
        raise Invalid(f"x-strata-session is at most {MAX_SESSION} printable ASCII characters")
    return said
