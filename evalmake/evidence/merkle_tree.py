"""A Merkle tree as of RFC 6962, section 2.1: one hash stands for a list, and a short path proves one entry of it.

Leaves and inner nodes are hashed with different first bytes, so neither can pass for the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def hash_leaf(data: bytes) -> bytes:
    """Return the hash of one entry."""
    return sha256(b"\x00" + data).digest()


def compute_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over the hashes of leaves; of no leaves, the sha256 of nothing."""
    if not leaves:
        return sha256(b"").digest()
    row = list(leaves)
    while len(row) > 1:
        row = _pair_up(row)
    return row[0]


def prove_leaf(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path of leaf `index`: its neighbours from the leaf upwards."""
    path, row = [], list(leaves)
    while len(row) > 1:
        neighbour = index ^ 1
        if neighbour < len(row):
            path.append(row[neighbour])
        row, index = _pair_up(row), index // 2
    return path


def root_of_path(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a path leads to from leaf `index` of `count`; None where the path has a wrong length."""
    if not 0 <= index < count:
        return None
    steps = iter(path)
    found, width = leaf, count
    while width > 1:
        if index ^ 1 < width:
            neighbour = next(steps, None)
            if neighbour is None:
                return None
            found = _hash_pair(neighbour, found) if index & 1 else _hash_pair(found, neighbour)
        index, width = index // 2, (width + 1) // 2
    return found if next(steps, None) is None else None


def _pair_up(row: Sequence[bytes]) -> list[bytes]:
    """The row above; the last node of an odd row goes up as it is, which gives the tree of RFC 6962."""
    pairs = [_hash_pair(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
    return pairs + ([row[-1]] if len(row) % 2 else [])


def _hash_pair(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()
