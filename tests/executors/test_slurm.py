"""Jobs of a real Slurm: the contract of every executor, and what is Slurm's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from contract import ExecutorContract
from slurm_cluster import Cluster

from evalmake.executors.slurm import SlurmExecutor
from evalmake.lang.values import Duration

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
