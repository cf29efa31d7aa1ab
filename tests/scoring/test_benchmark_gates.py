"""Gates over several benchmarks, and gates with a tolerance."""

from __future__ import annotations

import math

import pytest

from evalmake.scoring.benchmark_gates import judge_benchmark_gate
from evalmake.scoring.gates import GateResult, Requirement, judge_gate
from evalmake.scoring.group_average import Column
from evalmake.scoring.headline import MetricKind
from evalmake.scoring.intervals import wilson
from evalmake.scoring.result_set import Run, Score


def share(name: str, right: int, count: int, unscored: int = 0, kind: MetricKind | None = None) -> Column:
    """A benchmark with so many right of the scored."""
    p = right / count
    score = Score("accuracy", p, math.sqrt(p * (1 - p) / (count - 1)), scored=count, unscored=unscored)
    return Column(name, "accuracy", (Run((score,), distinct=True),), kind or MetricKind(), frozenset({name}))


def judge(form: str, op: str, bound: float, *columns: Column, **more: object) -> GateResult:
    """Judge a requirement over benchmarks."""
    asked = Requirement(form, op, bound, **more)  # type: ignore[arg-type]
    return judge_benchmark_gate("grid/m/*", form, asked, columns)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("form", "value"), [("average", (0.7 + 0.5) / 2), ("pooled", (70 + 20) / 140), ("best", 0.7)], ids=str
)
def test_the_form_decides_what_is_compared(form: str, value: float) -> None:
    """Each benchmark the same, each item the same, or the best."""
    columns = share("a", 70, 100), share("b", 20, 40)
    assert judge(form, ">=", value, *columns).met is True
    found = judge(form, ">", value, *columns)
    assert (found.met, found.value) == (False, pytest.approx(value))
    assert found.benchmarks == (("a", 0.7), ("b", 0.5))
    assert found.detail == "a 0.7, b 0.5"


def test_a_confidence_asks_for_the_bound_of_the_average() -> None:
    """Its one-sided bound is the end of the two-sided interval at 1 - 2 alpha, by the reach of the columns."""
    columns = share("a", 70, 100), share("b", 20, 40)
    (low_a, _), (low_b, _) = wilson(70, 100, 0.9), wilson(20, 40, 0.9)
    low = 0.6 - math.hypot(0.7 - low_a, 0.5 - low_b) / 2
    found = judge("average", ">=", low - 0.001, *columns, confidence=0.95)
    assert (found.met, found.low) == (True, pytest.approx(low))
    assert judge("average", ">=", low + 0.001, *columns, confidence=0.95).met is False


def test_the_bound_of_the_best_holds_for_all_at_once() -> None:
    """With two benchmarks, each has its bound at half of alpha."""
    columns = share("a", 70, 100), share("b", 20, 40)
    found = judge("best", ">=", 0.5, *columns, confidence=0.95)
    assert found.low == pytest.approx(wilson(70, 100, 0.95)[0])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([share("a", 7, 10), Column("b", "f1", (), MetricKind(), frozenset({"b"}))], "b has no result"),
        (
            [share("a", 7, 10), Column("b", "f1", share("b", 1, 2).runs, MetricKind(), frozenset({"b"}))],
            "b did not report f1, its headline metric",
        ),
        (
            [share("a", 7, 10), Column("b", "f1", (Run((Score("f1", None),)),), MetricKind(), frozenset({"b"}))],
            "f1 of b has no value",
        ),
        (
            [share("a", 7, 10, kind=MetricKind("share")), share("b", 7, 10, kind=MetricKind("percent"))],
            "the average of a, b is not known: a goes from 0 to 1, and b goes from 0 to 100",
        ),
    ],
)
@pytest.mark.parametrize("op", [">=", "<="])
def test_what_is_missing_meets_no_gate(columns: list[Column], message: str, op: str) -> None:
    """A benchmark without a value, or on another scale, leaves the gate unjudged, whichever way it asks."""
    found = judge("average", op, 0.5, *columns)
    assert (found.met, found.message) == (None, message)


def test_unscored_samples_that_could_turn_it() -> None:
    """It is judged only if it stays with every unscored sample wrong and with every one right."""
    columns = share("a", 70, 100), share("b", 20, 40, unscored=40)
    assert judge("average", ">=", 0.45, *columns).met is True
    found = judge("average", ">=", 0.5, *columns)
    assert found.met is None
    assert (
        found.message
        == "undecided: 40 unscored samples could change it: 0.600 of the scored, from 0.475 to 0.725 of all"
    )


def test_a_bound_of_70_is_no_share() -> None:
    """A bound above 1 over shares is refused, and what to write is said; `70%` is on whatever scale they state."""
    found = judge("average", ">=", 70, share("a", 70, 100), share("b", 20, 40))
    assert (found.met, "write `70%` or `0.7`" in found.message) == (None, True)
    scores = Score("bleu", 31.0, 1.0, scored=50)
    columns = [Column(n, "bleu", (Run((scores,)),), MetricKind("percent"), frozenset({n})) for n in "ab"]
    assert judge("average", ">=", 0.3, *columns, is_share=True).met is True
    assert judge("average", ">=", 0.32, *columns, is_share=True).met is False


def test_a_gate_concerns_the_cells_of_its_address() -> None:
    """The path of a gate over benchmarks stands for that of each; any other is one path."""
    found = judge("average", ">=", 0.5, share("a", 7, 10))
    assert [found.concerns(path) for path in ("grid/m/a", "grid/m/b", "grid/n/a", "grid/m/a/b")] == [
        True,
        True,
        False,
        False,
    ]
    some = judge_benchmark_gate("grid/{a,b.c}/x", "best", Requirement("best", ">=", 0.5), [share("a", 7, 10)])
    assert [some.concerns(path) for path in ("grid/a/x", "grid/b.c/x", "grid/bxc/x")] == [True, True, False]


@pytest.mark.parametrize(
    ("op", "value", "met"),
    [
        (">=", 0.83, True),
        (">=", 0.8206, False),
        (">=", 0.99, True),
        (">", 0.82064, False),
        ("<=", 0.96, True),
        ("<=", 0.9634, False),
        ("<", 0.96336, False),
        ("==", 0.83, True),
        ("==", 0.96, True),
        ("==", 0.82, False),
        ("==", 0.97, False),
    ],
)
def test_a_tolerance_moves_the_bound(op: str, value: float, met: bool) -> None:
    """8% of 0.892 is 0.07136: so far below it, above it, or to either side, will do."""
    asked = Requirement("accuracy", op, 0.892, within=0.892 * 0.08, tolerance="8%")
    found = judge_gate("e", asked, {1: Run((Score("accuracy", value, 0.01, scored=100),))})
    assert found.met is met
    assert found.bound == 0.892
    assert "0.892 within 8% (" in found.message


@pytest.mark.parametrize(
    ("op", "value", "message"),
    [
        (">=", 0.83, "accuracy is 0.830, at least 0.892 within 8% (from 0.821)"),
        (">=", 0.80, "accuracy is 0.800, below 0.892 within 8% (from 0.821)"),
        ("==", 0.80, "accuracy is 0.800, not 0.892 within 8% (from 0.821 to 0.963)"),
        ("<=", 0.90, "accuracy is 0.900, at most 0.892 within 8% (to 0.963)"),
    ],
)
def test_the_published_number_stays_in_the_message(op: str, value: float, message: str) -> None:
    """The message has the bound as it was written, the tolerance, and what follows."""
    asked = Requirement("accuracy", op, 0.892, within=0.07136, tolerance="8%")
    assert judge_gate("e", asked, {1: Run((Score("accuracy", value, 0.01, scored=100),))}).message == message


def test_a_tolerance_is_on_the_scale_of_the_metric() -> None:
    """`90% within 10%` of a metric that goes to 100 is from 81."""
    asked = Requirement("bleu", ">=", 0.9, None, True, MetricKind("percent"), 0.09, "10%")
    runs = {1: Run((Score("bleu", 81.5, 1.0, scored=100),))}
    found = judge_gate("e", asked, runs)
    assert (found.met, found.message) == (True, "bleu is 81.500, at least 90.00 within 10% (from 81.000)")


def test_equal_within_a_tolerance_at_a_confidence() -> None:
    """The whole interval must lie within: with few samples it does not, with many it does."""
    asked = Requirement("accuracy", "==", 0.9, 0.95, within=0.05, tolerance="0.05")

    def judged(count: int) -> bool | None:
        column = share("a", round(0.9 * count), count)
        return judge_gate("e", asked, {1: column.runs[0]}).met

    assert (judged(50), judged(1000)) == (False, True)


def test_programs_see_a_tolerance_and_the_benchmarks_only_where_there_are_some() -> None:
    """The fields of other gates stay as they were."""
    plain = judge_gate("e", Requirement("accuracy", ">=", 0.5), {1: share("a", 7, 10).runs[0]}).fields()
    assert {"within", "benchmarks"} & {*plain} == set()
    near = judge("best", ">=", 0.5, share("a", 7, 10), within=0.1, tolerance="0.1").fields()
    assert (near["within"], near["benchmarks"]) == (0.1, (("a", 0.7),))
