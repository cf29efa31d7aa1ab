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


def test_load_tells_what_there_is(grid: Bench) -> None:
    """The targets with their cells; what cannot be loaded is not."""
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


def test_plan_and_build(grid: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    """What must run and why, then results by path, then an empty plan; nothing is printed."""
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
    """A target by itself or several; numbers, lists and texts override, and are kept in mind."""
    project = evalmake.load("Evalfile", {"LIMIT": 2, "SKILLS": [0.5, "a"]})
    assert project.overrides == ("LIMIT=2", 'SKILLS=[0.5, "a"]')
    (result,) = evalmake.build(project, "quick")
    assert (result.name, result.scores["accuracy"].scored) == ("grid/1", 2)
    assert evalmake.plan(project, ["grid/1", "grid/2"]).fresh == ("grid/1",)
    assert list(evalmake.plan(evalmake.load(overrides={"LIMIT": "3"})).stale) == [
        "grid/1",
        "grid/2",
    ]


def test_a_changed_evalfile_is_read_anew(grid: Bench) -> None:
    """A plan is of what lies on disk now, and says what changed."""
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
    """An override of the wrong type, or of no variable, is told like any other mistake."""
    with pytest.raises(evalmake.EvalmakeError, match=rf"\[{code}\]"):
        evalmake.load("Evalfile", overrides)


def test_what_there_is_not_is_told(grid: Bench) -> None:
    """No such file, no such target."""
    with pytest.raises(evalmake.EvalmakeError, match="missing-file"):
        evalmake.load("Evalfil")
    with pytest.raises(evalmake.EvalmakeError, match="unknown-target"):
        evalmake.build(evalmake.load(), "gird")
    with pytest.raises(evalmake.EvalmakeError, match="unknown-target"):
        evalmake.plan(evalmake.load(), ["gird"])


def test_a_failure_is_raised_and_the_rest_kept(bench: Bench) -> None:
    """With `keep_going` what can succeed does, and is on record; what failed is raised."""
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
