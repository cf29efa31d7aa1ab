"""Specifications of Inspect Flow as Evalfiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import Project, check_golden

CASES = Path(__file__).parent / "flow"


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_specifications_become_evalfiles_that_plan(project: Project, path: Path) -> None:
    """Each is the Evalfile beside it, formatted, with the same notes on stderr; no secret is in it, and it plans."""
    project.write("flow.yaml", path.read_text())
    project.write("tasks/capitals.py", "")
    ran = project.run("import", "flow.yaml")
    check_golden(path.with_suffix(".evalfile"), ran.stdout)
    assert "sk-0123456789" not in ran.stdout + ran.stderr
    noted = [line for line in ran.stdout.partition(", without a place here")[2].splitlines()[1:] if line]
    assert len(noted) == len(ran.stderr.splitlines())
    project.write("Evalfile", ran.stdout)
    project.run("fmt", "--check")
    planned = project.run("-n", env={"ACME_BASE_URL": "https://acme.com/v1"})
    assert "to run" in planned.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tasks: []\nlog_dir: x\n", "`tasks` lists no task"),
        ("tasks: [{args: {a: 1}}]\n", "a task has no `name`"),
        ("tasks: [{name: a}]\n", "`a` names no model"),
        ("tasks: [{name: a, model: {factory: f}}]\n", "a model has no `name`"),
        ("tasks: [{name: a, model: bedrock/x}]\n", "the address of `bedrock/x` is not known"),
        ("tasks: [{name: a, model: openai/x, config: 3}]\n", "`config` takes a map"),
        ("tasks: [{name: a, model: openai/x, config: {temperature: [1]}}]\n", "takes one value, not several"),
        ("tasks: [{name: a, model: openai/x, config: {timeout: soon}}]\n", "takes a number of seconds"),
        ("tasks: [{name: a, model: openai/x, model_roles: {grader: [openai/x]}}]\n", "evalmake asks one grader"),
        ("tasks: [3]\nlog_dir: x\n", "takes a map"),
    ],
)
def test_mistakes(project: Project, text: str, said: str) -> None:
    """Each is one message with its line, and no traceback."""
    project.write("flow.yaml", text)
    ran = project.run("import", "flow.yaml", status=2)
    assert said in ran.stderr
    assert "--> flow.yaml:" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_programs_are_written_as_yaml_first(project: Project) -> None:
    """A specification in Python is not run: the message says what writes it as YAML."""
    project.write("flow.py", "from inspect_flow import FlowSpec\n")
    ran = project.run("import", "flow.py", status=2)
    assert "import the YAML that `flow config flow.py` prints" in ran.stderr


def test_no_overrides(project: Project) -> None:
    """A specification takes no overrides."""
    project.write("flow.yaml", (CASES / "matrix.yaml").read_text())
    assert "takes no overrides" in project.run("import", "flow.yaml", "a=b", status=2).stderr


@pytest.mark.parametrize("limit", ["[3, 9]", '"ten"'])
def test_limits_that_begin_later(project: Project, limit: str) -> None:
    """A range that does not begin with the first item has no place."""
    project.write("flow.yaml", f"options: {{limit: {limit}}}\ntasks: [{{name: a, model: openai/x}}]\n")
    ran = project.run("import", "flow.yaml")
    assert "options.limit: a limit counts from the first item" in ran.stderr
    assert "limit" not in ran.stdout.partition("# From")[0]
