"""Signed checkpoints of the audit record: how many entries there were, and the root over all of them.

A hash chain alone does not show that its tail was cut off, that it was recomputed, or that the whole of it was replaced.
A checkpoint kept where the record's keeper cannot write shows all three, for the entries that it covers.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strata.errors import Misconfigured
from strata.reporting.chain import canonical

PURPOSE = "strata audit checkpoint v1"
FIELDS: dict[str, type] = {"tenant": str, "size": int, "root": str, "at": str, "key": str, "signature": str}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`size` entries of the tenant's record have the RFC 6962 `root`; so says at time `at` whoever holds key `key`."""

    tenant: str
    size: int
    root: str
    at: str
    key: str
    signature: str = ""

    @property
    def statement(self) -> bytes:
        """What is signed. It names its purpose, so that no other signature by the same key passes for it."""
        return canonical(
            {
                "purpose": PURPOSE,
                "tenant": self.tenant,
                "size": self.size,
                "root": self.root,
                "at": self.at,
                "key": self.key,
            }
        )

    @property
    def line(self) -> bytes:
        return canonical({name: getattr(self, name) for name in FIELDS}) + b"\n"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs checkpoints with an Ed25519 key derived (HKDF-SHA256) from the installation's key."""

    private: Ed25519PrivateKey

    @classmethod
    def of(cls, key: bytes) -> Signer:
        """Raises `Misconfigured` for a key of fewer than 16 bytes."""
        if len(key) < 16:
            raise Misconfigured("the key that signs the audit record's checkpoints needs at least 16 bytes")
        seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE.encode()).derive(key)
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def public_key(self) -> bytes:
        """32 bytes that an offline verifier needs; they are no secret, but must reach it by a way of their own."""
        return self.private.public_key().public_bytes_raw()

    def sign(self, tenant: str, size: int, root: bytes, at: datetime) -> Checkpoint:
        plain = Checkpoint(tenant, size, root.hex(), at.isoformat(), key_id(self.public_key))
        signature = self.private.sign(plain.statement).hex()
        return Checkpoint(plain.tenant, plain.size, plain.root, plain.at, plain.key, signature)


def key_id(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()[:16]


def read(line: bytes) -> Checkpoint:
    """A checkpoint from a line of a witness file; raises ValueError for anything that is not exactly one."""
    try:
        raw: Any = json.loads(line)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(raw, dict) or raw.keys() != FIELDS.keys():
        raise ValueError(f"it is not an object with {', '.join(FIELDS)}")
    for name, kind in FIELDS.items():
        if type(raw[name]) is not kind:
            raise ValueError(f"its {name} is not of type {kind.__name__}")
    checkpoint = Checkpoint(**raw)
    if checkpoint.size < 1 or checkpoint.line.strip() != line.strip():
        raise ValueError("it is not in canonical form")
    return checkpoint


def is_signed(checkpoint: Checkpoint, public_key: bytes) -> bool:
    """Whether the holder of this key signed exactly this checkpoint."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(bytes.fromhex(checkpoint.signature), checkpoint.statement)
    except (InvalidSignature, ValueError):
        return False
    return True


def describe(checkpoint: Checkpoint) -> str:
    return f"checkpoint of {checkpoint.at} over {checkpoint.size} entries"
