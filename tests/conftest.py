"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("projects", "workspaces", "scripted", "mock_servers")
from daemons import needed  # noqa: E402
from projects import Project  # noqa: E402

if TYPE_CHECKING:
    from docker_engine import Dockerd
    from slurm_cluster import Cluster
    from ssh_login import Login


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A fresh folder to write Evalfiles in, and to run command lines in."""
    root, home = tmp_path / "project", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    for name, value in {
        "COLUMNS": "100",
        "HOME": str(home),
        "NO_COLOR": "1",
        "TERM": "dumb",
    }.items():
        monkeypatch.setenv(name, value)
    return Project(root, monkeypatch, capsys)


@pytest.fixture(scope="session")
def engine() -> Iterator[Dockerd]:
    """A Docker engine with the base image."""
    import docker_engine

    needed("Docker engine", docker_engine.lacking())
    with docker_engine.shared_engine() as shared:
        yield shared


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Slurm of two nodes, which keeps no accounts."""
    import slurm_cluster

    needed("Slurm", slurm_cluster.lacking())
    with slurm_cluster.cluster() as running:
        yield running


@pytest.fixture(scope="session")
def accounting_cluster() -> Iterator[Cluster]:
    """A Slurm of two nodes with accounting."""
    import slurm_cluster

    needed("Slurm", slurm_cluster.lacking())
    with slurm_cluster.cluster(accounting=True) as running:
        yield running


@pytest.fixture(scope="session")
def login(cluster: Cluster) -> Iterator[Login]:
    """A node of the cluster to log in to."""
    import ssh_login

    needed("login node", ssh_login.lacking())
    with ssh_login.login(cluster.folder / "login", cluster.wrappers.bin) as running:
        yield running
