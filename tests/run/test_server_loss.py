"""Servers that are lost through no fault of their own, or wait in a queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalmake.language.values import Duration
from evalmake.plugin_api.executor import Capabilities, Job, JobState, Phase
from evalmake.run.events import Event, ServerPending, ServerStateChanged
from evalmake.run.job_builder import JobBuilder
from evalmake.run.secrets import Secrets
from evalmake.run.time_budget import TimeBudget
from evalmake.servers.addresses import ServerAddress
from evalmake.servers.pool import ServerPool
from evalmake.servers.readiness import ProbeResult, ReadinessProbe
from evalmake.store.journal import Journal
from evalmake.terminal.progress import describe_event
from evalmake.testing import FakeExecutor
from evalmake.workspace import Workspace
from tests.support.workspaces import SUMS, Bench

EVALFILE = """\
    executor local { backend = process }
    deployment llama {
        engine = mock
        ready  = 1s
    }
    model llama { deployment = llama }
    eval asked {
        model     = llama
        benchmark = sums
    }
"""
LOST = JobState(Phase.ENDED, None, "NODE_FAIL: its node failed (n1, which is down: bad fan)")
CRASHED = JobState(Phase.ENDED, 1, "exit status 1")
RUNNING = JobState(Phase.RUNNING)
OUT_OF_TIME = JobState(Phase.ENDED, 143, "TIMEOUT: it reached its time limit", out_of_time=True)
QUEUED = JobState(Phase.QUEUED, None, "Resources: waits for resources")


class Scripted(FakeExecutor):
    """An executor that runs nothing: each poll returns the next of the given states, and the last for ever."""

    capabilities = Capabilities(own_queue=True)
    away = False

    def __init__(self, root: Path, *states: JobState) -> None:
        super().__init__("local", None, root)
        self.states, self.submitted = list(states), 0
        self.time_left: list[float | None] = []

    def submit(self, job: Job, secrets: object) -> None:
        """Count the call."""
        self.submitted += 1
        self.time_left.append(job.time_left)

    def fetch(self, id: str, into: Path) -> None:
        """Copy the outputs, or raise."""
        if self.away:
            raise ConnectionError("cannot reach it")
        super().fetch(id, into)

    def poll(self, id: str) -> JobState:
        """The next state."""
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


class Watched:
    """The pool of a workspace with one server, on a scripted executor."""

    def __init__(self, bench: Bench, *states: JobState) -> None:
        bench.evalfile(EVALFILE, SUMS)
        bench.sums(1)
        workspace = Workspace.open(bench.root / "Evalfile")
        job_builder = JobBuilder(workspace.project, workspace.plugins, workspace.root)
        self.executor, self.said = Scripted(workspace.root / "work", *states), list[str]()
        self.journal, self.job_builder = Journal(workspace.root / "journal"), job_builder
        self.services = ServerPool(job_builder, {"local": self.executor}, self.journal, Secrets({}), self.heard)
        [server] = job_builder.server_specs("llama", "sha256:" + 32 * "ab")
        self.services.add_user(server, "asked")
        self.services.start_missing(("llama",), "local", 0)

    def heard(self, event: Event) -> None:
        """Keep what people would read."""
        if isinstance(event, ServerStateChanged | ServerPending):
            self.said.append(describe_event(event, False))

    def until(self, word: str) -> None:
        """Update the pool until a message contains a word."""
        while not any(word in line for line in self.said):
            self.services.update()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let servers restart without a pause."""
    monkeypatch.setattr("evalmake.servers.lifecycle._RESTART_PAUSE", 0)


def test_lost(bench: Bench) -> None:
    """A loss that is not the server's fault costs no start: it has all of them when it crashes later."""
    watched = Watched(bench, LOST, LOST, LOST, LOST, CRASHED)
    watched.until("failed: ")
    assert watched.executor.submitted == 4 + 3
    again = f"deployment llama: restarting: it stopped before it was ready, after 0s: {LOST.detail}"
    assert watched.said[1:5] == [again] * 4


def test_lost_for_ever(bench: Bench) -> None:
    """After many such losses a server fails, and the error names the node and what is wrong with it."""
    watched = Watched(bench, LOST)
    watched.until("failed: ")
    assert watched.executor.submitted == 5 + 3
    told = watched.services.failure_diagnostic("llama")
    assert told.message == f"deployment llama stopped before it was ready, after 0s: {LOST.detail}"
    assert "attempt 3 of 3 on executor local" in told.notes


def test_out_of_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answered until its time was over starts again until its jobs ran for `total_time` in all."""
    monkeypatch.setattr(ReadinessProbe, "probe", lambda *_: ProbeResult(ServerAddress("http://there", "a")))
    watched = Watched(bench, *[RUNNING, OUT_OF_TIME] * 4, RUNNING, OUT_OF_TIME)
    watched.services.servers["llama"].budget = TimeBudget("cluster", Duration(18000, "5h"), 3600)
    watched.until("failed: ")
    assert watched.executor.submitted == 5
    assert watched.executor.time_left == [None, 14400, 10800, 7200, 3600]
    told = watched.services.failure_diagnostic("llama").message
    assert told.startswith("deployment llama ran for 5h in all, the `total_time` of executor cluster: raise")


def test_no_time_left(bench: Bench) -> None:
    """A server that was stopped when its jobs had no time left does not start again when it is needed."""
    watched = Watched(bench, RUNNING)
    watched.services.stop_all()
    watched.services.servers["llama"].budget = budget = TimeBudget("cluster", Duration(3600, "1h"), 3600)
    budget.count(3600, None)
    watched.services.start_missing(("llama",), "local", 0)
    assert watched.executor.submitted == 1
    assert "deployment llama: failed: ran for 1h in all" in watched.said[-1]


def test_out_of_time_while_it_starts(bench: Bench) -> None:
    """A server whose time is over before it answered uses up its starts: more of the same would not help."""
    watched = Watched(bench, OUT_OF_TIME)
    watched.services.servers["llama"].budget = TimeBudget("cluster", Duration(36000, "10h"), 3600)
    watched.until("failed: ")
    assert watched.executor.submitted == 3


def test_queued(bench: Bench) -> None:
    """Time in a queue does not count against `ready`, and people see what the job waits for."""
    watched = Watched(bench, QUEUED)
    while len(watched.said) < 4:  # a word a second, and it has one second
        watched.services.update()
    assert watched.said == [
        "deployment llama: starting",
        *["deployment llama: still in the queue: Resources: waits for resources"] * 3,
    ]


def test_out_of_reach_when_it_is_stopped(bench: Bench) -> None:
    """A server that is unreachable when it is stopped keeps its journal entry and its folder."""
    watched = Watched(bench, QUEUED)
    [entry] = watched.journal.entries()
    folder = watched.job_builder.job_folder(entry.id)
    folder.mkdir(parents=True, exist_ok=True)
    watched.executor.away = True
    watched.services.stop_all()
    assert [one.id for one in watched.journal.entries()] == [entry.id]
    assert folder.is_dir()
