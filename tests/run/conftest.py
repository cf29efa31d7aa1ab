"""Fixtures that tests of whole builds share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mock_servers import mock_server
from tests.support.workspaces import Bench, end_processes


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty workspace; processes that a failed test leaves behind are ended."""
    made = Bench(tmp_path)
    yield made
    end_processes(made, tmp_path)


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[str]:
    """A mock server that knows all the answers."""
    with mock_server({"skill": 1.0}, tmp_path / "mock-port") as url:
        yield url
