"""Builds on a cluster that are killed, or run side by side: nothing is lost, and nothing runs twice."""

from __future__ import annotations

import subprocess

import pytest

from tests.executors.slurm.counted_cells import CountedCells
from tests.support.daemons import until
from tests.support.kill_trials import kill_builds
from tests.support.workspaces import end, read_until

CELLS = 4
JOB = """\
    sleep 0.$EVALMAKE_SEED
    echo "{\\"accuracy\\": 0.$EVALMAKE_SEED}" > $EVALMAKE_OUT/scores.json
"""
SCORES = {f"tried/{at}": [at / 10] for at in range(1, CELLS + 1)}


@pytest.fixture
def work(work: CountedCells) -> CountedCells:
    """A workspace of some cells, near and far."""
    work.write_cells(CELLS, JOB)
    return work


def kill(process: subprocess.Popen[str]) -> None:
    """End evalmake at once; what it asked of Slurm may be on its way."""
    process.kill()
    process.communicate()


def test_killed_at_any_moment(work: CountedCells) -> None:
    """However often builds are killed, each job runs once."""

    kill_builds(work.forget, lambda work: work.assert_each_runs_once(SCORES))


def test_killed_after_sbatch(work: CountedCells) -> None:
    """Jobs that Slurm accepted just before a kill are found again by the next build."""
    wrappers = work.cluster.wrappers
    wrappers.forget()
    with wrappers.losing("sbatch", "sbatch: error: Socket timed out"), wrappers.slow("squeue", 600):
        process = work.start()
        until(lambda: work.jobs() or work.begun(), process.poll)
        kill(process)
    work.assert_each_runs_once(SCORES)
    assert len(wrappers.calls("sbatch")) == 1


def test_killed_before_sbatch(work: CountedCells) -> None:
    """If sbatch of a killed build is still running when the next build submits, each job runs once."""
    wrappers = work.cluster.wrappers
    wrappers.forget()
    with wrappers.slow("sbatch", 600):
        process = work.start()
        until(lambda: len(wrappers.calls("sbatch")) == 1, process.poll)
        kill(process)
        later = work.start()
        until(lambda: len(wrappers.calls("sbatch")) == 2, later.poll)
    ended = end(later)
    assert ended.status == 0, ended.text
    work.assert_each_runs_once(SCORES)


def test_reply_lost(work: CountedCells) -> None:
    """If the reply of sbatch is lost, the build finds the jobs, and each runs once."""
    wrappers = work.cluster.wrappers
    with wrappers.losing("sbatch", "sbatch: error: Unable to contact slurm controller"):
        ended = work.run()
    assert ended.status == 0, ended.text
    work.assert_each_runs_once(SCORES)


def test_two_at_once(work: CountedCells) -> None:
    """A second build waits for the first, and has nothing to do."""
    work.write_cells(CELLS, f"until test -e {work.open}/go; do sleep 0.05; done\n{JOB}")
    first = work.start()
    until(work.jobs)
    second = work.start()
    read_until(second, "waiting for another evalmake to finish")
    (work.open / "go").touch()
    told, late = end(first), end(second)
    assert (told.status, late.status) == (0, 0), told.text + late.text
    assert f"nothing to do: {CELLS} evaluations up to date" in late.out
    work.assert_each_runs_once(SCORES)
