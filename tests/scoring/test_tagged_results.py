"""Tables with a row or a column for each tag of samples."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalmake.project.column_groups import ColumnGroup
from evalmake.scoring.item import Item, average_items
from evalmake.scoring.result_set import Result, ResultSet, Score, SeedAverage
from tests.support.results import make_result

ROWS = [
    (1, ("geo",)),
    (0, ("geo", "hard")),
    (1, ("art",)),
    (1, ()),
    (0, ("art", "hard")),
    (1, ("geo",)),
    (None, ("art",)),
]
ITEMS = [Item(str(i), f"q{i}", {} if y is None else {"accuracy": y}, tags=tags) for i, (y, tags) in enumerate(ROWS)]


def table(rows: str, column: str, **more: object) -> ResultSet:
    """A result of one model with these items."""
    found = average_items([ITEMS], "accuracy")
    assert found is not None
    score = Score("accuracy", found.mean, found.stderr, scored=6, unscored=1)
    result = make_result({"model": "m", "benchmark": "b", "seed": 1}, score, Score("bleu", 31.0, 1.0, scored=7))
    return ResultSet("r", (result,), (), (), "", rows, column, read_items=lambda _: ITEMS, **more)  # type: ignore[arg-type]


def values(results: ResultSet) -> dict[tuple[str, str], tuple[float | None, int]]:
    """The mean and the samples of each place."""
    return {place: (cell.average.mean, cell.average.samples) for place, cell in results.table().cells.items()}


def test_a_row_for_each_tag() -> None:
    """An item counts for each of its tags, and those without one stand apart; nothing else is pooled."""
    assert values(table("tag", "benchmark")) == {
        ("art", "b"): (0.5, 2),
        ("geo", "b"): (pytest.approx(2 / 3), 3),
        ("hard", "b"): (0.0, 2),
        ("-", "b"): (1.0, 1),
    }


def test_a_column_for_each_tag_has_the_interval_of_its_items() -> None:
    """Its interval is that of a benchmark of these items alone."""
    found = table("model", "tag").table().cells["m", "geo"].average
    alone = [item for item in ITEMS if "geo" in item.tags]
    mean = average_items([alone], "accuracy")
    assert mean is not None
    assert (found.mean, found.stderr) == (mean.mean, mean.stderr)
    assert "bleu" not in {cell.metric for cell in table("model", "tag").table().others}


def test_models_and_benchmarks_are_told_apart() -> None:
    """With rows for tags, what else differs divides the rows as ever."""
    one = table("tag", "benchmark")
    other = replace(
        one.results[0], model="n", axes=(("model", "n"), ("benchmark", "b"), ("seed", 1)), name="grid/n/b/1"
    )
    both = replace(one, results=(*one.results, other))
    assert "geo (model=n)" in both.table().rows


def test_tags_that_share_items_are_not_independent() -> None:
    """The average over two tags has the error of items that may be in both, by what each adds to the two."""
    groups = (ColumnGroup("two", "average", {"geo": 1.0, "hard": 1.0}),)
    found = table("model", "tag", groups=groups).table().averages["m", "two"].average
    assert found.mean == pytest.approx(1 / 3)
    # numpy: std([1, 0, 1], ddof=1) / sqrt(3) / 2, as both hard ones are wrong and add nothing
    assert found.stderr == pytest.approx(1 / 6)
    assert [note.code for note in found.notes] == ["shared"]


def test_a_result_without_tags_stays_whole() -> None:
    """What left no items, or no tags, is one row by the name `-`."""
    plain = table("tag", "benchmark")
    for items in (None, [item._replace(tags=()) for item in ITEMS]):
        left = replace(plain, read_items=lambda _, items=items: items)
        assert [place for place in left.table().cells] == [("-", "b")]
        assert left.table().cells["-", "b"].average.samples == 6


def test_a_metric_that_is_no_mean_of_items_has_no_value_for_a_tag() -> None:
    """BLEU of a tag is not known."""
    plain = table("tag", "benchmark")
    other = replace(plain, results=(replace(plain.results[0], metric="bleu"),))
    assert other.table().cells["geo", "b"].average == SeedAverage(None)


def test_notes_of_results_are_those_of_the_whole() -> None:
    """A program that asks for a result's notes gets each once, whatever the table shows."""
    tagged, plain = table("tag", "benchmark"), table("model", "benchmark")
    assert tagged.collect_notes() == plain.collect_notes()
    assert isinstance(tagged.results[0], Result)


def test_a_metric_that_no_item_of_a_tag_has_is_left_out_there() -> None:
    """A check that other topics have is no unscored one of this topic."""
    items = [item._replace(scores={**item.scores, "regex": 1}) if "hard" in item.tags else item for item in ITEMS]
    plain = table("tag", "benchmark")
    more = Score("regex", 1.0, 0.0, scored=2, unscored=5)
    tagged = replace(
        plain,
        results=(replace(plain.results[0], scores=(*plain.results[0].scores, more)),),
        read_items=lambda _: items,
    )
    assert [cell.row for cell in tagged.table().others if cell.metric == "regex"] == ["art", "geo", "hard"]


def test_a_whole_result_of_a_tagged_table_has_all_its_items() -> None:
    """Beside the table, a run is told with the interval of all its items, tagged or not."""
    tagged, plain = table("tag", "benchmark"), table("model", "benchmark")
    assert tagged.estimate_scores(tagged.results[0]) == plain.estimate_scores(plain.results[0])
    items = [item._replace(scores={"f1": 0.5 + 0.1 * at}) for at, item in enumerate(ITEMS[:3])]
    score = Score("f1", 0.6, 0.058, scored=3)
    tagged = replace(
        tagged, results=(replace(tagged.results[0], metric="f1", scores=(score,)),), read_items=lambda _: items
    )
    assert tagged.average("f1", tagged.results).reported_by == ""
