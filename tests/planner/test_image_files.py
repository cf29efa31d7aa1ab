"""Images that are files are known by what they contain."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.file_hashes import FileHashes
from evalmake.planner.digest import Part
from evalmake.planner.image_files import identify_image


def digest(image: str, root: Path) -> str:
    """The digest of an identity with this image."""
    return Part.of({"image": identify_image(image, root, ExternalInputs({}, FileHashes()))}).digest


def test_a_file(tmp_path: Path) -> None:
    """A file that is replaced is another image, and a copy under another path the same one."""
    (tmp_path / "one.sqsh").write_bytes(b"first")
    (tmp_path / "two.sqsh").write_bytes(b"first")
    first = digest(f"{tmp_path}/one.sqsh", tmp_path)
    assert digest(f"{tmp_path}/two.sqsh", tmp_path) == digest("./two.sqsh", tmp_path) == first
    (tmp_path / "one.sqsh").write_bytes(b"other")
    assert digest(f"{tmp_path}/one.sqsh", tmp_path) != first


def test_a_folder(tmp_path: Path) -> None:
    """The root folder of a container is known by its files and links; it may have loops, sockets and more."""
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "python").write_bytes(b"3.11")
    (root / "loop").symlink_to(root)
    before = digest(str(root), tmp_path)
    assert digest(str(root), tmp_path) == before
    (root / "bin" / "python").write_bytes(b"3.12")
    changed = digest(str(root), tmp_path)
    (root / "lib").symlink_to("usr/lib")
    assert len({before, changed, digest(str(root), tmp_path)}) == 3


@pytest.mark.parametrize("image", ["python:3.12", "/nowhere/on/this/host.sqsh", "docker://python@sha256:" + "0" * 64])
def test_others(image: str, tmp_path: Path) -> None:
    """A name, or a path that is not to be seen from here, stays as it is."""
    assert identify_image(image, tmp_path, ExternalInputs({}, FileHashes())) == image
