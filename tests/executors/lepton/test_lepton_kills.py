"""Builds on Lepton that are killed: nothing is made twice, nothing is lost, nothing is left."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from pathlib import Path

from tests.executors.lepton.rented import bench_on, nothing_left
from tests.support.kill_trials import kill_builds, wait_a_while
from tests.support.lepton_service import Lepton
from tests.support.workspaces import Bench, end, kill, wait_for

CELLS = 4


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
    service.tell(wait=0.5)
    bench = bench_on(root, service, CELLS)
    rounds = 0

    def begin() -> Bench:
        nonlocal rounds
        first, rounds = CELLS * rounds, rounds + 1
        if first:  # there are results: other cells are for the kills that are left
            bench.edit(f"in {first - CELLS + 1}..{first}", f"in {first + 1}..{first + CELLS}")
        return bench

    def wait(build: subprocess.Popen[str], length: float, dice: random.Random) -> None:
        if dice.random() < 0.5:
            return wait_a_while(build, length, dice)
        calls = len(service.calls()) + dice.randrange(1, 30)
        wait_for(lambda: len(service.calls()) >= calls or build.poll() is not None)

    kill_builds(begin, lambda bench: done(bench, service, rounds), wait)


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
