"""`verify` has harnesses read stored outputs again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from evalmake.planner.action import ActionResult
from evalmake.store import records
from evalmake.store.history import extend_history
from tests.support.stores import put
from tests.support.workspaces import SUMS, Bench

EVALFILE = """\
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }
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


ROUNDED = """\
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }
benchmark b {
    harness = command
    run     = '''
        echo '{"accuracy": 0.67}' > $EVALMAKE_OUT/scores.json
        for n in 0 1 1; do
            ROW=$((${ROW:-0} + 1)); echo "{\\"id\\": $ROW, \\"scores\\": {\\"accuracy\\": $n}}"
        done > $EVALMAKE_OUT/samples.jsonl
    '''
}
eval e { model = m, benchmark = b }
"""


def forge_score(bench: Bench, value: float, **changes: Any) -> ActionResult:
    """Change the score of the only result, and seal its record and history as evalmake would."""
    [record] = bench.attempts()
    changes |= {"value": value, "stderr": None}
    forged = replace(record, scores=tuple(replace(score, **changes) for score in record.scores))
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


def test_a_rounded_score_that_was_read_without_its_samples(bench: Bench) -> None:
    """It is the mean of its samples; one that counts samples is not rounded."""
    bench.evalfile(ROUNDED)
    assert bench.run().status == 0, bench.run().text
    (score,) = bench.attempts()[0].scores
    assert (round(score.value or 0, 6), score.scored) == (0.666667, 3)
    forge_score(bench, 0.67, scored=0)
    assert "all match" in bench.run("verify").out
    forge_score(bench, 0.68, scored=0)
    assert "accuracy is 0.68 on record, and 0.666667 by its outputs" in bench.run("verify").out
    forge_score(bench, 0.67, scored=3)
    assert "accuracy is 0.67 on record, and 0.666667 by its outputs" in bench.run("verify").out
