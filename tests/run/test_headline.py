"""The metric that stands for an evaluation: told when a rerun has another one."""

from __future__ import annotations

from tests.support.workspaces import Bench

EVALFILE = """\
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }
benchmark b {
    harness = command
    run     = '''echo '{"metric": "old", "scores": {"old": 0.5}}' > $EVALMAKE_OUT/scores.json'''
}
eval e { model = m, benchmark = b }
"""


def test_another_headline_is_told(bench: Bench) -> None:
    """A rerun whose headline moved says so, on the screen and in the record; one that names its metric does not."""
    bench.evalfile(EVALFILE)
    first = bench.run()
    assert first.status == 0, first.text
    assert "headline" not in first.text
    bench.edit('"old", "scores": {', '"new", "scores": {"new": 0.7, ')
    again = bench.run()
    assert "e: new 0.700 in" in again.text
    assert "; the headline of its last result was old" in again.text
    assert [attempt.facts.get("earlier_metric") for attempt in bench.attempts()].count("old") == 1
    bench.edit("harness = command", 'harness = command\n    metric  = "old"')
    bench.edit('"new": 0.7', '"new": 0.8')
    assert "headline" not in bench.run().text
