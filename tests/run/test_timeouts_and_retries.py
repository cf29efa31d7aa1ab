"""Time limits, retries and slots."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.support.workspaces import SCORE, TRIED, Bench, end, read_until


@pytest.mark.parametrize("detached", ["", "setsid "])
def test_timeout_ends_everything(bench: Bench, detached: str) -> None:
    """A job that overruns is ended with all its processes, inside its process group or outside."""
    bench.evalfile(TRIED)
    bench.edit("seed      in 1..8", "timeout   = 1s")
    bench.job(f"{detached}sh -c 'sleep 1000; true' &\nsleep 1000\n")
    ended = bench.run()

    assert ended.status == 2
    assert "error: tried failed: timed out after 1s" in ended.err
    bench.clean()


def test_leftovers_of_a_success_end(bench: Bench) -> None:
    """Background processes of a job end with it, and its score counts."""
    bench.evalfile(TRIED)
    bench.edit("seed      in 1..8", "")
    bench.job("setsid sleep 1000 &\nsleep 1000 &\n" + SCORE)
    assert bench.run().status == 0
    bench.clean()


def test_retries_wait_longer_each_time(bench: Bench) -> None:
    """A failing job is retried `retries` times, each pause twice the last; every attempt is recorded."""
    bench.evalfile(TRIED)
    bench.edit("seed      in 1..8", "retries   = 2")
    bench.job(f"date +%s%N >> ../../../tries\ntest $(wc -l < ../../../tries) = 3 || exit 1\n{SCORE}")
    ended = bench.run()

    assert ended.status == 0, ended.text
    assert ended.err.count("exit status 1; trying again") == 2
    assert [a.status for a in bench.attempts()] == ["failed", "failed", "succeeded"]
    tries = [int(line) / 1e9 for line in (bench.root / "tries").read_text().split()]
    waits = [later - earlier for earlier, later in pairwise(tries)]
    assert waits[0] >= 1
    assert waits[1] >= 2


def test_retries_end(bench: Bench) -> None:
    """The error of a job that fails for good says how often it was tried."""
    bench.evalfile(TRIED)
    bench.edit("seed      in 1..8", "retries   = 1")
    bench.job("exit 7\n")
    ended = bench.run()

    assert ended.status == 2
    assert "error: tried failed after 2 tries: exit status 7" in ended.err
    assert "failed last time: exit status 7" in bench.run("-n").out


def test_failure_stops_the_build(bench: Bench) -> None:
    """Nothing starts after a failure; running jobs end and count."""
    bench.evalfile(TRIED)
    bench.job(
        f"""
        cd ../../..
        mkdir -p begun
        touch begun/$EVALMAKE_SEED
        until test $(ls begun | wc -l) -ge 4; do sleep 0.05; done
        test $EVALMAKE_SEED != 1 || exit 7
        until test -e go; do sleep 0.05; done
        {SCORE}
        """
    )
    process = bench.start()
    read_until(process, "tried/1: failed")
    (bench.root / "go").touch()
    ended = end(process)

    assert ended.status == 2
    assert sorted(bench.scores()) == ["tried/2", "tried/3", "tried/4"]
    assert "3 ran, 5 did not finish" in ended.out


def test_keep_going(bench: Bench) -> None:
    """With -k everything else is done; the next build tries only what failed."""
    bench.evalfile(TRIED)
    bench.job(f"test $EVALMAKE_SEED != 1 -o -e ../../../mended || exit 7\n{SCORE}")
    ended = bench.run("-k")

    assert ended.status == 2
    assert len(bench.scores()) == 7
    (bench.root / "mended").touch()
    again = bench.run()
    assert again.status == 0, again.text
    assert "1 ran, 7 reused" in again.out


@pytest.mark.parametrize(("slots", "jobs", "most"), [(3, 8, 3), (8, 2, 2), (1, 8, 1)])
def test_slots_and_jobs(bench: Bench, slots: int, jobs: int, most: int) -> None:
    """As many jobs run at once as the executor's slots and -j allow, and never more."""
    bench.evalfile(TRIED)
    bench.edit("slots   = 4", f"slots   = {slots}")
    bench.job(
        f"""
        cd ../../..
        mkdir -p begun running
        touch running/$EVALMAKE_SEED begun/$EVALMAKE_SEED
        until test $(ls begun | wc -l) -ge {most}; do sleep 0.05; done
        ls running | wc -l >> counts
        rm running/$EVALMAKE_SEED
        {SCORE}
        """
    )
    assert bench.run("-j", str(jobs)).status == 0
    counts = [int(line) for line in (bench.root / "counts").read_text().split()]
    assert max(counts) == most
    assert len(counts) == 8


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "the harness wrote no scores.json"),
        ("{", "scores.json is not JSON"),
        ("{}", "the harness reported no score"),
        ('{"accuracy": NaN}', "the score `accuracy` is NaN, not a number"),
        ('{"accuracy": "good"}', 'the score `accuracy` is "good", not a number'),
        ('{"accuracy": 1, "status": "partial"}', "the harness reports status partial"),
    ],
)
def test_no_score_without_one(bench: Bench, written: str, reason: str) -> None:
    """Without a readable score an evaluation fails, even with exit status 0."""
    bench.evalfile(TRIED)
    bench.edit("seed      in 1..8", "")
    bench.job(f"test -z '{written}' || echo '{written}' > $EVALMAKE_OUT/scores.json\n")
    ended = bench.run()

    assert ended.status == 2
    assert f"error: tried failed: {reason}" in ended.err
    assert bench.scores() == {}
