"""The fixture that tests of whole builds share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.workspaces import Bench, kill, started_in


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty workspace; processes that a failed test leaves behind are ended."""
    made = Bench(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            kill(process.pid)
            process.communicate()
    for pid in started_in(tmp_path):
        kill(pid)
