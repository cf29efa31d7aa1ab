"""Evalfiles from Python: loaded, planned and built as by the command line."""

from __future__ import annotations

import pytest

import evalmake
from tests.support.workspaces import SUMS, Bench

EVALFILE = """\
    LIMIT  = 4
    SKILLS = [1]

    deployment stand-in {
        engine = mock
        args   = { skill = 0.6 }
    }
    model stand-in { deployment = stand-in }
    # Sums, twice.
    eval grid {
        model     = stand-in
        benchmark = sums
        seed      in 1..2
        limit     = LIMIT
        require accuracy >= 0%
    }
    report card {
        of   = [grid]
        path = "card.md"
    }
    quick: grid/1
"""


@pytest.fixture
def grid(bench: Bench) -> Bench:
    """A workspace of two cells and a report."""
    bench.sums()
    bench.evalfile(EVALFILE, SUMS)
    return bench


def test_load_lists_targets_and_cells(grid: Bench) -> None:
    """`load` returns the targets with their cells, and raises an error for an Evalfile that cannot be loaded."""
    project = evalmake.load()
    assert project.path == grid.root / "Evalfile"
    assert project.evals == {"grid": ("grid/1", "grid/2")}
    assert (project.reports, project.aliases) == (("card",), ("quick",))
    assert "Sums, twice." in str(project)
    grid.edit("skill = 0.6", "skil = 0.6")
    with pytest.raises(evalmake.EvalmakeError) as caught:
        evalmake.load(grid.root / "Evalfile")
    assert str(caught.value).startswith("error: the `mock` engine has no setting `skil` [unknown-key]\n")
    assert " --> Evalfile:6:16, in deployment stand-in\n" in str(caught.value)


def test_a_plan_has_what_a_build_would_fail_by(grid: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The problems and notes of `-n` are in the plan and in its text."""
    monkeypatch.delenv("ACME_KEY", raising=False)
    (grid.root / "sums.jsonl").write_text('{"question": "1 + 1?"}\n')
    grid.edit(
        "model stand-in {",
        'model other {\n endpoint = "http://a/v1"\n name = "a"\n api_key = secret("ACME_KEY")\n}\nmodel stand-in {',
    )
    grid.edit("model     = stand-in", "model     = other")
    plan = evalmake.plan(evalmake.load())
    (problem,) = plan.problems
    assert problem.startswith("error: sums.jsonl:1: the record has no field 'answer'")
    assert problem in str(plan)
    assert "unset: ACME_KEY" in plan.text


def test_plan_and_build(grid: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    """`plan` says what must run and why; `build` returns results by path, prints nothing and leaves nothing to do."""
    project = evalmake.load()
    plan = evalmake.plan(project)
    assert (list(plan.stale), plan.fresh, plan.reports) == (["grid/1", "grid/2"], (), ("card",))
    assert plan.stale["grid/1"][0].kind == "never-run"
    assert "+ grid/1..2   never run" in str(plan)
    assert not plan.is_empty
    built = evalmake.build(project)
    assert [result.name for result in built] == ["grid/1", "grid/2"]
    assert (built["grid/2"].seed, built["grid/2"].axes) == (2, {"seed": 2})
    assert built["grid/1"].scores["accuracy"].scored == 4
    assert (len(built), built.passed, built["grid/1"].passed) == (2, True, True)
    assert built.written == (grid.root / "card.md",)
    assert "1 gate met\n2 ran\nwrote card.md" in str(built)
    assert "<td>grid/1</td><td>accuracy</td>" in built._repr_html_()
    assert evalmake.plan(project).is_empty
    again = evalmake.build(project)
    assert again.results == built.results
    assert all(result.reused for result in again)
    assert capfd.readouterr() == ("", "")
    grid.clean()


def test_targets_and_overrides(grid: Bench) -> None:
    """A target can be one name or several, and numbers, lists and texts override variables."""
    project = evalmake.load("Evalfile", {"LIMIT": 2, "SKILLS": [0.5, "a"]})
    assert project.overrides == ("LIMIT=2", 'SKILLS=[0.5, "a"]')
    (result,) = evalmake.build(project, "quick")
    assert (result.name, result.scores["accuracy"].scored) == ("grid/1", 2)
    assert evalmake.plan(project, ["grid/1", "grid/2"]).fresh == ("grid/1",)
    assert list(evalmake.plan(evalmake.load(overrides={"LIMIT": "3"})).stale) == [
        "grid/1",
        "grid/2",
    ]


def test_plan_reads_a_changed_evalfile_again(grid: Bench) -> None:
    """Each plan reads the Evalfile again, and says what has changed."""
    project = evalmake.load()
    evalmake.build(project)
    grid.edit("limit     = LIMIT", "limit     = 3")
    (reason,) = evalmake.plan(project).stale["grid/1"]
    assert (reason.kind, reason.subject) == ("changed", "limit")


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"LIMIT": "ten"}, "bad-override"),
        ({"LIMTI": 3}, "unknown-variable"),
        ({"no name": 3}, "unknown-variable"),
        ({"LIMIT": 0}, "bad-value"),
    ],
)
def test_overrides_are_checked(overrides: dict[str, int | str], code: str, grid: Bench) -> None:
    """An override of the wrong type or of an unknown variable raises the error of the command line."""
    with pytest.raises(evalmake.EvalmakeError, match=rf"\[{code}\]"):
        evalmake.load("Evalfile", overrides)


def test_missing_files_and_targets_raise_errors(grid: Bench) -> None:
    """A missing Evalfile and an unknown target raise errors."""
    with pytest.raises(evalmake.EvalmakeError, match="missing-file"):
        evalmake.load("Evalfil")
    with pytest.raises(evalmake.EvalmakeError, match="unknown-target"):
        evalmake.build(evalmake.load(), "gird")
    with pytest.raises(evalmake.EvalmakeError, match="unknown-target"):
        evalmake.plan(evalmake.load(), ["gird"])


def test_build_raises_a_failure_and_keeps_other_results(bench: Bench) -> None:
    """With `keep_going`, other evaluations run to their end and are recorded, and the failure is raised."""
    bench.evalfile(
        """\
        model nobody {
            endpoint = "http://127.0.0.1:9/v1"
            name     = "nobody"
        }
        benchmark odd {
            harness = command
            run     = '[ $EVALMAKE_SEED != 1 ] && echo "{\\"accuracy\\": 1}" > $EVALMAKE_OUT/scores.json'
        }
        eval e {
            model     = nobody
            benchmark = odd
            seed      in 1..3
        }
        """
    )
    project = evalmake.load()
    with pytest.raises(evalmake.EvalmakeError) as caught:
        evalmake.build(project, keep_going=True, jobs=2)
    assert "error: e/1 failed: exit status 1 [evaluation-failed]" in str(caught.value)
    assert "its log: evalmake logs e/1" in str(caught.value)
    assert evalmake.plan(project).fresh == ("e/2", "e/3")
