"""What tests of harnesses share: workspaces, and environments that are built once for all of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest
from mock_servers import mock_server
from workspaces import Bench, kill, started_in

from evalmake.run.environments import Environment

# Of that version the package index has only builds for CUDA, so this can be none of those.
TRANSFORMERS = ("torch==2.13.0+cpu", "transformers[serving]==5.23.0")


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


@pytest.fixture(scope="session")
def transformers(environments: Path) -> Environment:
    """The server's environment, by pip alone: other installers may not know pip's own links."""
    made = Environment(TRANSFORMERS, environments)
    with patch("shutil.which", return_value=None):
        failed = made.make(lambda event: None)
    if failed and "CI" not in os.environ:
        pytest.skip(f"{TRANSFORMERS[0]}: {failed}: {made.log}")
    assert not failed, made.log.read_text()[-2000:]
    return made


@pytest.fixture
def write_tiny_model(transformers: Environment) -> Callable[[Path], None]:
    """Write a tiny model of random weights into a folder."""

    def write(folder: Path) -> None:
        argv = [transformers.python, Path(__file__).with_name("tiny_model.py"), folder]
        subprocess.run(argv, check=True, capture_output=True)

    return write


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
