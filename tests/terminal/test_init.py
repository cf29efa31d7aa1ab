"""`evalmake init`: a project that runs at once, and that needs two edits for a server of one's own."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.mock_servers import mock_server
from tests.support.projects import Project


def test_it_runs_as_written_and_on_ones_own_server(project: Project) -> None:
    """As written against the mock; then `my-server` is given an address, and the eval's model is changed."""
    project.run("init")
    assert "3 ran" in project.run().stdout
    with mock_server({}, project.root / "port") as url:
        text = (project.root / "Evalfile").read_text()
        address = ("http://localhost:8000/v1", f"{url}/v1")
        model = ("    model     = stand-in\n", "    model     = my-server\n")
        for old, new in (address, model):
            assert text.count(old) == 1
            text = text.replace(old, new)
        project.write("Evalfile", text)
        assert "3 ran" in project.run().stdout
    assert re.search(r"^my-server +sums", project.run("-v").stdout, re.MULTILINE)


def test_it_is_formatted(project: Project) -> None:
    """The first Evalfile that a user sees is in the one layout."""
    project.run("init")
    project.run("fmt", "--check")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, ".evalmake/\n"),
        ("*.pyc\n", "*.pyc\n.evalmake/\n"),
        ("*.pyc", "*.pyc\n.evalmake/\n"),
        ("/.evalmake\n", "/.evalmake\n"),
        ("**/.evalmake/\n", "**/.evalmake/\n"),
    ],
)
def test_git_ignores_its_state(project: Project, before: str | None, after: str) -> None:
    """`.gitignore` is created or appended to, and never holds the folder twice."""
    if before is not None:
        project.write(".gitignore", before)
    project.run("init")
    assert (project.root / ".gitignore").read_text() == after


def test_a_repository_that_ignores_it_above_is_left_alone(project: Project) -> None:
    """A rule at the root of the repository counts; one above the repository does not."""
    project.write(".gitignore", ".evalmake/\n")
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    (project.root / "below").mkdir()
    project.run("-C", "below", "init")
    assert not (project.root / "below/.gitignore").exists()
    subprocess.run(["git", "init", "-q", str(project.root / "inner")], check=True)
    project.run("-C", "inner", "init")
    assert (project.root / "inner/.gitignore").read_text() == ".evalmake/\n"


def test_it_replaces_nothing(project: Project) -> None:
    """If one of its files exists, nothing is written."""
    project.write("sums.jsonl", "{}\n")
    assert "[exists]" in project.run("init", status=2).stderr
    assert [path.name for path in project.root.iterdir()] == ["sums.jsonl"]
