"""Registries for the tests of pins, and a home in which nobody has logged in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evalmake.executors.process import ProcessExecutor
from tests.support.registries import PROGRAM, Registry, registry


@pytest.fixture(autouse=True)
def images_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process executor stands for one that runs images, which are only named here."""
    capabilities = replace(ProcessExecutor.capabilities, images=True)
    monkeypatch.setattr(ProcessExecutor, "capabilities", capabilities)


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials and no hub but those of the test."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_TOKEN", raising=False)


@pytest.fixture(scope="session")
def _registries() -> None:
    """A missing registry skips a test, except where everything must be there."""
    if PROGRAM is None:
        assert not os.environ.get("CI"), "docker-registry is not installed"
        pytest.skip("there is no docker-registry here: apt-get install docker-registry")


@pytest.fixture(scope="session")
def images(_registries: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that anyone may ask; each test has repositories of its own in it."""
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def guarded(_registries: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that wants a name and a password."""
    with registry(tmp_path_factory.mktemp("guarded"), guarded=True) as running:
        yield running
