"""Folders and files from nobody knows whom: each gets a verdict, and none writes lines of its own to a terminal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.workspaces import Bench


@pytest.mark.parametrize(
    "name", ["a\nevidence: it holds", "\x1b[2Jcleared", "\rover\x07", "\u202eback", os.fsdecode(b"\xff")]
)
def test_names_of_files_write_no_lines(bench: Bench, evidence: Path, name: str) -> None:
    """A file that was added is named on one line, without what controls a terminal."""
    (evidence / name).write_text("x")
    ended = bench.run("verify", str(evidence))
    assert ended.status == 2
    (line,) = [line for line in ended.out.splitlines() if "was not signed" in line]
    assert line.lstrip().startswith("FAILS")
    assert all(character.isprintable() for character in line)
    assert "evidence: it holds" not in ended.out.splitlines()


def test_folders_without_end(bench: Bench, evidence: Path) -> None:
    """Folders in folders end in a verdict, however many there are."""
    depth = 1500
    script = f"cd {evidence} && for at in $(seq {depth}); do mkdir d && cd d || exit 1; done"
    subprocess.run(["sh", "-c", script], check=True)
    try:
        ended = bench.run("verify", str(evidence))
    finally:
        subprocess.run(["rm", "-r", evidence / "d"], check=True)
    assert ended.status == 2
    assert "nested more than 50 deep" in ended.out


def test_a_folder_that_is_empty_was_not_signed(bench: Bench, evidence: Path) -> None:
    """A folder that holds nothing was added, too."""
    (evidence / "evaluations/0010-x").mkdir()
    ended = bench.run("verify", str(evidence))
    assert (ended.status, "evaluations/0010-x/ is an empty folder" in ended.out) == (2, True)


def test_an_empty_folder(bench: Bench, tmp_path: Path) -> None:
    """A folder that holds no evidence is told to be none."""
    ended = bench.run("verify", str(tmp_path))
    assert ended.status == 2
    assert "it is no folder of evidence: it has no build.json" in ended.out


@pytest.mark.parametrize("content", [b"hello", b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"9" * 6000 + b"}", b""])
def test_a_file_that_is_no_sample(bench: Bench, tmp_path: Path, content: bytes) -> None:
    """A file that `disclose` did not write is told to be none."""
    (tmp_path / "x").write_bytes(content)
    ended = bench.run("verify", str(tmp_path / "x"))
    assert ended.status == 2
    assert "nor a sample that `evalmake disclose` wrote" in ended.out


def test_a_file_of_any_size(bench: Bench, tmp_path: Path) -> None:
    """A file is not read where it is larger than a sample can be."""
    with (tmp_path / "x").open("wb") as file:
        file.truncate(1 << 40)
    ended = bench.run("verify", str(tmp_path / "x"))
    assert ended.status == 2
    assert "too large to be a sample: 1048576 MiB" in ended.out
