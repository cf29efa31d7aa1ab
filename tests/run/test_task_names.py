"""The names of tasks are checked as soon as the environment of their benchmark is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalmake.language.diagnostic import Diagnostics, EvalmakeError
from evalmake.pins.lock import Lock
from evalmake.plugin_api.harness import Program
from evalmake.run.environments.environments import FOLDER_VARIABLE, Environments
from evalmake.run.environments.task_names import check_task_names, find_unknown_tasks
from evalmake.workspace import Workspace

EVALFILE = """
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }
benchmark b { harness = lm-eval, packages = ["lm-eval"], task = "TASK" FILES }
eval e { model = m, benchmark = b }
"""


class Lister:
    """A harness whose program counts how often it lists its tasks."""

    program = Program("lm_eval", "lm-eval", list_tasks="open('runs', 'a').write('x'); print('gsm8k\\nmmlu')")


class Plugins:
    """A registry with that harness alone."""

    def names(self, group: str) -> tuple[str, ...]:
        """Nobody asks."""
        return ()

    def get(self, group: str, name: str) -> type[Lister]:
        """The harness, whatever the name."""
        return Lister


@pytest.fixture(autouse=True)
def environments_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the environments that other tests share out of it."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)


def check(folder: Path, task: str, files: str = "", only_listed: bool = False) -> str:
    """The message about a benchmark's task; empty if there is none."""
    (folder / "task.yaml").write_text("task: own\n")
    (folder / "Evalfile").write_text(EVALFILE.replace("TASK", task).replace("FILES", files))
    benchmark = Workspace.open(folder / "Evalfile").project.benchmarks["b"]
    environments = Environments(folder / "store", Lock(folder / "Evalfile.lock"))
    environment = environments.environment_of(benchmark)
    assert environment is not None
    environment.python.parent.mkdir(parents=True, exist_ok=True)
    environment.python.write_text(f'#!/bin/sh\ncd "{folder}"\nexec python3 "$@"\n')
    environment.python.chmod(0o755)
    try:
        if only_listed:
            found = Diagnostics()
            find_unknown_tasks([benchmark], Plugins(), environments, found, only_listed=True)
            found.check()
        else:
            check_task_names([benchmark], Plugins(), environments)
    except EvalmakeError as error:
        (told,) = error.diagnostics
        assert told.span is not None
        return f"{told.message}; {'; '.join(told.help)}"
    return ""


def test_an_unknown_task_is_named_with_the_closest_one(tmp_path: Path) -> None:
    """A misspelt task is an error at its place, which suggests the task that was meant."""
    assert check(tmp_path, "gsm8") == "`task`: lm-eval has no task `gsm8`; did you mean `gsm8k`?"
    assert check(tmp_path, "gsm8k") == ""


def test_tasks_are_listed_once(tmp_path: Path) -> None:
    """The listing is kept with the environment, as it takes lm-eval ten seconds."""
    for task in ("gsm8k", "mmlu", "mml"):
        check(tmp_path, task)
    assert (tmp_path / "runs").read_text() == "x"


def test_a_dry_run_knows_tasks_that_were_listed(tmp_path: Path) -> None:
    """It starts no program: before a build has listed the tasks, any name may be right."""
    assert check(tmp_path, "gsm8", only_listed=True) == ""
    assert not (tmp_path / "runs").exists()
    check(tmp_path, "gsm8k")
    assert "did you mean `gsm8k`" in check(tmp_path, "gsm8", only_listed=True)


def test_what_may_be_defined_elsewhere_is_not_checked(tmp_path: Path) -> None:
    """Files may define the task, and a pattern may stand for several."""
    assert check(tmp_path, "own", ', files = file("task.yaml")') == ""
    assert check(tmp_path, "mmlu_*") == ""
