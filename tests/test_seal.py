"""Seals, and the files that evalmake trusts because they have one."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from evalmake.language.file_hashes import FileHashes, hash_bytes
from evalmake.language.parser import load_tree
from evalmake.language.source import Source
from evalmake.run.environments.environment import Environment
from evalmake.seal import seal, unseal


@given(st.text(max_size=9), st.binary(max_size=99), st.integers(0, 1 << 20))
def test_a_flipped_bit_breaks_a_seal(name: str, content: bytes, place: int) -> None:
    """Sealed content is read back under its name only, and not once a bit of it has flipped."""
    sealed = seal(name, content)
    assert unseal(name, sealed) == content
    assert unseal(name + "x", sealed) is None
    flipped = bytearray(sealed)
    flipped[place // 8 % len(sealed)] ^= 1 << place % 8
    assert unseal(name, bytes(flipped)) is None


def test_a_damaged_tree_is_parsed_again(tmp_path: Path) -> None:
    """A cached tree with one letter changed, or another file's, is not what an Evalfile says."""
    source, other = Source("Evalfile", "SEED = 11\n"), Source("Evalfile", "SEED = 12\n")
    right = load_tree(source, tmp_path)
    [path] = tmp_path.glob("*.tree")
    path.write_bytes(path.read_bytes().replace(b"11", b"12"))
    assert load_tree(source, tmp_path) == right
    load_tree(other, tmp_path)
    [foreign] = [found for found in tmp_path.glob("*.tree") if found != path]
    path.write_bytes(foreign.read_bytes())
    assert load_tree(source, tmp_path) == right


def test_a_damaged_table_of_hashes_is_not_used(tmp_path: Path) -> None:
    """A hash that was changed in the table is computed again."""
    data, table = tmp_path / "data", tmp_path / "hashes.json"
    data.write_bytes(bytes(100_000))
    right = hash_bytes(bytes(100_000))
    hashes = FileHashes(table)
    hashes._known[str(data)] = [*_stamp(data), right]
    hashes._changed = True
    hashes.save()
    assert FileHashes(table)._known[str(data)][-1] == right
    table.write_bytes(table.read_bytes().replace(right.encode(), b"0" * 64))
    assert FileHashes(table).of(data) == right


def _stamp(path: Path) -> list[object]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def test_a_listing_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    """Of an environment's listing, its copy in the environment and its digest, two must agree."""
    environment = Environment(("thing",), tmp_path)
    environment.folder.mkdir()
    environment._write_resolved("thing==1.0\n")
    (environment.folder / ".complete").write_text("thing==1.0\n")
    assert environment.versions == {"thing": "1.0"}
    environment.listing_path.write_text("thing==9.0\n")
    assert environment.versions == {"thing": "1.0"}
    (environment.folder / ".complete").write_text("thing==8.0\n")
    assert environment.versions == {}
    environment.listing_path.write_bytes(b"thing\xff1.0\n")
    assert environment.versions == {}
