"""Folders of the tests' own services: what a killed test process left does not disturb others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.daemons import until
from tests.support.owned_folders import owned_folder
from tests.support.repository import ROOT

OWNER = """\
import subprocess, sys
from pathlib import Path
from tests.support.owned_folders import owned_folder
with owned_folder("kept-", home=Path(sys.argv[1])) as folder:
    service = subprocess.Popen(["sleep", "600"], cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True)
    print(service.pid, flush=True)
    input()
"""


def runs(pid: int) -> bool:
    """Whether a process has not ended."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z " not in stat.read_text()


def test_left_by_a_killed_owner(tmp_path: Path) -> None:
    """The folder and the processes of a killed owner are removed by the next; those of a living one stay."""
    argv = [sys.executable, "-c", OWNER, tmp_path]
    owner = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    service = int(owner.stdout.readline())
    [left] = tmp_path.glob("kept-*")
    with owned_folder("kept-", home=tmp_path):
        assert left.exists()
        assert runs(service)
    owner.kill()
    owner.wait()
    ended: list[Path] = []
    with owned_folder("kept-", ended.append, home=tmp_path) as new:
        assert list(tmp_path.glob("kept-*")) == [new]
        until(lambda: not runs(service))
    assert ended == [left]
    assert list(tmp_path.iterdir()) == []
