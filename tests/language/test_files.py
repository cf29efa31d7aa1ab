"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from evalmake.language.atomic_write import write_atomic


def test_a_file_and_its_folders_appear(tmp_path: Path) -> None:
    """Missing parent folders are created, and nothing else is left beside the file."""
    path = tmp_path / "deep" / "er" / "report.md"
    write_atomic(path, b"one")
    assert path.read_bytes() == b"one"
    assert os.listdir(path.parent) == ["report.md"]


def test_others_may_read_it(tmp_path: Path) -> None:
    """A new file is readable by all, an old one keeps its permissions."""
    path = tmp_path / "report.md"
    write_atomic(path, b"one")
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o600)
    write_atomic(path, b"two")
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_no_file_stays(tmp_path: Path) -> None:
    """A pipe, or a link to a device, is not replaced by a file."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(os.devnull)
    for path in (pipe, link, tmp_path):
        with pytest.raises(OSError, match=r"pipe, not a regular file|device, not a regular file|Is a directory"):
            write_atomic(path, b"one")
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe"]


def test_a_failure_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk refuses, the old bytes stay and the temporary file goes."""
    path = tmp_path / "report.md"
    write_atomic(path, b"old")

    def refuse(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="no space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["report.md"]


def test_a_failure_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a disk that refuses says which file was to be written, and not a temporary one."""

    def refuse(descriptor: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="exceeded") as refused:
        write_atomic(tmp_path / "report.md", b"one")
    assert refused.value.filename == str(tmp_path / "report.md")
