"""The Markdown scorecard, compared whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from evalmake.exporters.markdown import MarkdownExporter
from evalmake.project.column_groups import ColumnGroup
from evalmake.scoring.result_set import ResultSet
from tests.exporters.conftest import binary, run
from tests.support.projects import check_golden

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("name", ["matrix", "single", "compared", "nothing", "grouped", "sectioned"])
def test_the_scorecard(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The file is as a person approved it (UPDATE_GOLDEN=1 rewrites it)."""
    path = tmp_path / "reports" / "scorecard.md"
    MarkdownExporter().export(request.getfixturevalue(name), path)
    check_golden(GOLDEN / f"{name}.md", path.read_text("utf-8"))


def test_the_scorecard_has_no_volatile_values(matrix: ResultSet, tmp_path: Path) -> None:
    """Reuse, durations and the time of a run do not change the bytes."""
    again = tuple(
        replace(r, reused=not r.reused, seconds=r.seconds + 1, started=r.started[:10] + "T23:59:59Z")
        for r in matrix.results
    )
    first, second = tmp_path / "first.md", tmp_path / "second.md"
    MarkdownExporter().export(matrix, first)
    MarkdownExporter().export(replace(matrix, results=again), second)
    assert first.read_bytes() == second.read_bytes()


def test_unknown_keys_are_errors() -> None:
    """An unknown key in the report's block is an error."""
    with pytest.raises(ValidationError, match="extra_forbidden"):
        MarkdownExporter.Settings.model_validate({"colour": "red"})


def test_the_standard_error_of_the_harness_has_a_column(matrix: ResultSet, tmp_path: Path) -> None:
    """The standard error that a harness reports has its own column, with a mark if it differs from ours."""
    (first, *_), bleu = matrix.results, matrix.results[3]
    alike = replace(first.scores[0], reported=first.scores[0].stderr)
    other = replace(bleu.scores[0], reported=0.25)
    told = [replace(first, scores=(alike,)), replace(bleu, scores=(other, *bleu.scores[1:]))]
    path = tmp_path / "told.md"
    MarkdownExporter().export(replace(matrix, results=tuple(told)), path)
    runs = path.read_text("utf-8").partition("## Runs")[2].splitlines()
    cells = [[cell.strip() for cell in line.split("|")] for line in runs if line.startswith("|")]
    assert [row[-2] for row in cells if set(row[-2]) != {"-"}] == [
        "SE as reported",
        f"{alike.stderr:.4g}",
        "0.25 (not ours)",
        "–",
    ]


def test_a_row_has_the_average_of_its_columns_if_wanted(matrix: ResultSet, tmp_path: Path) -> None:
    """`average = true` adds a column; a row that lacks a column or a score has a dash."""
    path = tmp_path / "r.md"
    two = [r for r in matrix.results if (r.model, r.benchmark) in {("qwen", "gsm8k"), ("master", "gsm8k")}]
    more = [replace(r, benchmark="math", name=f"{r.name}/math") for r in two if r.model == "qwen"]
    MarkdownExporter().export(replace(matrix, results=(*two, *more), groups=(ColumnGroup("average", "average"),)), path)
    table = [line for line in path.read_text("utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert cells[0] == ["model", "gsm8k", "math", "average"]
    assert cells[2] == ["qwen", "0.69 [0.64, 0.73]", "0.69 [0.64, 0.73]", "0.69 [0.66, 0.71]"]
    assert (cells[3][0], cells[3][2:]) == ("master", ["–", "–"])
    assert "The average counts each column the same." in path.read_text("utf-8")


def test_a_comparison_says_what_else_differs_and_both_p_values(compared: ResultSet, tmp_path: Path) -> None:
    """A verdict that the adjustment turned names both numbers; settings that differ stand beside the row."""
    better, *others = compared.row_comparisons
    assert better.difference is not None
    turned = replace(
        better,
        difference=replace(better.difference, p=0.031),
        p_holm=0.062,
        compared=2,
        significant=False,
        lost_to_adjustment=True,
        differences=("limit 10 against 30",),
    )
    path = tmp_path / "r.md"
    MarkdownExporter().export(replace(compared, row_comparisons=(turned, *others)), path)
    text = path.read_text("utf-8")
    assert "these differ: limit 10 against 30." in text
    assert "alone it would be significant, p = 0.0310; among 2 comparisons it is not, p (Holm) = 0.0620." in text


def test_what_holds_of_several_metrics_is_said_once(tmp_path: Path) -> None:
    """A note of a result is one line for all of its metrics; in a table of headlines, each cell has its own."""
    scores = (binary("number", 3, 4), binary("contains", 2, 4))
    several = [replace(run(model, "b", 1, *scores), usage={"replies": 4, "replies_empty": 1}) for model in ("m", "n")]
    results = ResultSet("r", tuple(several), (), (), "sha256:0", column="metric")
    path = tmp_path / "r.md"
    MarkdownExporter().export(results, path)
    told = [line for line in path.read_text("utf-8").splitlines() if line.startswith("- `")]
    assert told == ["- `m`, `n`, number, contains: as reported by lm-eval; 1 of 4 replies empty."]
    MarkdownExporter().export(replace(results, column="benchmark"), path)
    told = [line for line in path.read_text("utf-8").splitlines() if line.startswith("- `")]
    assert told == [f"- `{model}`, b: as reported by lm-eval; 1 of 4 replies empty." for model in ("m", "n")]
