"""What tests of harnesses share: workspaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.workspaces import Bench, kill, started_in


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
