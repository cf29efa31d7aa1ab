"""Commands on a host that ssh reaches, whatever its login shell prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalmake.executors.remote.shell import CommandFailed, Shell

SSH = """#!/bin/sh
for last; do :; done
case "$last" in -*|host) exit 0;; esac
GREETING
exec /bin/sh -c "$last"
"""


def shell(folder: Path, monkeypatch: pytest.MonkeyPatch, greeting: str) -> Shell:
    """A shell on a host whose login files run `greeting`."""
    (folder / "ssh").write_text(SSH.replace("GREETING", greeting))
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Shell("host")


@pytest.mark.parametrize("greeting", [":", "echo 'Welcome | to ACME'; echo more >&2", "printf 'no end'", "seq 1 99999"])
def test_greetings_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, greeting: str) -> None:
    """What a login shell prints before a command is no part of what the command prints."""
    made = shell(tmp_path, monkeypatch, greeting)
    assert made.run("cat; echo b", b"a\n") == b"a\nb\n"
    assert made.run("true") == b""
    assert b"".join(made.stream("seq 1 30000")).splitlines()[-1] == b"30000"
    with pytest.raises(CommandFailed, match=r"^no$"):
        made.run("echo no >&2; exit 3")
    made.close()


def test_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login shell that runs something else than the command is told, and not taken for a reply."""
    made = shell(tmp_path, monkeypatch, "echo 'This account has only a menu'; exit 0")
    with pytest.raises(ConnectionError, match="its login shell runs its own"):
        made.run("echo b")
    with pytest.raises(ConnectionError, match="its login shell runs its own"):
        list(made.stream("echo b"))
    made.close()
