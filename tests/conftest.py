"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("projects", "workspaces", "scripted", "mock_servers")
from projects import Project  # noqa: E402


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
