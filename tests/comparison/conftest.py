"""The project with results that tests of comparisons start from; built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.compared_projects import build_compared_project, copy_project
from tests.support.projects import Project


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, with all its results."""
    return build_compared_project(tmp_path_factory.mktemp("compared") / "project")


@pytest.fixture
def compared(built: Path, project: Project) -> Project:
    """A copy of it."""
    copy_project(built, project.root)
    return project
