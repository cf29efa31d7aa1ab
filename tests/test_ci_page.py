"""The jobs of the manual's page on CI: their commands run, gate a pull request, and end as the page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from junitparser import JUnitXml

from tests.support.git_repositories import WHO, commit, git
from tests.support.manual_pages import PAGES, PREAMBLE, Session, blocks, merged
from tests.support.projects import Project

PAGE = list(blocks(PAGES["ci"]))
GITHUB, GITLAB = ".github/workflows/evaluate.yml", ".gitlab-ci.yml"
DECLARED = next(block.text for block in PAGE if block.language == "evalfile")


def list_commands(name: str) -> list[str]:
    """The commands of a job, without that which installs evalmake."""
    job: Any = yaml.safe_load(next(block.text for block in PAGE if block.file == name))
    if name == GITHUB:
        found = [step["run"] for step in job["jobs"]["evaluate"]["steps"] if "run" in step]
    else:
        found = job["evaluate"]["script"]
    assert found[0] == "pip install 'evalmake[junit]'"
    return [command.strip() for command in found[1:]]


@pytest.fixture
def clone(project: Project) -> Project:
    """A clone whose origin has main, with main's results in the store: as a job with a cached store finds it."""
    Session(project).prepare(bare=False)
    project.write("Evalfile", merged(PREAMBLE, DECLARED) + "\n")
    project.run("fmt")
    project.write(".gitignore", ".evalmake/\nreports/\nsummary.md\n")
    project.run("-k")
    commit(project.root, "first")
    origin = project.root.with_name("origin.git")
    git(project.root.parent, "clone", "-q", "--bare", str(project.root), str(origin))
    git(project.root, "remote", "add", "origin", str(origin))
    git(project.root, "fetch", "-q", "origin")
    git(project.root, "checkout", "-q", "-b", "change")
    return project


def change(clone: Project, skill: float) -> None:
    """A pull request with another server."""
    path = clone.root / "Evalfile"
    path.write_text(path.read_text().replace("skill = 0.8", f"skill = {skill}"))
    commit(clone.root, "Take another server")


def run(clone: Project, command: str) -> subprocess.CompletedProcess[str]:
    """One step, as the runner's shell runs it."""
    env = {
        **os.environ,
        **WHO,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "CI": "true",
        "GITHUB_WORKSPACE": str(clone.root),
        "GITHUB_STEP_SUMMARY": str(clone.root / "summary.md"),
    }
    argv = ["bash", "-e", "-o", "pipefail", "-c", command]
    return subprocess.run(argv, cwd=clone.root, env=env, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", [GITHUB, GITLAB])
def test_a_pull_request_that_changes_nothing_passes(clone: Project, name: str) -> None:
    """Every command of the job ends with 0, and nothing runs again."""
    for command in list_commands(name):
        done = run(clone, command)
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    assert "nothing to do" in run(clone, "evalmake").stdout
    report = JUnitXml.fromfile(str(clone.root / "reports/junit.xml"))
    assert (report.tests, report.failures, report.errors) == (4, 0, 0)


@pytest.mark.parametrize("name", [GITHUB, GITLAB])
def test_a_pull_request_that_makes_a_score_worse_fails(clone: Project, name: str) -> None:
    """The gate ends with 1, and so does the comparison with main; the reports of the CI say why."""
    change(clone, 0.1)
    ended = {command: run(clone, command) for command in list_commands(name)}
    assert [done.returncode for command, done in ended.items() if command.startswith("evalmake")] == [0, 1, 1]
    report = JUnitXml.fromfile(str(clone.root / "reports/junit.xml"))
    assert (report.failures, report.errors) == (1, 0)
    if name == GITHUB:
        assert "::error file=Evalfile,line=" in ended["evalmake --locked -k --annotations github"].stdout
        summary = (clone.root / "summary.md").read_text()
        assert "## evalmake: 1 gate not met" in summary
        assert "REGRESSION" in summary


def test_without_results_of_main_the_comparison_is_an_error(clone: Project) -> None:
    """It is no judgement, so its status is not 1."""
    change(clone, 0.9)
    subprocess.run(["rm", "-rf", clone.root / ".evalmake"], check=True)
    assert run(clone, "evalmake --locked -k").returncode == 0
    done = run(clone, "evalmake compare origin/main:")
    assert (done.returncode, "[nothing-to-compare]" in done.stderr) == (2, True)
