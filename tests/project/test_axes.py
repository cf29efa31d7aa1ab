"""Axes over parameters and over keys of the benchmark: the same evaluations as without an axis, by other names."""

from __future__ import annotations

import json

import pytest

from evalmake.planner.graph import GraphBuilder
from evalmake.workspace import Workspace
from tests.support.projects import Project

EVALFILE = """\
PLAIN = "{question}"
BRIEF = "Briefly: {question}"

deployment d { engine = mock }
model m { deployment = d }
benchmark b {
    harness = native
    files   = file("sums.jsonl")
    prompt  = PLAIN
    target  = "{answer}"
    scorer  = number
    params  = { temperature = 0.1, k = { a = 1 } }
}
benchmark brief from b { prompt = BRIEF }
eval e {
    model     = m
    benchmark = b
}
"""
SUMS = '{"question": "What is 2 + 3?", "answer": 5}\n{"question": "What is 1 + 1?", "answer": 2}\n'


def write(project: Project, body: str, more: str = "") -> None:
    """Write the project, with these lines in the eval."""
    project.write("sums.jsonl", SUMS)
    project.write("Evalfile", EVALFILE.replace("benchmark = b\n", f"benchmark = b\n{body}\n") + more)


def digests(project: Project, body: str, more: str = "") -> dict[str, str]:
    """The digest of each cell of the Evalfile with these lines in the eval."""
    write(project, body, more)
    workspace = Workspace.open(project.root / "Evalfile")
    builder = GraphBuilder(workspace.project, workspace.plugins)
    return {cell.name: builder.node(cell).action.digest for group in workspace.cells.values() for cell in group}


@pytest.mark.parametrize(
    ("axis", "value", "plain"),
    [
        ("params.temperature in [0.7]", "0.7", "params = { temperature = 0.7 }"),
        ("params.temperature in [none]", "none", "params = { temperature = none }"),
        ('params.reasoning_effort in ["low"]', "low", 'params = { reasoning_effort = "low" }'),
        ("params.k.b in [true]", "true", "params = { k = { b = true } }"),
        ("adapter.system in [BRIEF]", "BRIEF", "adapter = { system = BRIEF }"),
        ("adapter.params.top_k in [4]", "4", "adapter = { params = { top_k = 4 } }"),
        ("adapter.strip_reasoning in [none]", "none", ""),
        ("limit in [none]", "none", ""),
        ("limit in [1]", "1", "limit = 1"),
    ],
)
def test_a_parameter_counts_as_if_the_eval_had_it(axis: str, value: str, plain: str, project: Project) -> None:
    """A cell of the axis is the same evaluation as the eval that says it without an axis."""
    assert digests(project, axis)[f"e/{value}"] == digests(project, plain)["e"]


def test_a_key_counts_as_if_the_benchmark_had_it(project: Project) -> None:
    """A cell with another prompt is the evaluation of the benchmark that has this prompt."""
    found = digests(project, "prompt in [PLAIN, BRIEF]", "eval f {\n model = m\n benchmark = brief\n}\n")
    assert found["e/BRIEF"] == found["f"]
    assert found["e/PLAIN"] == digests(project, "")["e"] != found["f"]


def test_only_its_own_cell_is_another_evaluation(project: Project) -> None:
    """A cell's path is no part of what it is, and another value changes no other cell."""
    before = digests(project, "params.temperature in [0.0, 0.7]\nprompt in [PLAIN, BRIEF]")
    after = digests(project, "prompt in [PLAIN, BRIEF]\nparams.temperature in [0.0, 0.8]")
    assert len(set(before.values())) == 4
    assert {after["e/PLAIN/0.0"], after["e/BRIEF/0.0"]} == set(after.values()) & set(before.values())


def test_a_text_keeps_its_name_when_it_changes(project: Project) -> None:
    """An overridden text makes the same cell out of date, and its condition still finds it."""
    body = "prompt in [PLAIN, BRIEF]\nskip prompt = BRIEF"
    assert list(digests(project, body)) == ["e/PLAIN"]
    plan = json.loads(project.run("-n", "--json", "BRIEF=In short: {question}").stdout)
    assert [one["name"] for one in plan["evaluations"]] == ["e/PLAIN"]


def test_they_are_built_once_and_shown(project: Project) -> None:
    """The cells run, the next build has nothing to do, and reports and `why` know the axes."""
    report = 'report r {\n of = [e]\n path = "r.md"\n rows = prompt\n column = params.temperature\n}\n'
    write(project, "params.temperature in [0, 0.5]\nprompt in [PLAIN, BRIEF]", report)
    assert "4 ran" in project.run().stdout
    assert "nothing to do" in project.run().stdout
    assert project.run("-q", status=0)
    said = (project.root / "r.md").read_text()
    assert "| PLAIN  | 1.00" in said
    assert "| BRIEF  | 1.00" in said
    assert "| 0.5  " in said
    write(project, "params.temperature in [0, 0.6]\nprompt in [PLAIN, BRIEF]", report)
    assert project.run("-q", status=1)
    assert "e/0.6/{PLAIN,BRIEF}" in project.run("-n").stdout


def test_benchmarks_are_taken_together_for_each_value(project: Project) -> None:
    """A gate over benchmarks takes those of one prompt together, and names the path of its cells."""
    body = "params.x in [true]\nprompt in [PLAIN, BRIEF]\nrequire average >= 0.5"
    write(project, body)
    text = (project.root / "Evalfile").read_text()
    project.write("Evalfile", text.replace("benchmark = b\n", "benchmark in [b, brief]\n"))
    assert "2 gates met" in project.run().stdout
    text = (project.root / "Evalfile").read_text()
    project.write("Evalfile", text.replace(">= 0.5", "> 1"))
    said = project.run(status=1).stderr
    assert "e/*/true/PLAIN" in said
    assert "e/*/true/BRIEF" in said


def test_a_saved_plan_runs_its_cells(project: Project) -> None:
    """The names of cells with such values are targets of a plan, of the command line and of an alias."""
    write(
        project,
        'params.presence_penalty in [-0.5, 0.5]\nprompt in [PLAIN, BRIEF]\nparams.x in ["a+b"]',
        "\nall: e/0.5/PLAIN/a+b\n",
    )
    project.run("-n", "-o", "plan.json", "e/{0.5,-0.5}/BRIEF/a+b")
    assert "2 ran" in project.run("--plan", "plan.json").stdout
    assert "1 ran" in project.run().stdout


def test_a_list_on_the_command_line_names_its_variables(project: Project) -> None:
    """Texts of an overridden list are called by their variables, and one without a name is refused."""
    write(project, "prompt in PROMPTS", "PROMPTS = [PLAIN, BRIEF]\n")
    plan = json.loads(project.run("-n", "--json", "PROMPTS=[BRIEF]").stdout)
    assert [one["name"] for one in plan["evaluations"]] == ["e/BRIEF"]
    assert "cannot be a part of the path" in project.run("-n", 'PROMPTS=["{question}?"]', status=2).stderr


def test_completion_and_help_know_them(project: Project) -> None:
    """`list` and `show` name the cells, and the reference of keys says what can be an axis."""
    write(project, "params.temperature in [0.5]\nprompt in [BRIEF]")
    assert "e/0.5/BRIEF  (model m, benchmark b, seed 0)" in project.run("show", "e/0.5/BRIEF").stdout
    assert "params.NAME in" in project.run("help", "eval").stdout
