"""Runs evalmake as another user, who may not enter the folders of whoever runs the tests."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT
from tests.support.workspaces import Bench, Ended

GROUP = 5000
OPEN = """\
(umask 022 && mkdir -p "$3")
mount --bind "$1" "$3"
mount -t tmpfs -o mode=755 none "$2"
(umask 022 && mkdir -p "$1")
mount --bind "$3" "$1"
shift 3
exec "$@"
"""
"""Runs a command where a folder is seen at its place, though another above it is closed; and a third, empty one."""


def make_python(folder: Path) -> str:
    """A Python that every user may run, with evalmake: the one of these tests may be in a closed folder."""
    if all(parent.stat().st_mode & stat.S_IXOTH for parent in Path(sys.executable).resolve().parents):
        return sys.executable
    found = shutil.which("python3", path="/usr/bin")
    version = "import sys; print(sys.version_info[:2])"
    if found is None or subprocess.check_output([found, "-c", version], text=True).strip() != str(sys.version_info[:2]):
        pytest.skip("no other user may run this Python")
    if not (folder / "venv").exists():
        subprocess.run([found, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    [packages] = (folder / "venv" / "lib").glob("python*/site-packages")
    own = [path for path in sys.path if path and Path(path).is_dir() and "site-packages" in path]
    (packages / "tests.pth").write_text("".join(f"{path}\n" for path in (str(ROOT), *own)))
    return str(folder / "venv" / "bin" / "python")


def open_repository(folder: Path) -> list[str]:
    """What to put before a command of a user who may not enter a folder above this repository, such as /root."""
    closed = [parent for parent in reversed(ROOT.parents) if not parent.stat().st_mode & stat.S_IXOTH]
    if not closed:
        return []
    return ["unshare", "--mount", "sh", "-euc", OPEN, "sh", str(ROOT), str(closed[0]), str(folder / "repository")]


def run_as(user: int, bench: Bench, words: list[str], umask: int = 0o002) -> Ended:
    """Run evalmake as a user of the group."""
    identity = ["setpriv", f"--reuid={user}", f"--regid={GROUP}", "--clear-groups"]
    done = subprocess.run(
        [*open_repository(bench.root.parent), *identity, bench.env["PYTHON"], "-m", "evalmake", *words],
        cwd=bench.root,
        env={**bench.env, "HOME": str(bench.root), "XDG_CACHE_HOME": str(bench.root / ".cache")},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ended(done.returncode, done.stdout, done.stderr)
