"""The table a report makes of results."""

from __future__ import annotations

from dataclasses import replace

from evalmake.scoring.intervals import wilson
from evalmake.scoring.result_set import Item, Result, ResultSet, Scalar, Score
from tests.support.results import make_result


def score(value: float) -> Score:
    """A score of which nothing else is known."""
    return Score("accuracy", value)


def result(eval: str, model: str, benchmark: str, seed: int, value: float, **axes: Scalar) -> Result:
    """One run with one score; extra axes as given."""
    cell = {"model": model, "benchmark": benchmark, **axes, "seed": seed}
    return make_result(cell, score(value), Score("f1", value / 2), eval=eval)


def means(results: list[Result], **options: str) -> dict[tuple[str, str], float | None]:
    """The table's headline means by row and column."""
    table = ResultSet("t", tuple(results), (), (), "plan", **options).table()  # type: ignore[arg-type]
    return {pair: cell.average.mean for pair, cell in table.cells.items()}


def test_seeds_are_pooled_and_nothing_else() -> None:
    """Rows and columns keep the order of the results; every other metric has a cell of its own."""
    runs = [result("e", m, b, s, s / 4) for m in "yx" for b in "ba" for s in (1, 3)]
    table = ResultSet("t", tuple(runs), (), (), "plan").table()
    assert (table.rows, table.columns) == (("y", "x"), ("b", "a"))
    assert [cell.average.mean for cell in table.cells.values()] == [0.5] * 4
    assert [(c.row, c.column, c.metric, c.average.mean) for c in table.others] == [
        (row, column, "f1", 0.25) for row in "yx" for column in "ba"
    ]


def test_each_metric_can_have_a_row_or_a_column() -> None:
    """Tables by metric show all of them, the headline first, and none is told again as another metric."""
    runs = [result("e", "m", b, s, 0.5) for b in "ab" for s in (1, 3)]
    assert means(runs[:2], column="metric") == {("m", "accuracy"): 0.5, ("m", "f1"): 0.25}
    assert means(runs, rows="metric") == {(m, b): v for b in "ab" for m, v in (("accuracy", 0.5), ("f1", 0.25))}
    by_metric = ResultSet("t", tuple(runs), (), (), "plan", column="metric")
    assert by_metric.table().others == ()
    assert by_metric.table().rows == ("m (benchmark=a)", "m (benchmark=b)")
    assert by_metric.collect_notes() == replace(by_metric, column="benchmark").collect_notes()


def test_another_axis_divides_a_row() -> None:
    """Results that differ in more than the seed are never averaged."""
    runs = [result("e", "x", "a", s, t, temperature=t) for t in (0.0, 1.0) for s in (1, 2)]
    runs.append(result("e", "y", "a", 1, 0.5, thinking=True))
    assert means(runs) == {
        ("x (temperature=0.0)", "a"): 0.0,
        ("x (temperature=1.0)", "a"): 1.0,
        ("y", "a"): 0.5,
    }


def test_two_evals_of_one_pair_divide_a_row() -> None:
    """The same model and benchmark in two evals stand apart; different benchmarks do not."""
    runs = [result("smoke", "x", "a", 1, 0.0), result("full", "x", "a", 1, 1.0)]
    assert means(runs) == {("x (eval=smoke)", "a"): 0.0, ("x (eval=full)", "a"): 1.0}
    runs = [result("first", "x", "a", 1, 0.0), result("second", "x", "b", 1, 1.0)]
    assert means(runs) == {("x", "a"): 0.0, ("x", "b"): 1.0}


def test_any_axis_can_be_a_row_or_a_column() -> None:
    """Rows and columns may be seeds or axes; a result without the axis stands under a dash."""
    runs = [result("e", "x", "a", s, s / 4, thinking=t) for t in (True, False) for s in (1, 2)]
    assert means(runs, rows="thinking", column="seed") == {
        ("true", "1"): 0.25,
        ("true", "2"): 0.5,
        ("false", "1"): 0.25,
        ("false", "2"): 0.5,
    }
    assert means(runs[:2], column="temperature") == {("x", "-"): 0.375}


def test_the_interval_of_a_cell_is_at_the_confidence_of_its_eval() -> None:
    """An eval's own confidence is that of its row, and the table says which it is."""
    runs = [result("e", "x", "a", 1, 0.75), result("e", "y", "a", 1, 0.75)]
    wide = replace(runs[0], confidence=0.995)
    items = [Item(str(at), f"hash {at}", {"accuracy": float(at > 0)}) for at in range(4)]
    table = ResultSet("t", (wide, runs[1]), (), (), "plan", read_items=lambda result: items).table()
    cells = [table.cells[row, "a"] for row in "xy"]
    assert [cell.confidence for cell in cells] == [0.995, 0.95]
    assert [(cell.average.low, cell.average.high) for cell in cells] == [wilson(3, 4, 0.995), wilson(3, 4, 0.95)]


def test_rows_that_were_asked_otherwise_are_told() -> None:
    """Models whose limit or sampling differ are told, of several those unlike most; an axis tells it by its name."""
    plain = result("e", "x", "a", 1, 0.5)
    short = replace(result("f", "y", "a", 1, 0.7), settings={"limit": "10", "the model's api": "chat"})

    def notes(*results: Result, **options: str) -> dict[str, list[str]]:
        table = ResultSet("t", results, (), (), "plan", **options).table()  # type: ignore[arg-type]
        return {
            row: [n.text for n in cell.average.notes if n.code == "unlike"] for (row, _), cell in table.cells.items()
        }

    assert notes(replace(plain, settings={"limit": "30"}), short) == {
        "x": ["unlike other rows: limit 30 (others 10)"],
        "y": ["unlike other rows: limit 10 (others 30)"],
    }
    assert notes(replace(plain, settings={"limit": "10"}), short) == {"x": [], "y": []}

    def of_three(*limits: str) -> dict[str, list[str]]:
        rows = zip("xyz", limits, strict=True)
        return notes(*(replace(result("e", row, "a", 1, 0.5), settings={"limit": limit}) for row, limit in rows))

    assert of_three("10", "30", "10") == {"x": [], "y": ["unlike other rows: limit 30 (others 10)"], "z": []}
    assert of_three("10", "20", "30") == {"x": ["unlike other rows: limit 10 (others 20, 30)"], "y": [], "z": []}
    hot = replace(result("e", "y", "a", 1, 0.5, temperature=1.0), settings={"params.temperature": "1.0"})
    assert notes(replace(plain, settings={"limit": "10"}), hot) == {"x": [], "y": []}
    assert notes(replace(plain, settings={"limit": "30"}), short, compare="x") == {"x": [], "y": []}
