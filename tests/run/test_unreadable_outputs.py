"""Nonsensical outputs of a program fail with a reason, and the workspace stays usable."""

from __future__ import annotations

import pytest

from tests.support.workspaces import Bench

EVALFILE = """
    model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }
    benchmark b { harness = command, files = file("job.sh"), run = "sh data/job.sh" }
    eval e { model = m, benchmark = b, seed in 1..2 }
"""
GOOD = "echo '{\"accuracy\": 1}' > $EVALMAKE_OUT/scores.json"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('echo \'{"a": {"value": 1, "stderr": NaN}}\' > $EVALMAKE_OUT/scores.json', "not a number"),
        ('echo \'{"a": {"value": 1, "n": "many"}}\' > $EVALMAKE_OUT/scores.json', "not a count"),
        ("echo '{\"a\\\\ud800\": 1}' > $EVALMAKE_OUT/scores.json", "not printable"),
    ],
)
def test_scores_that_make_no_sense(bench: Bench, script: str, said: str) -> None:
    """A nonsensical score file fails its evaluation, and the next build starts afresh."""
    bench.evalfile(EVALFILE)
    (bench.root / "job.sh").write_text(script + "\n")
    ended = bench.run("-k")
    assert ended.status == 2
    assert said in ended.err
    assert "Traceback" not in ended.text
    (bench.root / "job.sh").write_text(GOOD + "\n")
    assert "2 ran" in bench.run().out


@pytest.mark.parametrize("extra", ["> \"$EVALMAKE_OUT/$(printf '\\377')\"", "", "chmod 000 $EVALMAKE_OUT/scores.json"])
def test_odd_outputs_are_kept_or_left_out(bench: Bench, extra: str) -> None:
    """File names that are not UTF-8 and unreadable files do not end a build."""
    bench.evalfile(EVALFILE)
    (bench.root / "job.sh").write_text(f"{GOOD}\n{extra}\n")
    ended = bench.run("-k")
    assert "Traceback" not in ended.text
    assert bench.left() == []


def test_a_job_that_writes_into_its_input_changes_no_other(bench: Bench) -> None:
    """Each job has its own copy of the data: no job sees what another did to it."""
    bench.evalfile(EVALFILE.replace('file("job.sh")', 'glob("in/*")').replace("data/job", "data/job"))
    (bench.root / "in").mkdir()
    (bench.root / "in" / "job.sh").write_text(
        "wc -l < data/a.txt | sed 's/.*/{\"lines\": &}/' > $EVALMAKE_OUT/scores.json\necho more >> data/a.txt\n"
    )
    (bench.root / "in" / "a.txt").write_text("one\n")
    assert bench.run("-j", "1").status == 0
    assert set(map(tuple, bench.scores().values())) == {(1.0,)}
