"""Workspaces whose jobs run in containers; whatever a failed test leaves running is ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from contained import Contained
from docker_engine import Dockerd
from registries import Registry, registry
from workspaces import kill, started_in


@pytest.fixture
def contained(tmp_path: Path, engine: Dockerd) -> Iterator[Contained]:
    """An empty workspace with the engine that everybody shares."""
    made = Contained(tmp_path / "work", engine)
    yield made
    for process in made.started:
        if process.poll() is None:
            kill(process.pid)
            process.communicate()
    made.sweep()
    for pid in started_in(tmp_path):
        kill(pid)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Registry]:
    """A registry."""
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as running:
        yield running
