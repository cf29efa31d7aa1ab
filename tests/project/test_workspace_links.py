"""Links in a workspace: none leads a plan to write elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.evalfiles import PROGRAM
from tests.support.projects import Project


@pytest.mark.parametrize("name", [".evalmake", ".evalmake/cache", ".evalmake/store", ".evalmake/cache/checked-data"])
def test_links_out_of_the_project(project: Project, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """A workspace that is a link to somewhere else is refused, and nothing is written there until it is allowed."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    _write_project(project, name, elsewhere)
    said = project.run("-n", status=2).stderr
    assert f"`{name}` is a link out of the project" in said
    assert f"--allow-path {elsewhere}" in said
    assert not [*elsewhere.iterdir()]
    project.run("-n", "--allow-path", str(elsewhere))


def test_links_within_the_project(project: Project) -> None:
    """A link to another folder of the project is followed."""
    (project.root / "state").mkdir()
    _write_project(project, ".evalmake", project.root / "state")
    project.run("-n")


def _write_project(project: Project, link: str, target: Path) -> None:
    project.write("Evalfile", PROGRAM)
    project.write("job.sh", "true\n")
    path = project.root / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
