"""The Merkle tree: roots of RFC 6962, and paths that prove their leaf and no other."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.evidence.merkle_tree import compute_root, hash_leaf, prove_leaf, root_of_path

ENTRIES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
"""The entries of the reference implementation of Certificate Transparency, and the roots of the first 1, 2, ... 8."""
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


@pytest.mark.parametrize("count", range(1, 9))
def test_roots_are_those_of_certificate_transparency(count: int) -> None:
    """The roots are those that the reference implementation of RFC 6962 has for its own entries."""
    assert compute_root([hash_leaf(entry) for entry in ENTRIES[:count]]).hex() == ROOTS[count - 1]


def test_nothing_has_the_hash_of_nothing() -> None:
    """A tree without leaves has the root that RFC 6962 gives it."""
    assert compute_root([]) == sha256(b"").digest()


@given(st.integers(1, 70), st.data())
def test_a_path_proves_its_leaf_alone(count: int, data: st.DataObject) -> None:
    """A path leads from its leaf to the root, and from another leaf, place, count or path it does not."""
    leaves = [hash_leaf(bytes([number])) for number in range(count)]
    index = data.draw(st.integers(0, count - 1))
    path, root = prove_leaf(leaves, index), compute_root(leaves)
    assert root_of_path(leaves[index], index, count, path) == root
    assert root_of_path(hash_leaf(b"another"), index, count, path) != root
    assert root_of_path(leaves[index], index, count, [*path, root]) is None
    assert root_of_path(leaves[index], count, count, path) is None
    assert root_of_path(leaves[index], -1, count, path) is None
    if path:
        assert root_of_path(leaves[index], index, count, path[:-1]) is None
        assert root_of_path(leaves[index], index ^ 1, count, path) != root
