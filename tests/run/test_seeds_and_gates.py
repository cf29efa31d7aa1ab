"""From samples to the table and the exit status: seeds that make no difference, unscored samples, confidences."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.support.evalfiles import PROGRAM
from tests.support.workspaces import Bench

EVALFILE = """
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }
benchmark b {
    harness  = command
    files    = glob("data/*/*")
    run      = "cp data/$EVALMAKE_SEED/* $EVALMAKE_OUT/"
    coverage = 80%
}
eval e {
    model     = m
    benchmark = b
    seed      in 1..SEEDS
    KEYS
}
report r { of = [e], path = "r.json", format = json }
"""


def leave(bench: Bench, seed: int, scores: Sequence[float | None], reply: str = "same") -> None:
    """Let the program of a seed leave these scores, with its samples."""
    known = [score for score in scores if score is not None]
    entry = {"value": sum(known) / len(known), "scored": len(known), "unscored": len(scores) - len(known)}
    rows = [
        {
            "id": str(at),
            "item": f"hash {at}",
            "reply": f"{reply} {at}",
            "scores": {} if one is None else {"accuracy": one},
        }
        for at, one in enumerate(scores)
    ]
    folder = bench.root / "data" / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scores.json").write_text(json.dumps({"accuracy": entry}))
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def evalfile(bench: Bench, keys: str, seeds: int = 1) -> None:
    """Write the Evalfile with so many seeds and these keys of the eval."""
    bench.evalfile(EVALFILE.replace("KEYS", keys).replace("SEEDS", str(seeds)))


def test_seeds_that_make_no_difference_are_one_run(bench: Bench) -> None:
    """Three seeds with the same replies are told and counted as one run, in the table and in the report."""
    for seed in (1, 2, 3):
        leave(bench, seed, [1, 1, 1, 0, 1])
    evalfile(bench, "", seeds=3)
    done = bench.run()
    assert done.status == 0, done.err
    assert "1 run" in done.out
    assert "all 3 seeds gave the same replies: counted as one run" in done.out
    (cell,) = json.loads((bench.root / "r.json").read_text())["table"]
    assert (cell["mean"], cell["runs"]) == (0.8, 1)


def test_a_seed_that_differs_narrows_the_interval(bench: Bench) -> None:
    """Independent answers make the interval of two seeds narrower than that of one."""
    first, second = [1, 0] * 20, [1, 1, 0, 0] * 10
    leave(bench, 1, first, "x")
    leave(bench, 2, second, "y")
    widths = []
    for seeds in (1, 2):
        evalfile(bench, "", seeds)
        assert bench.run().status == 0
        (cell,) = json.loads((bench.root / "r.json").read_text())["table"]
        widths.append(cell["high"] - cell["low"])
    assert widths[1] < 0.8 * widths[0]


def test_a_gate_that_unscored_samples_could_turn(bench: Bench) -> None:
    """A gate that holds only for the scored samples is not judged, and the build ends with 2; one that holds is met."""
    leave(bench, 1, [1] * 8 + [0] * 1 + [None])
    evalfile(bench, "require accuracy >= 85%")
    done = bench.run()
    assert done.status == 2
    assert "undecided: 1 unscored sample could change it: accuracy is 0.889 of the scored" in done.err
    evalfile(bench, "require accuracy >= 80%")
    assert bench.run().status == 0


def test_a_confidence_reads_as_it_was_asked_for(bench: Bench) -> None:
    """99.5 % is neither 99 nor 100 %, in the table and in a gate's message."""
    leave(bench, 1, [1] * 9 + [0])
    evalfile(bench, "confidence = 99.5%\n    require accuracy >= 80%")
    done = bench.run()
    assert done.status == 1
    assert "99.5% interval" in done.out
    assert "its lower bound at 99.5% confidence (one-sided) is 0.4" in done.err


def test_a_percentage_is_the_number_it_says(bench: Bench) -> None:
    """99.99% is 0.9999, not the float below it: 0.9999 meets it, and it is printed so."""
    bench.evalfile(PROGRAM.replace("80%", "99.99%"))
    bench.job("""echo '{"accuracy": 0.9999}' > $EVALMAKE_OUT/scores.json""")
    assert bench.run().status == 0
    bench.job("""echo '{"accuracy": 0.9998}' > $EVALMAKE_OUT/scores.json""")
    assert "accuracy is 0.9998, below 0.9999" in bench.run().err
    assert bench.run("--json").status == 1


def test_one_interval_everywhere(bench: Bench) -> None:
    """Table and --json have the same interval, and progress has none, whatever bounds the program wrote."""
    bench.evalfile(PROGRAM)
    score = '{"value": 0.98, "stderr": 0.019, "n": 50, "low": 0.943, "high": 1.017}'
    bench.job(f"""echo '{{"accuracy": {score}}}' > $EVALMAKE_OUT/scores.json""")
    ended = bench.run()
    assert "[0.897, 0.996]" in ended.out
    assert "1.017" not in ended.text
    (result,) = json.loads(bench.run("--json").out)["results"]
    (told,) = result["scores"]
    assert (round(told["low"], 3), round(told["high"], 3), result["confidence"]) == (0.897, 0.996, 0.95)
