"""The project with results that tests of comparisons start from; built once for all workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.compared_projects import build_compared_project, copy_project
from tests.support.projects import Project
from tests.support.shared_folders import make_once


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, with all its results; only to be copied, as a store that is open has files that come and go."""
    made = make_once(tmp_path_factory, "compared", lambda folder: build_compared_project(folder / "project"))
    return made / "project"


@pytest.fixture
def compared(built: Path, project: Project) -> Project:
    """A copy of it."""
    copy_project(built, project.root)
    return project
