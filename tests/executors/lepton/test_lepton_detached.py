"""Jobs of Lepton that are left to themselves: shown, followed, ended, and collected by a later build."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.executors.lepton.rented import bench_on, nothing_left
from tests.executors.waiting_jobs import NAMES, WaitingJobs
from tests.support.daemons import until
from tests.support.lepton_service import Lepton
from tests.support.workspaces import end

SCRIPTED = """\
    model nobody {
        endpoint = "http://192.0.2.1/v1"
        name     = "nobody"
    }
    benchmark scripted {
        harness = command
        image   = "acme/evals@sha256:4567"
        files   = file("job.sh")
        run     = "sh data/job.sh"
    }
    eval tried {
        model     = nobody
        benchmark = scripted
        seed      in 1..3
        executor  = far
    }
"""


class Waiting(WaitingJobs):
    """A workspace of Lepton with such jobs."""

    def __init__(self, root: Path, service: Lepton) -> None:
        super().__init__(bench_on(root, service, 1), root.parent)
        self.service = service
        text = (root / "Evalfile").read_text()
        (root / "Evalfile").write_text(text[: text.index("deployment ")] + dedent(SCRIPTED))


@pytest.fixture
def waiting(root: Path, service: Lepton) -> Waiting:
    """Such a workspace."""
    return Waiting(root, service)


def test_left_and_collected(waiting: Waiting) -> None:
    """--detach returns once Lepton has the jobs, status and logs tell how they are, the next build has the scores."""
    bench = waiting.bench
    detached = bench.run("--detach")
    assert detached.status == 0, detached.text
    assert detached.out == "3 submitted: `evalmake status` shows them, `evalmake` collects them\n"
    assert waiting.service.state()["made"]["jobs"] == 3
    until(lambda: waiting.began() == ["1", "2", "3"])
    until(lambda: waiting.states() == [(name, "running", "3/8") for name in NAMES], waiting.states)
    followed, log = bench.start("status", "-F"), bench.start("logs", "-F", "tried/2")
    assert log.stdout is not None
    assert log.stdout.readline() == "began 2\n"
    waiting.go.touch()
    assert end(followed).status == 0
    assert [state for _, state, _ in waiting.states()] == ["ended"] * 3
    collected = bench.run()
    assert collected.status == 0, collected.text
    assert bench.scores() == {name: [0.5] for name in NAMES}
    assert waiting.began() == ["1", "2", "3"]
    end(log)
    assert bench.run("logs", "tried/2").out.startswith("began 2\nwent on\n-- attempt 1, succeeded ")
    assert bench.run("status").out == "no unfinished jobs\n"
    nothing_left(waiting.service)
    bench.clean()


def test_why_it_waits(waiting: Waiting) -> None:
    """`status` says in Lepton's words and in plain ones what a job waits for."""
    waiting.service.tell(wait=3600)
    assert waiting.bench.run("--detach").status == 0
    told = waiting.bench.run("status").out
    assert told.count("Queueing: waits for room in its node group") == 3
    waiting.bench.run("cancel")
    nothing_left(waiting.service)


def test_cancel(waiting: Waiting) -> None:
    """The job of a target is ended by its name, all others without one; what was ended is stale."""
    bench = waiting.bench
    assert bench.run("--detach").status == 0
    until(lambda: waiting.began() == ["1", "2", "3"])
    said = bench.run("cancel", "tried/2")
    assert (said.status, said.out) == (0, "cancelled tried/2 on far\n")
    assert len(waiting.service.state()["alive"]) == 2
    assert [name for name, _, _ in waiting.states()] == ["tried/1", "tried/3"]
    said = bench.run("cancel")
    assert said.out == "cancelled tried/1 on far\ncancelled tried/3 on far\n"
    nothing_left(waiting.service)
    bench.clean()
    assert "3 to run on far" in bench.run("-n").out


def test_not_with_a_server(root: Path, service: Lepton) -> None:
    """What needs an endpoint of its own cannot be left to itself, which is said before anything is made."""
    bench = bench_on(root, service, 1)
    said = bench.run("--detach")
    assert said.status == 2
    assert "evalmake watches deployment `stand-in` while it is used" in said.err
    assert service.calls() == []
