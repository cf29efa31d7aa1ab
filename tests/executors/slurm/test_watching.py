"""Jobs that are left to themselves: shown, followed, ended, and collected by a later build."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.executors.slurm.clustered import ROOM, Clustered
from tests.executors.waiting_jobs import NAMES, WaitingJobs
from tests.support.daemons import until
from tests.support.workspaces import NOBODY, SCRIPTED, end, wait_for

EVAL = f"""\
eval tried {{
    model     = nobody
    benchmark = scripted
    seed      in 1..3
    executor  = cluster
    {ROOM}
}}
"""


class Waiting(WaitingJobs):
    """A workspace on a cluster with such jobs."""

    bench: Clustered

    def __init__(self, bench: Clustered, name: str) -> None:
        folder = bench.cluster.folder / "run" / name
        folder.mkdir()
        folder.chmod(0o777)
        super().__init__(bench, folder)
        bench.evalfile(bench.executor(), NOBODY, SCRIPTED, EVAL)

    def all_run(self) -> None:
        """Wait until all three have begun, and Slurm and the first look know it."""
        until(lambda: self.began() == ["1", "2", "3"], self.bench.cluster.jobs)
        until(lambda: len(self.bench.jobs("RUNNING")) == 3)


@pytest.fixture
def waiting(either: Clustered, tmp_path: Path) -> Waiting:
    """Such a workspace, near and far."""
    return Waiting(either, tmp_path.name)


def settled(text: str) -> str:
    """Without what differs from one time to another."""
    return re.sub(r" +\d+(s|m|\.\dh)  [0-9a-f]+\.\d+$", " TIME ID", text, flags=re.MULTILINE)


def test_left_and_collected(waiting: Waiting) -> None:
    """--detach returns at once, status and logs tell how the jobs are, the next build has the scores."""
    bench = waiting.bench
    detached = bench.run("--detach")
    assert detached.status == 0, detached.text
    assert detached.out == "3 submitted: `evalmake status` shows them, `evalmake` collects them\n"
    waiting.all_run()
    until(lambda: waiting.states() == [(name, "running", "3/8") for name in NAMES], waiting.states)
    table = settled(bench.run("status").out)
    assert table == "".join(f"{name}  cluster  running  3/8 TIME ID\n" for name in NAMES)

    followed, log = bench.start("status", "-F"), bench.start("logs", "-F", "tried/2")
    assert log.stdout is not None
    assert log.stdout.readline() == "began 2\n"
    waiting.go.touch()
    assert end(followed).status == 0
    assert end(log).out == "went on\n", "it ends with the job, not with its collection"
    assert [state for _, state, _ in waiting.states()] == ["ended"] * 3
    collected = bench.run()
    assert collected.status == 0, collected.text
    assert bench.scores() == {name: [0.5] for name in NAMES}
    assert waiting.began() == ["1", "2", "3"]
    assert bench.sbatches() == 1
    assert bench.run("logs", "tried/2").out.startswith("began 2\nwent on\n-- attempt 1, succeeded ")
    assert bench.run("status").out == "no unfinished jobs\n"
    bench.clean()


def test_cancel(waiting: Waiting) -> None:
    """The job of a target is ended by its name, all others without one; what was ended is stale."""
    bench = waiting.bench
    assert bench.run("--detach").status == 0
    waiting.all_run()
    said = bench.run("cancel", "tried/2")
    assert (said.status, said.out) == (0, "cancelled tried/2 on cluster\n")
    assert len(bench.jobs()) == 2
    assert [name for name, _, _ in waiting.states()] == ["tried/1", "tried/3"]
    assert bench.run("cancel", "tried/2").out == "no jobs to cancel\n"
    said = bench.run("cancel")
    assert said.out == "cancelled tried/1 on cluster\ncancelled tried/3 on cluster\n"
    assert bench.jobs() == []
    bench.clean()
    assert "3 to run on cluster" in bench.run("-n").out


def test_out_of_reach(far: Clustered, tmp_path: Path) -> None:
    """While the login node is away nothing is known of any job, and none is taken for cancelled."""
    waiting = Waiting(far, tmp_path.name)
    assert far.run("--detach").status == 0
    waiting.all_run()
    assert far.login is not None
    far.login.proxy.refusing = True
    try:
        listed = json.loads(far.run("status", "--json").out)
        said = far.run("cancel")
    finally:
        far.login.proxy.flow()
    assert {one["state"] for one in listed} == {"unreachable"}
    assert all("host login cannot be reached" in one["detail"] for one in listed)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("error: host login cannot be reached: ")
    assert "[executor-failed]\n --> Evalfile:1:1\n" in said.err
    assert len(far.jobs()) == 3
    assert far.run("cancel").out.count("cancelled tried/") == 3
    far.clean()


def test_cancelled_and_begun_again(waiting: Waiting) -> None:
    """What was cancelled runs again with the next build, while that collects the others of its array."""
    bench = waiting.bench
    assert bench.run("--detach").status == 0
    waiting.all_run()
    assert bench.run("cancel", "tried/2").status == 0
    waiting.go.touch()
    until(lambda: bench.jobs() == [], bench.jobs)
    with bench.cluster.wrappers.slow("sbatch", 5):  # the others are collected by then
        ended = bench.run()
    assert ended.status == 0, ended.text
    assert len(bench.scores()) == 3
    assert waiting.began() == ["1", "2", "2", "3"]
    bench.clean()


def test_killed_between(waiting: Waiting) -> None:
    """A build that collects and is killed changes nothing: the one after it collects, and none runs twice."""
    bench = waiting.bench
    assert bench.run("--detach").status == 0
    waiting.all_run()
    collecting = bench.start()
    wait_for(lambda: (bench.root / ".evalmake").exists())
    collecting.kill()
    collecting.communicate()
    assert bench.run("--detach").status == 0
    waiting.go.touch()
    collected = bench.run()
    assert collected.status == 0, collected.text
    assert len(bench.scores()) == 3
    assert waiting.began() == ["1", "2", "3"]
    bench.clean()


def test_clean(waiting: Waiting) -> None:
    """`clean` ends what was left, and removes it here and there."""
    bench = waiting.bench
    assert bench.run("--detach").status == 0
    waiting.all_run()
    said = bench.run("clean")
    assert said.status == 0, said.text
    until(lambda: bench.jobs() == [], bench.jobs)
    assert bench.there() == []
    bench.clean()
    assert "3 to run on cluster" in bench.run("-n").out
