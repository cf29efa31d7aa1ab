"""Reports show what counts now, also where nothing does any more."""

from __future__ import annotations

import json

import pytest

from tests.support.workspaces import SCORE, TRIED, Bench

REPORTS = """\
report card {
    of   = [tried]
    path = "card.md"
}
report data {
    of     = [tried]
    path   = "data.json"
    format = json
}
"""


@pytest.fixture
def reported(bench: Bench) -> Bench:
    """A workspace whose reports are written, and whose job then fails."""
    bench.evalfile(TRIED, REPORTS)
    bench.edit("seed      in 1..8", "seed      in 1..2")
    bench.job(SCORE)
    assert bench.run().status == 0
    assert "0.500" in (bench.root / "card.md").read_text()
    bench.job("exit 3\n")
    return bench


def test_a_report_of_which_no_result_counts_any_more_says_so(reported: Bench) -> None:
    """Its file has none of the old scores, and names the evaluations without a result."""
    assert reported.run("-k").status == 2
    card = (reported.root / "card.md").read_text()
    assert "0.500" not in card
    assert "2 evaluations without a result: `tried/1`, `tried/2`." in card
    data = json.loads((reported.root / "data.json").read_text())
    assert (data["results"], data["missing"]) == ([], ["tried/1", "tried/2"])
    reported.job(SCORE)
    assert reported.run().status == 0
    assert "0.500" in (reported.root / "card.md").read_text()


def test_a_report_that_never_had_a_result_is_not_written(reported: Bench) -> None:
    """Where nothing lies at its path, a failed build does not put an empty report there."""
    (reported.root / "card.md").unlink()
    assert reported.run("-k").status == 2
    assert not (reported.root / "card.md").exists()


def test_a_plan_tells_of_reports_that_will_change(reported: Bench) -> None:
    """`-n` writes no report, and says how many of its results do not count as they are."""
    before = (reported.root / "card.md").read_text()
    assert "~ card         2 of its 2 results will change" in reported.run("-n").out
    assert (reported.root / "card.md").read_text() == before
