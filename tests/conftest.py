"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("projects", "workspaces", "scripted", "mock_servers")
from projects import Project  # noqa: E402

if TYPE_CHECKING:
    from docker_engine import Dockerd


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
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
    """A Docker engine with the base image; a test without one is skipped, but not under CI."""
    import docker_engine

    if why := docker_engine.lacking():
        if "CI" in os.environ:
            pytest.fail(f"no Docker engine: {why}")
        pytest.skip(f"no Docker engine: {why}")
    with docker_engine.shared_engine() as shared:
        yield shared
