"""Jobs of a real Slurm: the contract of every executor, and what is Slurm's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evalmake.executors.slurm import SlurmExecutor
from evalmake.language.values import Duration
from tests.executors.contract import ExecutorContract, ended, job
from tests.support.slurm_cluster import Cluster

Made = Callable[..., SlurmExecutor]


@pytest.fixture
def make(root: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """An executor on this host, which is a login node."""
    for name, value in cluster.env.items():
        monkeypatch.setenv(name, value)
    made: list[SlurmExecutor] = []

    def make(**settings: object) -> SlurmExecutor:
        given = SlurmExecutor.Settings(**{"poll": Duration(1), **settings})  # type: ignore[arg-type]
        made.append(SlurmExecutor("cluster", given, root))
        return made[-1]

    yield make
    for one in made:
        one.close()


class TestSlurm(ExecutorContract):
    """A job of Slurm is a job."""


def test_limits_are_kept_apart(make: Made, root: Path) -> None:
    """Jobs of which fewer may run at once are no part of an array that knows no limit."""
    executor = make()
    for at, limits in enumerate([{}, {}, {"": 2}, {"": 2}]):
        executor.submit(job(root, "true", f"job.{at}", limits=limits), {})
    states = [ended(executor, f"job.{at}") for at in range(4)]
    assert [state.status for state in states] == [0, 0, 0, 0]
    scripts = [path.read_text() for path in root.glob("slurm-*/batch.sh")]
    arrays = sorted(line for text in scripts for line in text.splitlines() if "--array" in line)
    assert arrays == ["#SBATCH --array=0-1", "#SBATCH --array=0-1%2"]
