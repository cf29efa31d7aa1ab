"""What tests of harnesses share: workspaces, and environments that are built once for all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from mock_servers import mock_server
from workspaces import Bench, kill, started_in

from evalmake.run.environments import Environment


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


@pytest.fixture(scope="session")
def lm_eval(environments: Path) -> Environment:
    """lm-eval's environment."""
    return built(environments, "lm-eval[api]==0.4.13")


@pytest.fixture(scope="session")
def inspect(environments: Path) -> Environment:
    """Inspect's environment."""
    return built(environments, "inspect-ai==0.3.285", "openai==3.54.0")


def built(environments: Path, *packages: str) -> Environment:
    """An environment built by evalmake, once for all workers and sessions that share the folder."""
    made = Environment(packages, environments)
    assert made.make(lambda event: None) == "", made.log.read_text()[-2000:]
    return made


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start mock servers with a key and settings; the root URL of each."""
    with ExitStack() as stack:

        def start(api_key: str = "", **settings: object) -> str:
            file = tmp_path / f"port-{len(list(tmp_path.glob('port-*')))}"
            return stack.enter_context(mock_server(settings, file, api_key))

        yield start
