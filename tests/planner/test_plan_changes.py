"""A plan that moved says what has moved, key by key: parameters, data, demands, gates and reports."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from evalmake.project import targets
from tests.planner.test_saved_plan import EVALFILE as SAVED
from tests.support.projects import Project

EVALFILE = """
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }

benchmark b {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = number
}

eval grid {
    model     = m
    benchmark = b
    seed      in 1..2
    params    = { temperature = 0.0 }
    require accuracy >= 0.5
}

eval other { model = m, benchmark = b, params = { top_p = 0.1 } }

report card { of = [grid], path = "card.md" }
"""

WORDS = ["grid", "other", "card"]
MOVES = [
    ("temperature = 0.0", "temperature = 0.7", "grid/1 and 1 more: params.temperature: 0.0 -> 0.7"),
    ("temperature = 0.0", "", "grid/1 and 1 more: params.temperature: 0.0 -> (none)"),
    ('"m" }', '"n" }', "grid/1 and 2 more: name: m -> n"),
    ('"{question}"', '"Q: {question}"', "grid/1 and 2 more: prompt: {question} -> Q: {question}"),
    ("accuracy >= 0.5", "accuracy >= 0.4", "grid/1 and 1 more: require[0]: accuracy >= 0.5 -> accuracy >= 0.4"),
    ("require accuracy >= 0.5", "", "grid/1 and 1 more: require[0]: accuracy >= 0.5 -> (none)"),
    ("scorer  = number", "scorer  = number, coverage = 50%", "grid/1 and 2 more: coverage: 1.0 -> 0.5"),
    ('"card.md"', '"card.json", format = json', "report card: format: markdown -> json"),
    ("of = [grid]", "of = [other]", "report card: it shows other evaluations"),
    ("report card", "report cart", "report card is no longer selected"),
    ("eval other", "eval others", "other is no longer selected"),
    ("in 1..2", "in 1..3", "grid/3 was not in the plan"),
]


@pytest.fixture
def planned(project: Project) -> Project:
    """A project whose plan is saved."""
    project.write("sums.jsonl", '{"question": "1 + 1?", "answer": 2}\n')
    project.write("Evalfile", EVALFILE)
    project.run("-n", "-o", "plan.json")
    return project


@pytest.mark.parametrize(("old", "new", "moved"), MOVES)
def test_what_moved_is_named(planned: Project, old: str, new: str, moved: str) -> None:
    """Each changed key is told with its value then and now."""
    assert old in EVALFILE
    planned.write("Evalfile", EVALFILE.replace(old, new))
    left = [word for word in WORDS if re.search(rf"(eval|report) {word}\b", EVALFILE.replace(old, new))]
    words = left if len(left) < len(WORDS) or "in the plan" in moved else []
    assert f"note: {moved}\n" in planned.run("-n", "--plan", "plan.json", *words, status=2).stderr


def test_another_headline_is_named(project: Project) -> None:
    """Which metric stands for the others is part of what was approved, although it runs nothing again."""
    evalfile = SAVED.replace("harness = command", 'harness = command\n    metric  = "a"')
    project.write("Evalfile", evalfile)
    project.run("-n", "-o", "plan.json")
    project.write("Evalfile", evalfile.replace('"a"\n', '"b"\n'))
    assert "note: e: metric: a -> b\n" in project.run("-n", "--plan", "plan.json", status=2).stderr


def test_a_changed_file_is_named(planned: Project) -> None:
    """Other data is told by the digests of both."""
    planned.write("sums.jsonl", '{"question": "1 + 2?", "answer": 3}\n')
    assert "note: grid/1 and 2 more: files.sha256: sha256:" in planned.run("-n", "--plan", "plan.json", status=2).stderr


def test_what_many_evaluations_share_is_told_once(planned: Project) -> None:
    """A change of all cells is one line, which counts them; of many changes thirty are shown, and how many more."""
    wide = EVALFILE.replace("in 1..2", "in 1..20")
    planned.write("Evalfile", wide)
    planned.run("-n", "-o", "plan.json")
    planned.write("Evalfile", wide.replace("temperature = 0.0", "temperature = 1.0"))
    said = planned.run("-n", "--plan", "plan.json", status=2).stderr
    assert "note: grid/1 and 19 more: params.temperature: 0.0 -> 1.0\n" in said
    many = ", ".join(f"p{at} = {at}" for at in range(40))
    planned.write("Evalfile", wide.replace("temperature = 0.0", f"temperature = 0.0, {many}"))
    said = planned.run("-n", "--plan", "plan.json", status=2).stderr
    assert said.count("note: grid/1 and 19 more: params.p") == 30
    assert "note: and 10 more\n" in said


def change_plan(project: Project, change: Any) -> str:
    """What is said of the saved plan after a change of its JSON."""
    path = project.root / "plan.json"
    plan = json.loads(path.read_text())
    change(plan)
    path.write_text(json.dumps(plan))
    return project.run("-n", "--plan", "plan.json", status=2).stderr


def test_a_plan_shows_what_its_digests_stand_for(planned: Project) -> None:
    """A text of a walk that was changed, so that a reviewer reads another plan than is run, is refused."""

    def cool_down(plan: Any) -> None:
        walk = next(walk for walk in plan["parts"].values() if "params.temperature" in walk)
        walk["params.temperature"] = "float:0x1.0p-1"

    assert "has another digest: it was changed" in change_plan(planned, cool_down)


def test_a_plan_shows_the_parts_of_its_actions(planned: Project) -> None:
    """Parts of another evaluation in the place of an evaluation's own are refused."""

    def exchange(plan: Any) -> None:
        first, *_, last = plan["evaluations"]
        first["parts"] = last["parts"]

    said = change_plan(planned, exchange)
    assert "the parts of grid/1 are not those of its action: they were changed" in said


def test_other_demands_in_a_plan_are_seen(planned: Project) -> None:
    """Demands that a plan shows and the Evalfile does not have are a difference, whatever the digests say."""

    def relax(plan: Any) -> None:
        first, *_, last = plan["evaluations"]
        first["parts"]["requires"] = last["parts"]["requires"]

    assert "note: grid/1: require[0]: (none) -> accuracy >= 0.5\n" in change_plan(planned, relax)


def test_equal_parts_are_saved_once(planned: Project) -> None:
    """A thousand cells more cost a thousand names and digests, and no more walks."""
    before = json.loads((planned.root / "plan.json").read_text())
    planned.write("Evalfile", EVALFILE.replace("eval other", "eval third from grid { seed in 1..2 }\n\neval other"))
    planned.run("-n", "-o", "plan.json")
    after = json.loads((planned.root / "plan.json").read_text())
    assert after["parts"] == before["parts"]
    assert len(after["evaluations"]) == len(before["evaluations"]) + 2


def test_a_plan_of_version_1_is_followed(planned: Project) -> None:
    """A plan of an earlier evalmake has digests alone, and says which evaluations have changed."""

    def age(plan: Any) -> None:
        plan["v"] = 1
        del plan["parts"]
        for entry in plan["evaluations"]:
            del entry["parts"]
        for entry in plan["reports"]:
            del entry["part"]

    path = planned.root / "plan.json"
    plan = json.loads(path.read_text())
    age(plan)
    path.write_text(json.dumps(plan))
    planned.run("-n", "--plan", "plan.json")
    planned.write("Evalfile", EVALFILE.replace("0.0", "0.7"))
    assert "note: grid/1 has changed: xxh128:" in planned.run("-n", "--plan", "plan.json", status=2).stderr
    planned.write("Evalfile", EVALFILE.replace("accuracy >= 0.5", "accuracy >= 0.4"))
    assert "note: a gate or a report has changed" in planned.run("-n", "--plan", "plan.json", status=2).stderr


def test_cells_of_a_plan_are_looked_up(planned: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thousands of paths in a plan are not compared with each cell: ten thousand would take a minute."""

    def refuse(*args: object) -> None:
        raise AssertionError("compared")

    monkeypatch.setattr(targets, "match_cells", refuse)
    planned.run("-n", "--plan", "plan.json")
