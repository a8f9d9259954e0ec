"""Fresh ids for each call, from random bytes that are fetched from the system many at a time."""

from __future__ import annotations

import os
import secrets

SIZE = 16
"""Bytes of one id: 128 random bits, as everywhere."""

_pool = bytearray()


def fresh_id(prefix: str) -> str:
    """Like `strata.types.new_id`, without asking the system each time. A forked process draws its own bytes."""
    if not _pool:
        _pool.extend(secrets.token_bytes(SIZE * 256))
    taken = _pool[-SIZE:]
    del _pool[-SIZE:]
    return f"{prefix}_{taken.hex()}"


os.register_at_fork(after_in_child=_pool.clear)
