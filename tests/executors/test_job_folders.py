"""Folders of jobs that are copied from a cluster with another file system."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalmake.executors.remote.job_folders import JobFolders
from evalmake.executors.remote.shell import CommandFailed, Shell
from evalmake.plugin_api.executor import Job

JOBS = ("one", "two")


class NearShell(Shell):
    """Runs commands on this host, and says that it is another."""

    def __init__(self) -> None:
        super().__init__("login")

    def _command(self, text: str) -> list[str]:
        return ["/bin/sh", "-c", self._after_echo(text)]


class CutShell(NearShell):
    """Loses what is sent to a command from some byte on, or its first line, as a login file that reads does."""

    losing = ""

    def _command(self, text: str) -> list[str]:
        return ["/bin/sh", "-c", f"{self.losing} /bin/sh -c {shlex.quote(self._after_echo(text))}"]


LOSSES = {"the end": "head -c 70000 |", "all": "</dev/null", "the first line": "read -r line; exec"}
DATA = b"".join(b'{"question": %d}\n' % number for number in range(9000))


class Killed(BaseException):
    """What a kill is for these tests: nothing runs after it."""


def dying_at(count: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does its work, except that everything ends at one of its calls."""
    calls = itertools.count(1)

    def call(*words: Any, **named: Any) -> Any:
        if next(calls) == count:
            raise Killed
        return function(*words, **named)

    return call


def write_files(folder: Path, **texts: str) -> None:
    """Write a job's folder with an empty `out` and some files."""
    (folder / "out").mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text)


@pytest.mark.parametrize("step", ["rename", "rmdir", "unlink"])
def test_killed_in_a_copy(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill at any step of a copy leaves each job's folder, by which the next build finds the job and copies again."""
    folders = JobFolders(tmp_path / "work", NearShell(), str(tmp_path / "cluster"), "key")
    for id in JOBS:
        write_files(tmp_path / "work" / id, script="echo", log="not yet")
        write_files(Path(folders.remote_folder(id)), script="echo", log="all of it", status="0")
    shutil.rmtree(tmp_path / "work" / "one" / "out")
    real = getattr(os, step)
    for count in itertools.count(1):
        monkeypatch.setattr(os, step, dying_at(count, real))
        try:
            folders.fetch(JOBS)
        except Killed:
            assert [id for id in JOBS if (tmp_path / "work" / id).is_dir()] == list(JOBS)
            continue
        break
    for id in JOBS:
        folder = tmp_path / "work" / id
        assert {path.name for path in folder.iterdir()} == {"script", "log", "status", "out"}
        assert (folder / "log").read_text() == "all of it"


def test_collected_during_a_copy(tmp_path: Path) -> None:
    """A job's folder that has been collected does not come back."""
    folders = JobFolders(tmp_path / "work", NearShell(), str(tmp_path / "cluster"), "key")
    write_files(tmp_path / "work" / "one")
    for id in JOBS:
        write_files(Path(folders.remote_folder(id)), status="0")
    folders.fetch(JOBS)
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["one"]


def job_with_input(root: Path) -> Job:
    """A job with a folder and one input."""
    content = root / "inputs" / "0123abcd"
    content.parent.mkdir(parents=True, exist_ok=True)
    content.write_bytes(DATA)
    write_files(root / "one", **{"job.sh": "cat data"})
    return Job("one", "one", (), root / "one", inputs={"data": content})


@pytest.mark.parametrize("loss", LOSSES)
def test_a_copy_that_is_cut_short(tmp_path: Path, loss: str) -> None:
    """An input of which a part is lost on the way is never one that a job reads: it is told, and copied again."""
    shell = CutShell()
    folders = JobFolders(tmp_path / "work", shell, str(tmp_path / "cluster"), "key")
    job, place = job_with_input(tmp_path / "work"), Path(folders.remote_root)
    shell.losing = LOSSES[loss]
    with pytest.raises(CommandFailed, match="a file arrived incomplete: do the files of its login shell"):
        folders.send(None, [(job, {})])
    assert list(place.rglob("*")) == [place / "inputs"]
    shell.losing = ""
    folders.send(None, [(job, {})])
    assert (place / "one" / "data").read_bytes() == DATA


def test_a_part_of_an_input_is_replaced(tmp_path: Path) -> None:
    """What an earlier evalmake left there of an input, when its connection was cut, is copied again."""
    folders = JobFolders(tmp_path / "work", NearShell(), str(tmp_path / "cluster"), "key")
    job, place = job_with_input(tmp_path / "work"), Path(folders.remote_root)
    left = place / "inputs" / "0123abcd"
    left.write_bytes(DATA[:70000])
    left.chmod(0o444)
    folders.send(None, [(job, {})])
    assert (place / "one" / "data").read_bytes() == DATA


@pytest.mark.parametrize("blocks", [1, 2, 3, 4, 8])
def test_an_archive_that_is_cut_short(tmp_path: Path, blocks: int) -> None:
    """A job whose archive is cut where tar sees no error is not there, nor is a part of it."""
    shell = CutShell()
    folders = JobFolders(tmp_path / "work", shell, str(tmp_path / "cluster"), "key")
    write_files(tmp_path / "work" / "one", **{"job.sh": "echo", "task.json": "{}"})
    place = Path(folders.remote_root)
    shell.losing = f"head -c {blocks * 512} |"
    with pytest.raises(CommandFailed):
        folders.send(None, [(Job("one", "one", (), tmp_path / "work" / "one"), {})])
    assert not (place / "one").exists()


def test_files_of_a_running_job_are_replaced_as_a_whole(tmp_path: Path) -> None:
    """A new text that is cut short on the way leaves the old one."""
    shell = CutShell()
    folders = JobFolders(tmp_path / "work", shell, str(tmp_path / "cluster"), "key")
    place = Path(folders.remote_root) / "one"
    write_files(place, upstreams="old")
    shell.losing = LOSSES["the end"]
    with pytest.raises(CommandFailed, match="incomplete"):
        folders.replace_files("one", {"upstreams": "new" * 50000})
    assert (place / "upstreams").read_text() == "old"
    folders.replace_files("one", {"upstreams": "new"})
    assert (place / "upstreams").read_text() == "new"


def test_the_state_of_each_job_is_told(tmp_path: Path) -> None:
    """Where a login file reads the names of jobs, the host counts as one that does not answer."""
    shell = CutShell()
    folders = JobFolders(tmp_path / "work", shell, str(tmp_path / "cluster"), "key")
    for id in JOBS:
        write_files(Path(folders.remote_folder(id)), status="0")
    assert {state.status for state in folders.read_states(JOBS).values()} == {0}
    shell.losing = LOSSES["the first line"]
    with pytest.raises(ConnectionError, match="login shell"):
        folders.read_states(JOBS)
