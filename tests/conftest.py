"""Fixtures that every test may use; environments and the engine are there once for all of them."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings

if "CI" not in os.environ:  # where it is set, hypothesis does so by itself
    settings.register_profile("loaded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("loaded")  # no test may fail because the machine is busy
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # evalmake is started hundreds of times
sys.dont_write_bytecode = False
for _number in (signal.SIGINT, signal.SIGHUP):  # whoever started the tests may ignore them, as `nohup` and `&` do
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)
pytest.register_assert_rewrite("tests.support", "tests.executors")  # their asserts show the values, too
from evalmake.run.environments.environments import Environment  # noqa: E402
from tests.support.daemons import needed  # noqa: E402
from tests.support.environments import (  # noqa: E402
    INSPECT,
    LM_EVAL,
    RAGAS,
    RETRIEVAL,
    SIMPLE_EVALS,
    TRANSFORMERS,
    build,
    tiny_model,
)
from tests.support.mock_servers import mock_server  # noqa: E402
from tests.support.projects import Project  # noqa: E402
from tests.support.shared_folders import find_shared_root  # noqa: E402

if TYPE_CHECKING:
    from tests.support.docker_engine import Dockerd
    from tests.support.lepton_service import Emulators, Lepton
    from tests.support.slurm_cluster import Cluster
    from tests.support.ssh_login import Login

pytest_plugins = ["tests.support.schedule"]


@pytest.fixture(scope="session", autouse=True)
def _state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the Evalfiles that tests build out of the registry of whoever runs them."""
    with patch.dict(os.environ, XDG_STATE_HOME=str(tmp_path_factory.mktemp("state"))):
        yield


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    """A fresh folder to write Evalfiles in, and to run command lines in."""
    root, home = tmp_path / "project", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    for name, value in {
        "COLUMNS": "100",
        "HOME": str(home),
        "NO_COLOR": "1",
        "TERM": "dumb",
    }.items():
        monkeypatch.setenv(name, value)
    return Project(root, monkeypatch, capsys)


@pytest.fixture(scope="session")
def engine() -> Iterator[Dockerd]:
    """A Docker engine with the base image."""
    from tests.support import docker_engine

    needed("Docker engine", docker_engine.lacking())
    with docker_engine.shared_engine() as shared:
        yield shared


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Slurm of two nodes, which keeps no accounts."""
    from tests.support import slurm_cluster

    needed("Slurm", slurm_cluster.lacking())
    with slurm_cluster.cluster() as running:
        yield running


@pytest.fixture(scope="session")
def accounting_cluster() -> Iterator[Cluster]:
    """A Slurm of two nodes with accounting."""
    from tests.support import slurm_cluster

    needed("Slurm", slurm_cluster.lacking())
    with slurm_cluster.cluster(accounting=True) as running:
        yield running


@pytest.fixture(scope="session")
def login(cluster: Cluster) -> Iterator[Login]:
    """A node of the cluster to log in to."""
    from tests.support import ssh_login

    needed("login node", ssh_login.lacking())
    with ssh_login.login(cluster.folder / "login", cluster.wrappers.bin) as running:
        yield running


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of environments, of all workers; $EVALMAKE_ENVIRONMENTS keeps it between sessions."""
    if kept := os.environ.get("EVALMAKE_ENVIRONMENTS"):
        return Path(kept)
    return find_shared_root(tmp_path_factory) / "environments"


@pytest.fixture(scope="session")
def lm_eval(environments: Path) -> Environment:
    """lm-eval's environment."""
    return built(environments, LM_EVAL)


@pytest.fixture(scope="session")
def inspect(environments: Path) -> Environment:
    """Inspect's environment."""
    return built(environments, INSPECT)


@pytest.fixture(scope="session")
def transformers(environments: Path) -> Environment:
    """The server's environment, by pip alone: other installers may not know pip's own links."""
    with patch("shutil.which", return_value=None):
        environment, failed = build(environments, TRANSFORMERS)
    if failed and "CI" not in os.environ:
        pytest.skip(f"{TRANSFORMERS[0]}: {failed}: {environment.log_path}")
    assert not failed, environment.log_path.read_text()[-2000:]
    return environment


@pytest.fixture
def write_tiny_model(transformers: Environment) -> Callable[[Path], None]:
    """Write a tiny model of random weights into a folder."""

    def write(folder: Path) -> None:
        shutil.copytree(tiny_model(transformers), folder)

    return write


@pytest.fixture(scope="session")
def simple_evals(environments: Path) -> Environment:
    """The environment of one of NVIDIA's harnesses."""
    if not {"CI", "EVALMAKE_ENVIRONMENTS"} & set(os.environ):
        pytest.skip("installs 700 MB: name a folder to keep them in, EVALMAKE_ENVIRONMENTS")
    return built(environments, SIMPLE_EVALS)


@pytest.fixture(scope="session")
def retrieval(environments: Path) -> Environment:
    """trec_eval's environment."""
    return built(environments, RETRIEVAL)


@pytest.fixture(scope="session")
def ragas(environments: Path) -> Environment:
    """Ragas's environment."""
    if not {"CI", "EVALMAKE_ENVIRONMENTS"} & set(os.environ):
        pytest.skip("installs 600 MB: name a folder to keep them in, EVALMAKE_ENVIRONMENTS")
    return built(environments, RAGAS)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start mock servers with a key and settings; the root URL of each."""
    with ExitStack() as stack:

        def start(api_key: str = "", **settings: object) -> str:
            file = tmp_path / f"port-{len(list(tmp_path.glob('port-*')))}"
            return stack.enter_context(mock_server(settings, file, api_key))

        yield start


def built(root: Path, packages: tuple[str, ...]) -> Environment:
    """Return an environment that all workers and sessions with that folder share."""
    environment, failed = build(root, packages)
    assert failed == "", environment.log_path.read_text()[-2000:]
    return environment


@pytest.fixture(scope="session")
def emulators() -> Iterator[Emulators]:
    """The process that emulators of Lepton are forked from."""
    from tests.support import lepton_service

    needed("emulator of Lepton", lepton_service.lacking())
    started = lepton_service.Emulators()
    yield started
    started.close()


@pytest.fixture
def service(tmp_path: Path, emulators: Emulators) -> Iterator[Lepton]:
    """A workspace of Lepton of the test's own."""
    from tests.support import lepton_service

    with lepton_service.lepton(tmp_path / "lepton", emulators) as running:
        yield running
