"""Builds on machines whose clock is set, or that have few file descriptors."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime

import pytest

from tests.support.workspaces import SCRIPTED, SUMS, TRIED, Bench

JUMPING = """
import sys, time
shift, real, began = float(sys.argv.pop(1)), time.time, time.monotonic()
time.time = lambda: real() + (shift if time.monotonic() > began + {after} else 0)
from evalmake.__main__ import main
main()
"""
EVALFILE = """\
    deployment stand-in { engine = mock, ready = 4m }
    model stand-in { deployment = stand-in }
    eval many {
        model     = stand-in
        benchmark = scripted
        timeout   = 4m
        seed      in 1..2
    }
    eval asked {
        model     = stand-in
        benchmark = sums
        timeout   = 4m
    }
"""


@pytest.mark.parametrize("shift", [7200, -7200])
@pytest.mark.parametrize("after", [0.5, 3.0])
def test_a_clock_that_is_set(bench: Bench, shift: int, after: float) -> None:
    """A clock that jumps by two hours ends no job, delays no server, and shows in no duration."""
    bench.evalfile(EVALFILE, SCRIPTED, SUMS)
    bench.job("sleep 3; echo '{\"accuracy\": 1}' > $EVALMAKE_OUT/scores.json\n")
    bench.sums()
    program = JUMPING.replace("{after}", str(after))
    done = subprocess.run(
        [sys.executable, "-c", program, str(shift)], cwd=bench.root, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    for attempt in bench.attempts():
        assert 0 < attempt.seconds < 200
        took = datetime.fromisoformat(attempt.finished) - datetime.fromisoformat(attempt.started)
        assert abs(took.total_seconds() - attempt.seconds) < 0.01
    bench.clean()


@pytest.mark.parametrize("limit", ["-n 64", "-S -n 64"])
def test_few_descriptors(bench: Bench, limit: str) -> None:
    """With 64 descriptors, a build of 100 slots runs all its jobs."""
    bench.evalfile(TRIED.replace("slots   = 4", "slots   = 100").replace("1..8", "1..100"))
    bench.job("sleep 2; echo '{\"accuracy\": 1}' > $EVALMAKE_OUT/scores.json\n")
    argv = ["sh", "-c", f'ulimit {limit}; "$@"', "sh", sys.executable, "-m", "evalmake", "-k"]
    done = subprocess.run(argv, cwd=bench.root, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert len(bench.scores()) == 100
    bench.clean()
