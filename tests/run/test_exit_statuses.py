"""Status 1 is a judgement, and nothing else: no full disk, no reader that went away."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.evalfiles import PROGRAM
from tests.support.projects import Project

SCORE = 'echo \'{"accuracy": {"value": %s, "stderr": 0.001, "n": 500}}\' > $EVALMAKE_OUT/scores.json\n'
SAYING_NO = (
    (),
    ("-v",),
    ("--json",),
    ("--annotations", "github"),
    ("fmt", "--check"),
    ("compare", "baseline:before", "e"),
    ("compare", "baseline:before", "e", "--json"),
    ("compare", "baseline:before", "e", "--format", "markdown"),
)
"""Command lines that print something and end with 1."""


@pytest.fixture
def saying_no(project: Project) -> Project:
    """A project whose gate is not met, that is worse than its baseline, and that is not formatted."""
    text = PROGRAM.replace("sh data/job.sh", "sh ../../../job.sh")
    project.write("Evalfile", text)
    project.write("job.sh", SCORE % 0.9)
    project.run()
    project.run("baseline", "set", "before", "e")
    project.write("job.sh", SCORE % 0.5)
    project.write("Evalfile", text + "\n\n\n")
    project.run(status=1)
    return project


def end(project: Project, words: tuple[str, ...], stdout: int, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command line with this stdout: its status and what it said."""
    argv = [sys.executable, "-m", "evalmake", *words]
    env = {**os.environ, **(env or {})}
    done = subprocess.run(
        argv, cwd=project.root, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE
    )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("words", SAYING_NO, ids=" ".join)
def test_a_disk_that_is_full_is_an_error(saying_no: Project, words: tuple[str, ...]) -> None:
    """What ends with 1 ends with 2 where its answer cannot be printed."""
    assert saying_no.run(*words, status=None).status == 1
    with open("/dev/full", "wb") as full:
        status, said = end(saying_no, words, full.fileno())
    assert status == 2
    assert "cannot write to standard output: No space left on device" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("words", SAYING_NO, ids=" ".join)
def test_a_reader_that_went_away_is_no_judgement(saying_no: Project, words: tuple[str, ...]) -> None:
    """A command ends with 141; a build has its own status, as its result is stored."""
    reading, writing = os.pipe()
    os.close(reading)
    status, said = end(saying_no, words, writing)
    os.close(writing)
    assert status == (141 if words and not words[0].startswith("-") else 1)
    assert "Traceback" not in said


@pytest.fixture
def small_disk(project: Project) -> Path:
    """A project on a disk of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", project.root], check=True)
    return project.root


@pytest.mark.parametrize("taken", [700, 850, 1000])
def test_a_build_on_a_full_disk(project: Project, small_disk: Path, taken: int) -> None:
    """Whatever does not fit, it is an error with a reason, and no gate that is not met."""
    try:
        project.write("Evalfile", PROGRAM.replace("sh data/job.sh", "sh ../../../job.sh"))
        project.write("job.sh", SCORE % 0.5)
        with suppress(OSError), open(small_disk / "taken", "wb", buffering=0) as file:
            file.write(bytes(taken * 1024))
        status, said = end(project, ("-k",), subprocess.DEVNULL)
    finally:
        subprocess.run(["umount", small_disk], check=True)
    assert status == 2, said
    assert "error: " in said
    assert "Traceback" not in said
