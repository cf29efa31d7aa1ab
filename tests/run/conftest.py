"""The fixture that tests of whole builds share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.workspaces import Bench, end_processes


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty workspace; processes that a failed test leaves behind are ended."""
    made = Bench(tmp_path)
    yield made
    end_processes(made, tmp_path)
