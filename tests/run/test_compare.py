"""Reports that compare evaluations over the same items, from stored results."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.workspaces import SCORE, SUMS, Bench

EVALFILE = f"""\
    LIMIT = 30
    defaults deployment {{ engine = mock }}
    deployment low {{ args = {{ skill = 0.2 }} }}
    deployment high {{ args = {{ skill = 0.95 }} }}
    model low {{ deployment = low }}
    model high {{ deployment = high }}
{SUMS}
    benchmark bare {{
        harness = command
        run     = 'echo "{{\\"accuracy\\": 0.5}}" > "$EVALMAKE_OUT/scores.json"'
    }}
    eval grid {{
        model     in [low, high]
        benchmark in [sums, bare]
        limit     = LIMIT
    }}
    report told {{
        of      = [grid]
        format  = json
        path    = "told.json"
        compare = low
    }}
    report read {{
        of      = [grid]
        path    = "read.md"
        compare = low
    }}
"""


def comparisons(bench: Bench) -> dict[str, Any]:
    """The comparisons in the JSON report, by benchmark."""
    document = json.loads((bench.root / "told.json").read_text())
    return {one["column"]: one for one in document["comparisons"]}


def test_paired_over_the_items(bench: Bench) -> None:
    """The difference is that of the two scores; a harness without samples is named as not comparable."""
    bench.evalfile(EVALFILE)
    bench.sums(30)
    assert bench.run().status == 0
    found = comparisons(bench)
    (low,), (high,) = (bench.scores()[f"grid/{model}/sums"] for model in ("low", "high"))
    assert low is not None
    assert high is not None
    assert found["sums"]["difference"] == pytest.approx(high - low)
    assert (found["sums"]["items"], found["sums"]["test"]) == (30, "Tango")
    assert found["sums"]["p"] == found["sums"]["p_holm"] < 0.001
    assert found["bare"]["difference"] is None
    assert found["bare"]["note"] == "high and low left no items of which accuracy is the mean"
    text = (bench.root / "read.md").read_text()
    assert "## Compared with low" in text
    assert "`high` and `low`, bare: not compared" in text


def test_another_baseline_writes_the_report_anew(bench: Bench) -> None:
    """A change of `compare` rewrites reports and runs nothing."""
    bench.evalfile(EVALFILE)
    bench.sums(30)
    assert bench.run().status == 0
    before = comparisons(bench)["sums"]
    assert "nothing to do" in bench.run().out
    bench.evalfile(EVALFILE.replace("compare = low", "compare = high"))
    assert bench.run().status == 0
    after = comparisons(bench)["sums"]
    assert (after["row"], after["difference"]) == ("low", -before["difference"])
    assert len(bench.attempts()) == 4


def test_a_baseline_that_an_override_takes_out(bench: Bench) -> None:
    """A report whose baseline is missing is written, and says so."""
    bench.evalfile(EVALFILE.replace("[low, high]", "MODELS").replace("LIMIT =", "MODELS = [low, high]\n    LIMIT ="))
    bench.sums(30)
    assert bench.run("MODELS=[high]").status == 0
    assert comparisons(bench)["sums"]["note"] == "low has no result that is otherwise alike"


def test_models_that_were_asked_otherwise_are_told(bench: Bench) -> None:
    """Two models in one table, of evals with another limit and temperature: each row says so after the build."""
    bench.evalfile("""
        model a { endpoint = "http://127.0.0.1:9/v1", name = "a" }
        model b { endpoint = "http://127.0.0.1:9/v1", name = "b" }
        benchmark scripted {
            harness = command
            files   = file("job.sh")
            run     = "sh data/job.sh"
        }
        eval short { model = a, benchmark = scripted, limit = 10, params = { temperature = 0.7 } }
        eval whole { model = b, benchmark = scripted, limit = 30 }
    """)
    bench.job(SCORE)
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert "unlike other rows: limit 10 (others 30), params.temperature 0.7 (others none)" in ended.out
    assert "unlike other rows: limit 30 (others 10), params.temperature none (others 0.7)" in ended.out
