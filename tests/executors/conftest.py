"""What tests of the Docker executor share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalmake.executors.docker import DockerExecutor
from tests.executors.docker.boxes import Based, Made
from tests.support.docker_engine import Dockerd


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the executor keeps its jobs."""
    return tmp_path / "work"


@pytest.fixture
def docker(engine: Dockerd, root: Path) -> Iterator[Made]:
    """A function that makes an executor over one place, by settings; nothing is left of its jobs."""
    made: list[DockerExecutor] = []

    def make(**settings: Any) -> DockerExecutor:
        given = DockerExecutor.Settings.model_validate({"host": engine.url, **settings})
        made.append(Based("box", given, root))
        return made[-1]

    yield make
    last = make()
    last.sweep()
    for executor in made:
        executor.close()
