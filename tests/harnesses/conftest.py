"""What tests of harnesses share: workspaces and servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from mock_servers import mock_server
from workspaces import Bench, kill, started_in


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


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start mock servers with a key and settings; the root URL of each."""
    with ExitStack() as stack:

        def start(api_key: str = "", **settings: object) -> str:
            file = tmp_path / f"port-{len(list(tmp_path.glob('port-*')))}"
            return stack.enter_context(mock_server(settings, file, api_key))

        yield start
