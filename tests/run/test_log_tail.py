"""The last lines of logs, as people see them."""

from __future__ import annotations

from pathlib import Path

from evalmake.run.log_tail import last_lines, read_tail


def test_last_lines() -> None:
    """The last six lines that say something, without colours, each state of a bar being one."""
    log = b"".join(b"%d\n" % n for n in range(9)) + b"\n\x1b[1;31mred\x1b[0m\n50%\r100%\r\n  \n"
    assert last_lines(log) == ("6", "7", "8", "red", "50%", "100%")
    assert last_lines(b"") == ()


def test_ending(tmp_path: Path) -> None:
    """Only whole lines are read, at either end, so that no secret is cut in two; of no log none."""
    path = tmp_path / "log"
    assert read_tail(path) == b""
    path.write_bytes(b"one\ntwo\rthr")
    assert read_tail(path) == b"one\ntwo\r"
    path.write_bytes(b"x" * 5000 + b"\ny\nz\n")
    assert read_tail(path) == b"y\nz\n"
    path.write_bytes(b"x" * 5000)
    assert read_tail(path) == b""
