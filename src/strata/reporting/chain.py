"""How an audit entry is written down and sealed: one canonical form, and a hash that covers the entry before it.

The canonical form is JSON in ASCII with sorted keys and no white space. An entry's hash is SHA-256 over the 32 bytes of
the previous entry's hash and the canonical form of everything in the entry but the hash itself.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from strata.types import Json

GENESIS = "0" * 64
FIELDS: dict[str, type] = {
    "sequence": int,
    "at": str,
    "tenant": str,
    "actor": str,
    "action": str,
    "subject": str,
    "detail": dict,
    "event": str,
    "previous": str,
    "hash": str,
}


def canonical(value: Json) -> bytes:
    """The one way to write this value; raises ValueError for what JSON cannot say (NaN, infinity)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def seal(entry: Json) -> str:
    """The hash, in hexadecimal, that belongs to an entry whose `previous` is set; an old `hash` in it is ignored."""
    body = {name: value for name, value in entry.items() if name != "hash"}
    return hashlib.sha256(bytes.fromhex(entry["previous"]) + canonical(body)).hexdigest()


def place(sequence: int) -> str:
    """The record key of an entry: zero-padded, so that the order of keys is the order of entries."""
    return f"{sequence:016d}"


def malformed(entry: Any) -> str:
    """What is wrong with the shape of a stranger's entry; empty when nothing is."""
    if not isinstance(entry, dict):
        return "it is not an object"
    if entry.keys() != FIELDS.keys():
        return f"its fields are not {', '.join(FIELDS)}"
    for name, kind in FIELDS.items():
        if type(entry[name]) is not kind:
            return f"its {name} is not of type {kind.__name__}"
    for name in ("previous", "hash"):
        if not _is_hash(entry[name]):
            return f"its {name} is not a SHA-256 hash in lower-case hexadecimal"
    return ""


def _is_hash(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)
