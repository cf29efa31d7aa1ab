"""Workspaces whose jobs run on a cluster; whatever a failed test leaves running is ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors.slurm.clustered import Clustered
from tests.executors.slurm.counted_cells import CountedCells, counted_cells
from tests.support.slurm_cluster import Cluster
from tests.support.ssh_login import Login
from tests.support.workspaces import end_processes


def end_all(made: Clustered, folder: Path) -> None:
    """End all that a workspace still has running."""
    made.sweep()
    end_processes(made, folder)


@pytest.fixture
def near(tmp_path: Path, cluster: Cluster) -> Iterator[Clustered]:
    """A workspace that the nodes see."""
    made = Clustered(tmp_path / "work", cluster)
    yield made
    end_all(made, tmp_path)


@pytest.fixture
def accounted(tmp_path: Path, accounting_cluster: Cluster) -> Iterator[Clustered]:
    """A workspace that the nodes see, on a cluster with accounting."""
    made = Clustered(tmp_path / "work", accounting_cluster)
    yield made
    end_all(made, tmp_path)


@pytest.fixture
def far(tmp_path: Path, cluster: Cluster, login: Login) -> Iterator[Clustered]:
    """A workspace that the nodes do not see."""
    made = Clustered(tmp_path / "far", cluster, login)
    yield made
    end_all(made, tmp_path)


@pytest.fixture(params=["near", "far"])
def either(request: pytest.FixtureRequest) -> Clustered:
    """A workspace that the nodes see, and one that they do not."""
    made: Clustered = request.getfixturevalue(request.param)
    return made


@pytest.fixture(params=["near", "far"])
def work(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[CountedCells]:
    """A workspace on a host that the nodes see, and by a login node."""
    login: Login | None = None
    if request.param == "far":
        login = request.getfixturevalue("login")
    with counted_cells(cluster, login) as made:
        yield made
