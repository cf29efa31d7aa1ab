"""`verify` has harnesses read stored outputs again."""

from __future__ import annotations

from dataclasses import replace

from evalmake.planner.action import ActionResult
from evalmake.store import records
from evalmake.store.history import extend_history
from tests.support.stores import put
from tests.support.workspaces import SUMS, Bench

EVALFILE = """\
model m { endpoint = "http://127.0.0.1:9/v1", name = "m", adapter = { requests = any } }
benchmark b {
    harness = command
    run     = '''echo '{"accuracy": 0.5}' > $EVALMAKE_OUT/scores.json'''
}
eval e { model = m, benchmark = b }
"""
SERVED = """\
deployment d { engine = mock, args = { skill = 0.6 } }
model m { deployment = d }
eval e { model = m, benchmark = sums }
"""


def forge_score(bench: Bench, value: float) -> ActionResult:
    """Change the score of the only result, and seal its record and history as evalmake would."""
    [record] = bench.attempts()
    forged = replace(record, scores=tuple(replace(score, value=value, stderr=None) for score in record.scores))
    with bench.store() as store:
        put(store, f"record/{record.action}/1", records.record_to_text(forged))
        digest = store.record_digest(record.action, 1)
        put(store, f"head/{record.action}", records.history_to_text(extend_history(None, forged, digest)))
    return record


def test_a_score_that_the_outputs_contradict(bench: Bench) -> None:
    """A number on record that a program's own output does not have is named, even if all seals are right."""
    bench.evalfile(EVALFILE)
    assert bench.run().status == 0
    assert "all match" in bench.run("verify").out
    forge_score(bench, 0.968)
    checked = bench.run("verify")
    assert checked.status == 2
    assert "e (attempt 1): accuracy is 0.968 on record, and 0.5 by its outputs" in checked.out


def test_a_score_of_the_native_harness(bench: Bench) -> None:
    """The same holds for a harness of evalmake's own."""
    bench.evalfile(SERVED, SUMS)
    bench.sums(3)
    assert bench.run().status == 0
    assert "all match" in bench.run("verify").out
    record = forge_score(bench, 0.125)
    assert f"{record.scores[0].metric} is 0.125 on record, and " in bench.run("verify").out
