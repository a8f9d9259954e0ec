"""Merkle trees over a growing log, as Certificate Transparency builds them (RFC 6962, section 2.1).

A `Frontier` is all that has to be kept to extend a tree and to know its root: the roots of its full subtrees, largest
first, at most one per bit of its size.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


def leaf(data: bytes) -> bytes:
    """The hash of a leaf. The prefix keeps a leaf from being passed off as a node."""
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of `size` leaves by the roots (32 bytes each) of its full subtrees."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def add(self, data: bytes) -> Frontier:
        """The tree with one more leaf; costs two hashes on average."""
        peaks = [*self.peaks, leaf(data)]
        full = self.size
        while full & 1:
            right, left = peaks.pop(), peaks.pop()
            peaks.append(node(left, right))
            full >>= 1
        return Frontier(self.size + 1, tuple(peaks))

    @property
    def root(self) -> bytes:
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node(peak, root)
        return root
