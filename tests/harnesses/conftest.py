"""What tests of harnesses share: workspaces, and environments that are built once for all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspaces import Bench, kill, started_in


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of environments, of all workers; $EVALMAKE_ENVIRONMENTS keeps it between sessions."""
    if kept := os.environ.get("EVALMAKE_ENVIRONMENTS"):
        return Path(kept)
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "environments"


@pytest.fixture
def bench(tmp_path: Path, environments: Path) -> Iterator[Bench]:
    """An empty workspace that shares the environments; what a failed test leaves running is ended."""
    root = tmp_path / "workspace"
    root.mkdir()
    made = Bench(root)
    made.env["EVALMAKE_ENVIRONMENTS"] = str(environments)
    yield made
    for process in made.started:
        if process.poll() is None:
            kill(process.pid)
            process.communicate()
    for pid in started_in(root):
        kill(pid)
