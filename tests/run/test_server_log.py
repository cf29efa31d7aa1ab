"""The logs of servers: bounded while they run and when they are kept, and without secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evalmake.run.secrets import Secrets
from evalmake.run.server_log import copy_log, free_middle, read_written

MOST = 2**20


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of 8 MiB, its lines numbered."""
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"line %07d of a log\n" % number for number in range(8 * MOST // 22)))
    return path


def test_the_middle_takes_no_space(log: Path) -> None:
    """While a server writes on, its log takes little more than the limit, and begins and ends as before."""
    with log.open("ab") as server:
        for _ in range(3):
            before = log.stat()
            free_middle(log, MOST)
            now = log.stat()
            if now.st_blocks == before.st_blocks:
                pytest.skip("this file system cannot free a part of a file")
            assert (now.st_ino, now.st_size) == (before.st_ino, before.st_size)
            assert now.st_blocks * 512 <= MOST + 2**17
            server.write(b"a line that comes later\n" * 100_000)
            server.flush()
    data = log.read_bytes()
    assert data.startswith(b"line 0000000 of a log\n")
    assert data.endswith(b"a line that comes later\n")


@pytest.mark.parametrize("freed", [False, True])
def test_a_kept_log_has_both_ends(log: Path, tmp_path: Path, freed: bool) -> None:
    """A log that is too long is kept as whole lines of its beginning and end, and says how much is left out."""
    if freed:
        free_middle(log, MOST)
    copy_log(log, tmp_path / "kept", MOST, Secrets())
    lines = (tmp_path / "kept").read_bytes().splitlines()
    assert MOST - 2**17 < (tmp_path / "kept").stat().st_size < MOST + 100
    [gap] = [line for line in lines if not line.startswith(b"line ")]
    assert gap == b"[evalmake left out 7.0 MiB]"
    assert {len(line) for line in lines} == {len(b"line 0000000 of a log"), len(gap)}
    assert lines[0] == b"line 0000000 of a log"


def test_a_short_log_is_kept_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log within the limit stays as it is, but for secrets."""
    monkeypatch.setenv("TOK", "tops3cretvalue99")
    secrets = Secrets()
    secrets.resolve({"TOK": "TOK"})
    (tmp_path / "log").write_text("a\ntops3cretvalue99\n")
    copy_log(tmp_path / "log", tmp_path / "kept", MOST, secrets)
    assert (tmp_path / "kept").read_text() == "a\n[secret TOK]\n"


def test_holes_are_not_printed(log: Path) -> None:
    """Who reads a log whose middle is gone gets a note instead of zeros."""
    free_middle(log, MOST)
    with log.open("rb") as stream:
        shown = b"".join(read_written(stream, 2**16))
    assert b"\n[evalmake left out " in shown or log.stat().st_blocks * 512 > MOST
    assert shown.endswith(b" of a log\n")
    assert shown.count(b"\0") < 2**14, "no more than the rest of a block"


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    """A server that puts a link or a pipe in its log's place harms no file of the user's, and nobody waits for it."""
    mine = tmp_path / "mine"
    mine.write_bytes(b"my own\n" * MOST)
    (tmp_path / "log").symlink_to(mine)
    free_middle(tmp_path / "log", MOST)
    assert mine.read_bytes() == b"my own\n" * MOST
    (tmp_path / "log").unlink()
    os.mkfifo(tmp_path / "log")
    free_middle(tmp_path / "log", MOST)
    with pytest.raises(OSError, match="regular"):
        copy_log(tmp_path / "log", tmp_path / "kept", MOST, Secrets())
