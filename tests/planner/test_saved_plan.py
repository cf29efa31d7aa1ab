"""Saved plans that are damaged, or of another version: refused with a message, or followed, and never ignored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.projects import Project

EVALFILE = """
LIMIT = 1

model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }

benchmark b {
    harness = command
    run     = "echo '{\\"a\\": 1}' > $EVALMAKE_OUT/scores.json"
}

eval e {
    model     = m
    benchmark = b
    limit     = LIMIT
}
"""


def saved(project: Project) -> dict[str, Any]:
    """The plan of the project, as saved."""
    project.write("Evalfile", EVALFILE)
    project.run("-n", "-o", "plan.json")
    plan: dict[str, Any] = json.loads((project.root / "plan.json").read_text())
    return plan


TEXTS = ("", "null", "[]", "3", '"text"', "{", "NaN", "[" * 100_000, "\ud800", '{"v": 1}', "\x00\xff")


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_what_is_no_plan_is_refused(project: Project, text: str) -> None:
    """Any other text is refused by a build and by `-n`, with what to do; nothing runs."""
    saved(project)
    project.write("plan.json", text.encode("utf-8", "surrogatepass"))
    for flags in ((), ("-n",), ("-q",)):
        refused = project.run(*flags, "--plan", "plan.json", status=2)
        assert "[bad-plan]" in refused.stderr
        assert "evalmake -n -o" in refused.stderr
    assert project.run("-q", status=1)


ODD = (
    {"v": 4},
    {"v": 0},
    {"v": True},
    {"v": "1"},
    {"v": None},
    {"digest": None},
    {"digest": 5},
    {"overrides": None},
    {"overrides": []},
    {"overrides": {"LIMIT": 5}},
    {"overrides": {"-B": "1"}},
    {"overrides": {"limit": "1"}},
    {"evaluations": None},
    {"evaluations": {}},
    {"evaluations": ["e"]},
    {"evaluations": [{}]},
    {"evaluations": [{"name": "e", "action": "a", "run": "false"}]},
    {"evaluations": [{"name": ["e"], "action": "a", "run": True}]},
    {"evaluations": [{"name": "e", "action": "a", "run": True}] * 2},
    {"evaluations": [{"name": "e", "action": "a", "run": True, "parts": {}}]},
    {"parts": None},
    {"parts": {}},
    {"parts": {"xxh128:00": {}}},
    {"parts": {"xxh128:00": []}},
    {"parts": {"xxh128:00": {"a": 5}}},
    {"reports": None},
    {"reports": [{"name": "r"}]},
    {"reports": [{"name": "r", "write": 1}]},
    {"reports": [{"name": "r", "write": True}]},
    {"reports": [{"name": "r", "write": True, "part": "xxh128:00"}]},
)


@pytest.mark.parametrize("change", ODD, ids=str)
def test_odd_types_are_refused(project: Project, change: dict[str, Any]) -> None:
    """A key with a value of another type or version is refused, and never read as something else."""
    project.write("plan.json", json.dumps(saved(project) | change))
    refused = project.run("--plan", "plan.json", status=2)
    assert "[bad-plan]" in refused.stderr


def test_an_unknown_version_is_named(project: Project) -> None:
    """The message says which version the plan has, and which is read."""
    project.write("plan.json", json.dumps(saved(project) | {"v": 7}))
    refused = project.run("--plan", "plan.json", status=2)
    assert "is a plan of version 7, and this evalmake reads versions 1 to 3" in refused.stderr


def test_a_dry_run_follows_the_plan(project: Project) -> None:
    """`-n --plan` shows what running the plan would run, and refuses one that has moved."""
    saved(project)
    project.run("-n", "LIMIT=3", "-o", "three.json")
    shown = project.run("-n", "--plan", "three.json")
    assert "1 to run" in shown.stdout
    digest = json.loads((project.root / "three.json").read_text())["digest"]
    assert digest[:15] in shown.stdout
    project.write("Evalfile", EVALFILE.replace("= b", "= b\n    seed = 4"))
    for flags in (("-n",), ("-q",), ()):
        assert "[plan-moved]" in project.run(*flags, "--plan", "three.json", status=2).stderr


def test_a_plan_that_never_ends_is_refused(project: Project) -> None:
    """A device ends at the largest size that is read."""
    saved(project)
    assert "it is larger than 256 MB" in project.run("--plan", "/dev/zero", status=2).stderr
