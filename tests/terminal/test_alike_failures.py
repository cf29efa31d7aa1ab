"""Errors of evaluations that failed alike are one error."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostic, make_diagnostic
from evalmake.terminal.alike_failures import fold_failed_evaluations


def failed(name: str, why: str, cure: str = "") -> Diagnostic:
    """The error of an evaluation."""
    help = [*([cure] if cure else []), f"its log: evalmake logs {name}"]
    return make_diagnostic(
        "evaluation-failed", f"{name} failed: {why}", notes=["its model is m"], help=help, subject=name
    )


def test_others_stay_where_they_are() -> None:
    """Only evaluations are folded, where the first stood; warnings and errors of other kinds stay, also twice."""
    warning = make_diagnostic("doubtful-data", "grid/1 failed: no")
    found = fold_failed_evaluations([warning, failed("grid/1", "no"), warning, failed("grid/2", "no")])
    assert [one.message for one in found] == [
        warning.message,
        "grid/1 and 1 more evaluation failed: no",
        warning.message,
    ]


def test_what_helps_must_be_the_same() -> None:
    """Errors that say the same and need different cures are told apart."""
    found = fold_failed_evaluations([failed("a", "HTTP 401", "see secret A"), failed("b", "HTTP 401", "see secret B")])
    assert len(found) == 2


def test_the_example_is_the_first_of_the_evalfile() -> None:
    """Whichever failed first, so that the same failures are told alike."""
    [one] = fold_failed_evaluations([failed("e/2", "no"), failed("e/1", "no")], ["e/1", "e/2"])
    assert one.message == "e/1 and 1 more evaluation failed: no"


def test_names_are_cut() -> None:
    """A thousand evaluations that failed alike fill no screen."""
    [one] = fold_failed_evaluations(failed(f"grid/{n}", f"exit status 1: item {n} is bad") for n in range(1000))
    assert one.message == "grid/0 and 999 more evaluations failed: exit status 1: item 0 is bad"
    assert one.notes[0] == "its model is m"
    assert one.notes[1].startswith("alike: grid/1, grid/2, ")
    assert "grid/10, and 989 more: " in one.notes[1]
