"""Builds that are killed at random moments.

A trial is one kill. There are eight in a test, or $EVALMAKE_TRIALS. The seed is printed, which pytest shows
with a failure; $EVALMAKE_TRIALS_SEED repeats its moments.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable

from tests.support.workspaces import Bench, Ended, end

TRIALS = int(os.environ.get("EVALMAKE_TRIALS") or 8)
_QUICK = 0.15  # seconds that evalmake takes to start on a machine that does nothing else
_MOST = 4.0


class Dice:
    """Draws the moments of kills."""

    def __init__(self) -> None:
        seed = int(os.environ.get("EVALMAKE_TRIALS_SEED") or random.SystemRandom().randrange(10**6))
        print(f"kills at random moments: EVALMAKE_TRIALS_SEED={seed}")
        self.random = random.Random(seed)
        self._slowness = _measure_slowness()

    def draw_seconds(self, least: float, most: float) -> float:
        """Return seconds between two bounds of an idle machine, more where this one is slower."""
        return self.random.uniform(least, most) * self._slowness


def _measure_slowness() -> float:
    """Return how many times longer than on an idle machine evalmake takes to start: 1 to 4."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "evalmake", "--version"], check=True, capture_output=True)
    return min(max(1.0, (time.monotonic() - began) / _QUICK), _MOST)


def run_until(bench: Bench, seconds: float) -> Ended | None:
    """Start a build; return how it ended, or None if it ran longer than some seconds and was killed."""
    process = bench.start()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return end(process)


def kill_builds(bench: Bench, dice: Dice, least: float, most: float, check: Callable[[], None]) -> None:
    """Kill builds until there were enough; `check` whenever one came to its end, and prepare for more."""
    kills = 0
    while kills < TRIALS:
        ended = run_until(bench, dice.draw_seconds(least, most))
        if ended is None:
            kills += 1
            continue
        assert ended.status == 0, ended.text
        check()
