"""Columns taken together: averages with weights, of all items, and the best; with shared items."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from evalmake.project.column_groups import ColumnGroup
from evalmake.scoring.group_average import Column, average_group
from evalmake.scoring.headline import MetricKind
from evalmake.scoring.item import Item, average_items
from evalmake.scoring.result_set import Result, ResultSet, Run, Score
from evalmake.scoring.seed_average import SeedAverage
from tests.support.results import make_result

FIRST = [1, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 0]
SECOND = [1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1]
THIRD = [0.2, 0.9, 0.4, 0.4, 0.7, 1.0, 0.1, 0.5]
# By numpy, with se = numpy.std(x, ddof=1) / sqrt(len(x)) of the columns, or of the sums of what each item adds.
WEIGHTED = (0.6194444444444445, 0.10196728121801182)
POOLED_STDERR = 0.09651727521840023
SHARED_STDERR = 0.125
ALONE_STDERR = 0.1028323633371078
PARTLY_STDERR = 0.159674752630313


def column(name: str, values: Sequence[float], content: str = "", kind: MetricKind | None = None) -> Column:
    """A column of one run, whose items are told by `content` and their number."""
    items = [Item(str(i), f"{content or name} {i}", {"accuracy": value}) for i, value in enumerate(values)]
    found = average_items([items], "accuracy")
    assert found is not None
    run = Run((Score("accuracy", found.mean, found.stderr, scored=len(items)),), lambda: items)
    return Column(name, "accuracy", (run,), kind or MetricKind(), frozenset({name}))


def average(form: str, columns: Sequence[Column], weights: Sequence[float] = (), level: float = 0.95) -> SeedAverage:
    """The columns taken together."""
    return average_group(form, columns, weights or [1.0] * len(columns), level)  # type: ignore[arg-type]


def test_weights_count_in_mean_and_error() -> None:
    """The worked numbers are numpy's, of independent columns."""
    found = average("average", [column("a", FIRST), column("b", THIRD)], [2, 1])
    assert found.mean == pytest.approx(WEIGHTED[0], rel=1e-12)
    assert found.stderr == pytest.approx(WEIGHTED[1], rel=1e-12)


def test_the_interval_of_a_weighted_average_reaches_as_its_columns_do() -> None:
    """Its ends are the mean, less and plus the root of the squares of what the columns' ends are off."""
    columns = [column("a", FIRST), column("b", THIRD)]
    a, b = (one.average(0.95) for one in columns)
    found = average("average", columns, [2, 1])
    for end in ("low", "high"):
        reach = math.hypot(*(w * (one.mean - getattr(one, end)) for w, one in ((2 / 3, a), (1 / 3, b))))
        assert abs(found.mean - getattr(found, end)) == pytest.approx(reach, rel=1e-12)


def test_all_items_count_the_same_if_pooled() -> None:
    """The mean is that of all items, and the error that of strata of these sizes, as numpy has them."""
    found = average("pooled", [column("a", FIRST), column("b", THIRD)])
    assert found.mean == pytest.approx(sum(FIRST + THIRD) / 20, rel=1e-12)
    assert found.stderr == pytest.approx(POOLED_STDERR, rel=1e-12)


def test_shared_items_are_clusters() -> None:
    """Two columns that ask the same items have the error of the items' averages over both, as numpy has it."""
    found = average("average", [column("a", FIRST, "same"), column("b", SECOND, "same")])
    assert found.stderr == pytest.approx(SHARED_STDERR, rel=1e-12)
    alone = average("average", [column("a", FIRST), column("b", SECOND)])
    assert alone.stderr == pytest.approx(ALONE_STDERR, rel=1e-12)
    assert [note.code for note in found.notes] == ["shared"]
    assert alone.notes == ()
    assert found.high - found.low > alone.high - alone.low


def test_the_same_column_twice_is_no_more_certain() -> None:
    """Two columns of the same items and scores have the interval of one."""
    one = column("a", FIRST, "same")
    found, alone = average("average", [one, column("b", FIRST, "same")]), one.average(0.95)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), rel=1e-12)


def asked_as(prompt: str, values: Sequence[float], questions: Sequence[str], benchmark: str = "x") -> Column:
    """A column of a benchmark that asks its records by a prompt."""
    asked = [f"{prompt} {question}" for question in questions]
    items = [
        Item(str(i), question, {"accuracy": value}, question=question)
        for i, (value, question) in enumerate(zip(values, asked, strict=True))
    ]
    found = average_items([items], "accuracy")
    assert found is not None
    run = Run((Score("accuracy", found.mean, found.stderr, scored=len(items)),), lambda: items)
    return Column(prompt, "accuracy", (run,), MetricKind(), frozenset({benchmark}))


def test_a_record_asked_by_two_prompts_is_one_item() -> None:
    """Columns of one benchmark are matched by the ids of records where their prompts differ; of others they are not."""
    questions = [str(i) for i in range(12)]
    first = asked_as("A", FIRST, questions)
    found = average("average", [first, asked_as("B", SECOND, questions)])
    assert found.stderr == pytest.approx(SHARED_STDERR, rel=1e-12)
    assert [note.code for note in found.notes] == ["shared"]
    other = average("average", [first, asked_as("B", SECOND, questions, "y")])
    assert other.stderr == pytest.approx(ALONE_STDERR, rel=1e-12)
    assert other.notes == ()
    same, alone = average("average", [first, asked_as("B", FIRST, questions)]), first.average(0.95)
    assert (same.low, same.high) == pytest.approx((alone.low, alone.high), rel=1e-12)


def test_copies_of_a_record_asked_by_two_prompts_are_one_item() -> None:
    """A question that one prompt alone repeats joins its records, so that two equal columns are no more certain."""
    copied = [str(i // 2) for i in range(12)]
    first = asked_as("A", FIRST, copied)
    alone, same = first.average(0.95), average("average", [first, asked_as("B", FIRST, copied)])
    assert (same.low, same.high) == pytest.approx((alone.low, alone.high), rel=1e-12)
    apart = average("average", [first, asked_as("B", FIRST, [str(i) for i in range(12)])])
    assert [note.code for note in apart.notes] == ["shared"]
    assert apart.stderr is not None
    assert apart.stderr > ALONE_STDERR


def test_a_part_of_the_items_is_shared_as_such() -> None:
    """Where half of the items are common, the error is that of the sums by item, as numpy has it."""
    found = average("average", [column("a", FIRST, "same"), column("b", SECOND[:6], "same")])
    assert found.stderr == pytest.approx(PARTLY_STDERR, rel=1e-12)


def test_columns_of_one_benchmark_without_items_add_their_errors() -> None:
    """Where nothing tells how far they go together, they are taken to go together wholly."""
    runs = [(Run((Score("bleu", value, 0.04, scored=50),)),) for value in (0.5, 0.7)]
    same = [Column(name, "bleu", run, benchmarks=frozenset({"x"})) for name, run in zip("ab", runs, strict=True)]
    other = [Column(name, "bleu", run, benchmarks=frozenset({name})) for name, run in zip("ab", runs, strict=True)]
    assert average("average", same).stderr == pytest.approx(0.04)
    assert average("average", other).stderr == pytest.approx(0.04 / math.sqrt(2))


def test_ids_alone_say_nothing_of_other_benchmarks() -> None:
    """Items of two benchmarks with the same ids, of which no content is known, are different ones."""
    items = [Item(str(i), "", {"accuracy": value}) for i, value in enumerate(FIRST)]
    run = Run((Score("accuracy", sum(FIRST) / 12, scored=12),), lambda: items)
    one, other, same = (
        Column(name, "accuracy", (run,), benchmarks=frozenset({of}))
        for name, of in (("a", "x"), ("b", "y"), ("c", "x"))
    )
    assert average("average", [one, other]).notes == ()
    assert [note.code for note in average("average", [one, same]).notes] == ["shared"]


def test_the_best_has_an_interval_that_holds_however_the_columns_hang_together() -> None:
    """Its ends are the best ends of the columns at 1 - alpha/k; it has no standard error."""
    columns = [column("a", FIRST), column("b", SECOND), column("c", THIRD)]
    wide = [one.average(1 - 0.05 / 3) for one in columns]
    found = average("best", columns)
    assert found.mean == sum(FIRST) / 12
    assert (found.low, found.high) == (max(one.low for one in wide), max(one.high for one in wide))
    assert found.stderr is None


def test_the_best_is_the_least_where_lower_is_better() -> None:
    """`better = lower` turns it around."""
    columns = [column(name, values, kind=MetricKind("share", "lower")) for name, values in (("a", FIRST), ("b", THIRD))]
    assert average("best", columns).mean == pytest.approx(sum(THIRD) / 8)


@pytest.mark.parametrize("form", ["average", "pooled", "best"])
@pytest.mark.parametrize(
    ("kinds", "lack"),
    [
        (("share", "percent"), "a goes from 0 to 1, and b goes from 0 to 100"),
        (("points", "points"), "a is in points, which are a scale of its own"),
        ((None, "percent"), "b goes from 0 to 100, and a states no `scale`"),
        (("share", "points"), "a goes from 0 to 1, and b is in points"),
    ],
)
def test_other_scales_are_refused(form: str, kinds: tuple[str, str], lack: str) -> None:
    """Columns on different scales have no value, and it is said which they are."""
    columns = [
        column(name, FIRST, kind=MetricKind(kind))  # type: ignore[arg-type]
        for name, kind in zip("ab", kinds, strict=True)
    ]
    assert average(form, columns) == SeedAverage(None, lack=lack)


def test_numbers_above_1_are_on_a_scale_of_their_own() -> None:
    """Where no scale is stated, the scores tell; one benchmark at several limits has one scale."""
    far = [31.0, 28.0, 33.0]
    found = average("average", [column("a", FIRST), column("b", far)])
    assert found.lack == "b is not from 0 to 1, and so on a scale of its own"
    same = [Column(name, "accuracy", column("b", far).runs, benchmarks=frozenset({"b"})) for name in "xy"]
    assert average("average", same).mean == pytest.approx(sum(far) / 3)


def test_other_directions_are_refused() -> None:
    """What is better if higher and what is better if lower has no average."""
    columns = [
        column("a", FIRST, kind=MetricKind("share", "higher")),
        column("b", FIRST, kind=MetricKind("share", "lower")),
    ]
    assert average("average", columns).lack == "a is better if higher, and b is better if lower"


def scored(model: str, benchmark: str, right: int, count: int) -> Result:
    """A result of zeros and ones."""
    p = right / count
    return make_result(
        {"model": model, "benchmark": benchmark, "seed": 1},
        Score("accuracy", p, math.sqrt(p * (1 - p) / (count - 1)), scored=count),
    )


def test_a_table_has_a_column_for_each_group() -> None:
    """A group has the columns that it names; a row that lacks one has no value, and it is said which."""
    results = (scored("m", "a", 5, 10), scored("m", "b", 30, 40), scored("n", "a", 6, 10))
    groups = (
        ColumnGroup("core", "average", {"a": 1.0, "b": 1.0}),
        ColumnGroup("all", "pooled", {"a": 1.0, "b": 1.0}),
        ColumnGroup("top", "best", {"a": 1.0, "b": 1.0}),
    )
    table = ResultSet("r", results, (), (), "", groups=groups).table()
    values = {place: cell.average.mean for place, cell in table.averages.items()}
    assert values["m", "core"] == pytest.approx(0.625)
    assert values["m", "all"] == pytest.approx(0.7)
    assert values["m", "top"] == pytest.approx(0.75)
    assert values["n", "core"] is None
    assert table.averages["n", "core"].average.lack == "b has no result"
