"""Executors that are unreachable for a while: what evalmake waits for, and what it gives up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from evalmake.executors.process import ProcessExecutor
from evalmake.planning import make_plan
from evalmake.plugin_api.executor import Job, JobState, Phase
from evalmake.run.build_result import BuildResult
from evalmake.run.events import Event, ExecutorReachable, ExecutorUnreachable
from evalmake.run.gateways.host_gateways import HostGateways
from evalmake.run.job_builder import JobBuilder
from evalmake.run.scheduler.scheduler import Scheduler
from evalmake.run.secrets import Secrets
from evalmake.servers.spec import GATEWAYS
from evalmake.terminal.progress import describe_event
from evalmake.testing import FakeExecutor
from evalmake.workspace import Workspace
from tests.support.workspaces import SCORE, TRIED, Bench

WHY = "executor local: cannot reach it"
UNREACHABLE = JobState(Phase.UNREACHABLE, None, WHY)
Run = Callable[..., tuple[BuildResult, list[str]]]


class Away(FakeExecutor):
    """An executor that does not answer the first calls of each kind, as many as given."""

    def __init__(self, root: Path, **silent: int) -> None:
        super().__init__("local", None, root)
        self.silent = silent

    def away(self, kind: str) -> bool:
        """Whether this call of a kind gets no answer."""
        self.silent[kind] = self.silent.get(kind, 0) - 1
        return self.silent[kind] >= 0

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Submit a job, or raise."""
        if self.away("submit"):
            raise ConnectionError(WHY)
        super().submit(job, secrets)

    def poll(self, id: str) -> JobState:
        """Return the state, or say that the job is unreachable."""
        if self.silent.get("refuse", 0):
            return JobState(Phase.REFUSED, None, "there is no such image")
        return UNREACHABLE if self.away("poll") else super().poll(id)

    def cancel(self, id: str) -> None:
        """End a job, or raise."""
        if self.away("cancel"):
            raise ConnectionError(WHY)
        super().cancel(id)

    def fetch(self, id: str, into: Path) -> None:
        """Copy the outputs, or raise."""
        if self.away("broken"):
            raise OSError("the disk is full")
        if self.away("fetch"):
            raise ConnectionError(WHY)
        super().fetch(id, into)


@pytest.fixture
def run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run two cells on an executor that is silent so often; the result, and the messages."""
    monkeypatch.setattr("evalmake.run.scheduler.retry._FIRST_PAUSE", 0.01)
    bench.evalfile(TRIED)
    bench.edit("1..8", "1..2")

    def go(job: str = SCORE, **silent: int) -> tuple[BuildResult, list[str]]:
        bench.job(job)
        workspace = Workspace.open(bench.root / "Evalfile")
        job_builder = JobBuilder(workspace.project, workspace.plugins, workspace.root)
        executors = {
            "local": Away(workspace.root / "work", **silent),
            GATEWAYS: ProcessExecutor(GATEWAYS, None, workspace.root / "work"),
        }
        said: list[str] = []

        def emit(event: Event) -> None:
            if isinstance(event, ExecutorUnreachable | ExecutorReachable):
                said.append(describe_event(event, False))

        with workspace.store() as store:
            plan = make_plan(workspace, workspace.graph(()), store)
            gateways = HostGateways(job_builder, None, plan.graph.sources)
            scheduler = Scheduler(job_builder, executors, store, emit, Secrets({}), 1, True, {}, gateways)
            return scheduler.run(plan.stale), said

    return go


def test_jobs_that_cannot_be_seen(bench: Bench, run: Run) -> None:
    """Unreachable jobs are not over: each runs once, and the silence and its end are reported once."""
    report, said = run(poll=5)
    assert report.failed == []
    assert said == [f"{WHY}; waiting for it", "executor local: answers again"]
    assert [a.attempt for a in bench.attempts()] == [1, 1]


def test_outputs_that_cannot_be_had_yet(bench: Bench, run: Run) -> None:
    """A job that is over is judged only after its outputs were fetched; that it waits for them is reported once."""
    report, said = run(fetch=3)
    assert (report.failed, len(report.succeeded)) == ([], 2)
    assert said == [f"{WHY}; waiting for it", "executor local: answers again"]
    assert bench.scores() == {"tried/1": [0.5], "tried/2": [0.5]}
    assert bench.journal() == []


def test_outputs_that_cannot_be_had_at_all(bench: Bench, run: Run) -> None:
    """Where outputs cannot be fetched at all, the job counts as lost and runs again."""
    report, _ = run(broken=1)
    assert report.failed == []
    assert sorted((a.status, a.detail) for a in bench.attempts()) == [
        ("cancelled", "its outputs cannot be fetched: the disk is full"),
        ("succeeded", ""),
        ("succeeded", ""),
    ]


def test_jobs_that_cannot_be_started_yet(bench: Bench, run: Run) -> None:
    """An executor that answers in the end runs its jobs; one that never answers is given up."""
    report, said = run(submit=3)
    assert report.failed == []
    assert said[0] == f"{WHY}; waiting for it"
    report, _ = run("true # otherwise\n" + SCORE, submit=1000)
    assert sorted(report.failed) == ["tried/1", "tried/2"]
    assert sorted(p.message for p in report.problems) == [f"tried/{at} could not be started: {WHY}" for at in (1, 2)]
    assert bench.journal() == []


def test_jobs_that_are_refused_late(bench: Bench, run: Run) -> None:
    """A job that is refused after `submit` is reported like one that is refused at once."""
    report, _ = run(refuse=1)
    assert report.failed == ["tried/1", "tried/2"]
    assert {p.code for p in report.problems} == {"job-failed"}
    assert report.problems[0].message == "tried/1 could not be started: there is no such image"
    assert bench.attempts() == []


def test_jobs_that_cannot_be_ended(bench: Bench, run: Run) -> None:
    """A job that overruns while unreachable is recorded, and the next build ends it."""
    bench.edit("seed      in 1..2", "timeout   = 100ms")
    report, _ = run("sleep 1000\n", cancel=1000, fetch=1000)
    assert report.failed == ["tried"]
    assert [(a.status, a.detail) for a in bench.attempts()] == [("failed", "timed out after 100ms")]
    assert len(bench.journal_entries()) == 1
    bench.edit("timeout   = 100ms", "")
    report, _ = run(SCORE)
    assert report.failed == []
    assert bench.journal() == []
