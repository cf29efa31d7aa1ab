"""Workspaces whose jobs run in containers, and a registry; what a failed test leaves running is ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors.docker.contained import Contained
from tests.support.debian import HOME
from tests.support.docker_engine import Dockerd
from tests.support.registries import Registry, registry
from tests.support.workspaces import end_processes


@pytest.fixture
def contained(tmp_path: Path, engine: Dockerd) -> Iterator[Contained]:
    """An empty workspace with the engine that everybody shares."""
    made = Contained(tmp_path / "work", engine)
    yield made
    made.sweep()
    end_processes(made, tmp_path)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Registry]:
    """A registry of a test's own, which has nothing."""
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture(scope="session")
def shared_hub(tmp_path_factory: pytest.TempPathFactory, engine: Dockerd) -> Iterator[str]:
    """A registry of this worker's, with layers that all have pushed: a large one is pushed once."""
    folder = tmp_path_factory.mktemp("registry")
    (HOME / "registry").mkdir(exist_ok=True)
    (folder / "images").symlink_to(HOME / "registry")
    with registry(folder) as running:
        yield running.host
