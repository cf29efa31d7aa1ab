"""What an Evalfile may read of the machine: includes of its project, data from anywhere that are shown to nobody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.evalfiles import QUESTIONS
from tests.support.projects import Project

SECRET = "hunter2-hunter2"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder outside the project, with an Evalfile, secrets and data."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "models.evalfile").write_text('model far { endpoint = "http://127.0.0.1:9/v1", name = "far" }\n')
    (folder / "passwords").write_text(f"root:{SECRET}:0\n")
    (folder / ".env").write_text(f"TOKEN={SECRET}\n")
    (folder / "rows.jsonl").write_text(f'{{"{SECRET}": "{SECRET}"}}\n')
    return folder


@pytest.mark.parametrize("target", ["/etc/passwd", "/proc/self/environ", "/dev/null", "/none/there"])
def test_no_folder_of_the_system_is_offered(project: Project, target: str) -> None:
    """The help for a link into the system does not offer to allow its folder."""
    (project.root / "link.evalfile").symlink_to(target)
    project.write("Evalfile", 'include "link.evalfile"\n')
    refused = project.run("-n", status=2).stderr
    assert "[outside-project]" in refused
    assert "should not be read" in refused
    assert "--allow-path" not in refused


@pytest.mark.parametrize("name", ["models.evalfile", "passwords", ".env"])
def test_an_include_stays_in_the_project(project: Project, elsewhere: Path, name: str) -> None:
    """An include that leads out is refused, directly, by `..`, by a pattern and by a link; none of it is shown."""
    (project.root / "link.evalfile").symlink_to(elsewhere / name)
    for path in (str(elsewhere / name), f"../elsewhere/{name}", f"../elsewhere/{name[:-1]}?", "link.evalfile"):
        project.write("Evalfile", f'include "{path}"\n')
        refused = project.run("-n", status=2).stderr
        assert "[outside-project]" in refused
        assert f"--allow-path {elsewhere}" in refused
        assert SECRET not in refused


def test_an_evalfile_that_is_a_link_stays_in_the_project(project: Project, elsewhere: Path) -> None:
    """A repository cannot show a file of the machine by a link that is called Evalfile."""
    (project.root / "Evalfile").symlink_to(elsewhere / "passwords")
    refused = project.run("-n", status=2).stderr
    assert "[outside-project]" in refused
    assert SECRET not in refused


def test_the_user_allows_folders(project: Project, elsewhere: Path) -> None:
    """The option or the variable allows a folder, for as long as the command runs."""
    project.write("Evalfile", f'include "{elsewhere}/models.evalfile"\n' + QUESTIONS.replace("DATA", "d.jsonl"))
    project.write("d.jsonl", '{"question": "2 + 2?", "answer": "4"}\n')
    project.run("-n", "--allow-path", str(elsewhere))
    project.run("list", "--allow-path", str(elsewhere))
    project.run("-n", env={"EVALMAKE_ALLOW_PATH": f"/none:{elsewhere}"})
    project.run("-n", status=2)
    assert "EVALMAKE_ALLOW_PATH" not in os.environ


def test_a_repository_is_one_project(project: Project) -> None:
    """An Evalfile in a folder of a repository includes what is anywhere in the repository."""
    project.write("shared/models.evalfile", 'model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }\n')
    project.write("evals/Evalfile", 'include "../shared/models.evalfile"\n')
    project.run("list", "-C", "evals", status=2)
    os.chdir(project.root)
    project.write(".git/HEAD", "ref: refs/heads/main\n")
    project.run("list", "-C", "evals")


@pytest.mark.parametrize("content", [f"root:{SECRET}:0\n", f"{SECRET}\n", f"\xff{SECRET}\n"])
def test_lines_of_other_files_are_not_shown(project: Project, content: str) -> None:
    """A message about a file that is no Evalfile says so and shows none of it; a typo in an Evalfile is shown."""
    project.write("other", content.encode("latin-1"))
    project.write(".env", f"A={SECRET}\n")
    for name in ("other", ".env"):
        project.write("Evalfile", f'include "{name}"\n')
        refused = project.run("-n", status=2).stderr
        assert f"`{name}` is not an Evalfile" in refused
        assert SECRET not in refused
    project.write("Evalfile", "modle m {}\n")
    assert "1 | modle m {}" in project.run("-n", status=2).stderr


def test_data_may_lie_anywhere_and_are_not_shown(project: Project, elsewhere: Path) -> None:
    """Data outside the project are hashed; what does not fit in them is told without what is in them."""
    project.write("Evalfile", QUESTIONS.replace("DATA", str(elsewhere / "rows.jsonl")))
    refused = project.run("-n", status=2)
    assert "is outside the project, so the reason is not shown" in refused.stderr
    assert SECRET not in refused.stderr + refused.stdout
    assert SECRET in project.run("-n", "--allow-path", str(elsewhere), status=2).stderr
    (elsewhere / "rows.jsonl").write_text('{"question": "2 + 2?", "answer": "4"}\n')
    assert "1 to run" in project.run("-n").stdout


def test_doubts_about_data_elsewhere_are_not_shown(project: Project, elsewhere: Path) -> None:
    """A warning about data outside the project says none of their answers, nor does one that is remembered."""
    (elsewhere / "rows.jsonl").write_text("".join(f'{{"question": "{at}", "answer": "{SECRET}"}}\n' for at in range(9)))
    project.write("Evalfile", QUESTIONS.replace("DATA", str(elsewhere / "rows.jsonl")))
    for _ in range(2):
        said = project.run("-n").stderr
        assert "is outside the project, so the reason is not shown" in said
        assert SECRET not in said
    assert f"the same right answer, '{SECRET}'" in project.run("-n", "--allow-path", str(elsewhere)).stderr


def test_examples_elsewhere_are_not_shown(project: Project, elsewhere: Path) -> None:
    """Worked examples outside the project are as little shown as questions."""
    project.write("d.jsonl", '{"question": "2 + 2?", "answer": "4"}\n')
    examples = f'scorer   = exact\n    examples = file("{elsewhere}/rows.jsonl")'
    project.write("Evalfile", QUESTIONS.replace("DATA", "d.jsonl").replace("scorer  = exact", examples))
    refused = project.run("-n", status=2).stderr
    assert "is outside the project, so the reason is not shown" in refused
    assert SECRET not in refused


def test_a_dry_run_writes_only_below_evalmake(project: Project, elsewhere: Path) -> None:
    """`-n` creates nothing in a store elsewhere, nor beside the Evalfile."""
    project.write("d.jsonl", '{"question": "2 + 2?", "answer": "4"}\n')
    store = elsewhere / "store"
    project.write("Evalfile", f'settings {{ store = "{store}" }}\n' + QUESTIONS.replace("DATA", "d.jsonl"))
    before = sorted(os.listdir(project.root)), sorted(os.listdir(elsewhere))
    for flags in (("-n",), ("-q",), ("-n", "-v"), ("-n", "--json")):
        project.run(*flags, status=None)
    assert not store.exists()
    assert (sorted({*os.listdir(project.root)} - {".evalmake"}), sorted(os.listdir(elsewhere))) == before
