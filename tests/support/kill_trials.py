"""Builds that are killed at random moments.

A trial is one kill. There are eight in a test, or $EVALMAKE_TRIALS. The seed is printed, which pytest shows
with a failure; $EVALMAKE_TRIALS_SEED repeats its moments.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.support.workspaces import SCRIPTED, SUMS, Bench, Ended, end

TRIALS = int(os.environ.get("EVALMAKE_TRIALS") or 8)
_EARLIEST = 0.05  # of the length of a build: before that, Python itself starts
B = TypeVar("B", bound=Bench)
_MIXED = """\
    SLOTS = 6

    executor local {{
        backend = process
        slots   = SLOTS
    }}
    deployment stand-in {{
        engine = mock
        args   = {{ skill = 0.6 }}
    }}
    model stand-in {{ deployment = stand-in }}
    eval many {{
        model     = stand-in
        benchmark = scripted
        seed      in 1..{scripted}
    }}
    eval asked {{
        model     = stand-in
        benchmark = sums
        seed      in 1..{asked}
    }}
"""
_JOB = """\
    sleep 0.5
    echo "{\\"accuracy\\": 0.$EVALMAKE_SEED}" > $EVALMAKE_OUT/scores.json
"""


def mixed_cells(root: Path, scripted: int, asked: int) -> Bench:
    """Make a workspace of so many cells that run a program, and so many that ask a served model."""
    root.mkdir()
    bench = Bench(root)
    bench.evalfile(_MIXED.format(scripted=scripted, asked=asked), SCRIPTED, SUMS)
    bench.job(_JOB)
    bench.sums()
    return bench


def seeded_dice() -> random.Random:
    """Return what draws the moments of kills."""
    seed = int(os.environ.get("EVALMAKE_TRIALS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"kills at random moments: EVALMAKE_TRIALS_SEED={seed}")
    return random.Random(seed)


def wait_a_while(process: subprocess.Popen[str], length: float, dice: random.Random) -> None:
    """Wait until a build ends, at most for some part of the time that a build takes."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(dice.uniform(_EARLIEST, 1) * length)


def kill_builds(
    begin: Callable[[], B],
    check: Callable[[B], None],
    wait: Callable[[subprocess.Popen[str], float, random.Random], None] = wait_a_while,
) -> None:
    """Kill builds at random moments, which `wait` draws, and `check` each workspace when its build came to an end.

    `begin` returns a new workspace. Builds that nothing disturbs tell how long one takes now: the first one, and
    those that were faster than their kill. So the moments suit any machine, and all that a build does.
    """
    dice, kills = seeded_dice(), 0
    bench, began = begin(), time.monotonic()
    ended: Ended | None = bench.run()
    length, undisturbed = time.monotonic() - began, True
    while kills < TRIALS:
        if ended is not None:
            _check_end(ended, bench, check)
            bench, undisturbed = begin(), True
        process, began = bench.start(), time.monotonic()
        wait(process, length, dice)
        if process.poll() is None:
            process.kill()
            process.communicate()
            kills, ended, undisturbed = kills + 1, None, False
            continue
        ended = end(process)
        if undisturbed:
            length = time.monotonic() - began
    _check_end(bench.run(), bench, check)


def _check_end(ended: Ended, bench: B, check: Callable[[B], None]) -> None:
    assert ended.status == 0, ended.text
    check(bench)
