"""Builds on Lepton that are killed: nothing is made twice, nothing is lost, nothing is left."""

from __future__ import annotations

import contextlib
import subprocess
from collections import Counter
from pathlib import Path

from tests.executors.lepton.rented import bench_on, nothing_left
from tests.support.kill_trials import TRIALS, Dice
from tests.support.lepton_service import Lepton
from tests.support.workspaces import Bench, end, kill, wait_for

CELLS = 6


def killed(build: subprocess.Popen[str]) -> bool:
    """Kill a build; whether it still ran."""
    running = build.poll() is None
    kill(build.pid)
    build.communicate()
    return running


def done(bench: Bench, service: Lepton, rounds: int) -> None:
    """Assert that the next build ends with a score for each cell so far, all made once, nothing left."""
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert len(bench.scores()) == CELLS * rounds
    assert Counter(one.status for one in bench.attempts()) == {"succeeded": CELLS * rounds}
    state = service.state()
    assert len(state["names"]) == len(set(state["names"])) == CELLS * rounds
    assert state["made"]["endpoints"] == rounds
    nothing_left(service)
    bench.clean()


def test_killed_at_any_moment(root: Path, service: Lepton) -> None:
    """However often a build is killed, between any two requests or at any time, the next goes on with what is there."""
    dice, kills, rounds = Dice(), 0, 1
    service.tell(wait=1.5)
    bench = bench_on(root, service, CELLS)
    while kills < TRIALS:
        build = bench.start()
        if dice.random.random() < 0.5:
            calls = len(service.calls()) + dice.random.randrange(1, 30)
            wait_for(lambda: len(service.calls()) >= calls or build.poll() is not None)  # noqa: B023
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                build.wait(dice.draw_seconds(0.3, 3))
        if killed(build):
            kills += 1
            continue
        done(bench, service, rounds)  # it was faster: other cells are for the kills that are left
        first = CELLS * rounds
        bench.edit(f"in {first - CELLS + 1}..{first}", f"in {first + 1}..{first + CELLS}")
        rounds += 1
    done(bench, service, rounds)


def test_killed_while_asking(root: Path, service: Lepton) -> None:
    """A job that comes to be only after the build that asked for it was killed does no harm and does not stay."""
    bench = bench_on(root, service, 1)
    service.fault("POST", "/jobs", "hold")
    build = bench.start()
    wait_for(lambda: ("POST", "/jobs") in service.calls() or build.poll() is not None)
    assert killed(build)
    service.tell(wait=3600)
    build = bench.start()
    wait_for(lambda: service.state()["made"]["jobs"] == 1 or build.poll() is not None)
    service.tell(go_on=True)
    wait_for(lambda: service.state()["made"]["jobs"] == 2)
    service.tell(wait=0)
    ended = end(build)
    assert ended.status == 0, ended.text
    assert len(bench.scores()) == 1
    nothing_left(service)
