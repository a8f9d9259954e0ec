"""The Merkle tree of RFC 6962, against its definition."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from strata.reporting.merkle import Frontier


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word: split at the largest power of two below the size."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + root_by_definition(leaves[:split]) + root_by_definition(leaves[split:])).digest()


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_a_tree_that_grew_has_the_root_of_the_definition(leaves):
    tree = Frontier()
    for data in leaves:
        tree = tree.add(data)
    assert tree.size == len(leaves)
    assert tree.root == root_by_definition(leaves)
    assert len(tree.peaks) == len(leaves).bit_count()
