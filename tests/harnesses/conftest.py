"""What tests of harnesses share: workspaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.workspaces import Bench, end_processes


@pytest.fixture
def bench(tmp_path: Path, environments: Path) -> Iterator[Bench]:
    """An empty workspace that shares the environments; what a failed test leaves running is ended."""
    root = tmp_path / "workspace"
    root.mkdir()
    made = Bench(root)
    made.env["EVALMAKE_ENVIRONMENTS"] = str(environments)
    yield made
    end_processes(made, root)
