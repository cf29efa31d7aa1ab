"""Folders of jobs that are copied from a cluster with another file system."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalmake.executors.remote.job_folders import JobFolders
from evalmake.executors.remote.shell import Shell

JOBS = ("one", "two")


class NearShell(Shell):
    """Runs commands on this host, and says that it is another."""

    def __init__(self) -> None:
        super().__init__("login")

    def _command(self, text: str) -> list[str]:
        return ["/bin/sh", "-c", self._after_echo(text)]


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
