"""Folders and files from nobody knows whom: each gets a verdict, and none writes lines of its own to a terminal."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from evalmake.evidence.canonical_json import read_json_strictly
from tests.evidence_checks.conftest import Made, failures
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


def test_nothing_else_is_read_of_what_nobody_signed(made: Made, evidence: Path) -> None:
    """Where no given key has signed, a file that would take all time and memory is not looked at."""
    with (evidence / "report.md").open("wb") as file:
        file.truncate(1 << 40)
    found = made.verify(evidence, "other")
    assert set(failures(found)) == {"signatures"}
    assert found.findings.checks[-1].message == "not looked at, as nobody whom you trust has signed it"


def test_many_keys_and_one_of_them_twice() -> None:
    """A map with a key twice is refused in a time that grows with its size alone."""
    pairs = [f'"{at}": 0' for at in range(200_000)]
    with pytest.raises(ValueError, match="`7` stands twice in one map"):
        read_json_strictly(("{" + ", ".join([*pairs, '"7": 1']) + "}").encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [("index", float("inf")), ("index", 1.9), ("count", "12"), ("shown", [[1, 2], ["a", 3]]), ("path", None)],
)
def test_strange_samples(made: Made, tmp_path: Path, key: str, value: object) -> None:
    """A sample whose parts have other forms than `disclose` writes is told to be none."""
    path = tmp_path / "sample.json"
    assert made.bench.run("disclose", "evidence", "3", "--of", "grid/2", "-o", str(path)).status == 0
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    ended = Bench(tmp_path).run("verify", str(path))
    assert (ended.status, "sample.json is no disclosure of a sample" in ended.out) == (2, True), ended.text
