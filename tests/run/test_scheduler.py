"""The scheduler with an executor that must be polled, is remote, and loses jobs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from evalmake.executors.process import ProcessExecutor
from evalmake.planning import make_plan
from evalmake.run.build_result import BuildResult
from evalmake.run.events import AttemptEnded, AttemptStarted, Event
from evalmake.run.gateways.host_gateways import HostGateways
from evalmake.run.job_builder import JobBuilder
from evalmake.run.scheduler.scheduler import Scheduler
from evalmake.run.secrets import Secrets
from evalmake.servers.spec import GATEWAYS
from evalmake.testing import FakeExecutor
from evalmake.workspace import Workspace
from tests.support.workspaces import SCORE, TRIED, Bench


@pytest.fixture
def schedule(bench: Bench) -> Callable[..., BuildResult]:
    """Run all cells of a small Evalfile on a fake executor; `watch` is given it and each event."""
    bench.evalfile(TRIED)
    bench.edit("1..8", "1..3")

    def run(job: str, watch: Callable[[FakeExecutor, Event], None]) -> BuildResult:
        bench.job(job)
        workspace = Workspace.open(bench.root / "Evalfile")
        job_builder = JobBuilder(workspace.project, workspace.plugins, workspace.root)
        executor = FakeExecutor("local", None, workspace.root / "work")
        with workspace.store() as store:
            plan = make_plan(workspace, workspace.graph(()), store)

            def emit(event: Event) -> None:
                watch(executor, event)

            here = ProcessExecutor(GATEWAYS, None, workspace.root / "work")
            executors = {"local": executor, GATEWAYS: here}
            gateways = HostGateways(job_builder, None, plan.graph.sources)
            scheduler = Scheduler(job_builder, executors, store, emit, Secrets({}), 1, True, {}, gateways)
            return scheduler.run(plan.stale)

    return run


def job_ids(root: Path) -> list[str]:
    """The evaluations' jobs in the journal."""
    found = [json.loads(path.read_text()) for path in (root / ".evalmake/journal").glob("*.json")]
    return [entry["id"] for entry in found if entry["kind"] == "evaluate"]


def test_polled(bench: Bench, schedule: Callable[..., BuildResult]) -> None:
    """Jobs of an executor without descriptors are noticed and recorded when they end."""
    report = schedule(SCORE, lambda executor, event: None)
    assert sorted(report.succeeded) == ["tried/1", "tried/2", "tried/3"]
    assert bench.scores() == {name: [0.5] for name in report.succeeded}
    assert bench.journal() == []


def test_forgotten_job_runs_again(bench: Bench, schedule: Callable[..., BuildResult]) -> None:
    """A job that its executor has lost runs again, and uses up no retry."""
    lost: list[str] = []

    def lose_first(executor: FakeExecutor, event: Event) -> None:
        if isinstance(event, AttemptStarted) and not lost:
            lost.extend(job_ids(bench.root))
            executor.forget(lost[0])

    report = schedule(SCORE, lose_first)
    assert report.failed == []
    assert sorted(report.succeeded) == ["tried/1", "tried/2", "tried/3"]
    statuses = [a.status for a in bench.attempts() if a.name == "tried/1"]
    assert statuses == ["cancelled", "succeeded"]


def test_job_that_is_always_lost(bench: Bench, schedule: Callable[..., BuildResult]) -> None:
    """A job that is lost again and again fails in the end; the others succeed."""
    ended: list[str] = []

    def lose(executor: FakeExecutor, event: Event) -> None:
        if isinstance(event, AttemptStarted) and event.name == "tried/1":
            executor.forget(job_ids(bench.root)[0])
        if isinstance(event, AttemptEnded) and event.name == "tried/1":
            ended.append(event.status)

    report = schedule(SCORE, lose)
    assert ended == ["cancelled", "cancelled", "cancelled", "failed"]
    assert (report.failed, sorted(report.succeeded)) == (["tried/1"], ["tried/2", "tried/3"])


class Meeting(FakeExecutor):
    """An executor whose `cancel` waits until three are under way."""

    together: ClassVar[threading.Barrier]

    def cancel(self, id: str) -> None:
        """Kill a job, together with the others."""
        self.together.wait(60)
        super().cancel(id)


def test_overdue_jobs_end_together(bench: Bench) -> None:
    """Jobs that overrun at the same time are ended concurrently."""
    bench.evalfile(TRIED)
    bench.edit("1..8", "1..3")
    bench.job("sleep 1000\n")
    workspace = Workspace.open(bench.root / "Evalfile")
    job_builder = JobBuilder(workspace.project, workspace.plugins, workspace.root)
    Meeting.together = threading.Barrier(3)
    executors = {
        "local": Meeting("local", None, workspace.root / "work"),
        GATEWAYS: ProcessExecutor(GATEWAYS, None, workspace.root / "work"),
    }
    with workspace.store() as store:
        plan = make_plan(workspace, workspace.graph(()), store)

        def emit(event: Event) -> None:
            if isinstance(event, AttemptStarted) and len(scheduler.build.running) == 3:
                for task in scheduler.build.running.values():
                    task.start_clocks(0.0)

        gateways = HostGateways(job_builder, None, plan.graph.sources)
        scheduler = Scheduler(job_builder, executors, store, emit, Secrets({}), None, True, {}, gateways)
        report = scheduler.run(plan.stale)
    assert sorted(report.failed) == ["tried/1", "tried/2", "tried/3"]
    assert all("timed out after" in problem.message for problem in report.problems)


def test_a_server_is_given_its_resources(bench: Bench) -> None:
    """The job of a server asks for what its deployment declares."""
    bench.evalfile(
        "deployment big { engine = mock, resources = { cpus = 3, memory = 2GiB, gpus = 1 } }\n",
        TRIED,
    )
    bench.job("")
    workspace = Workspace.open(bench.root / "Evalfile")
    job_builder = JobBuilder(workspace.project, workspace.plugins, workspace.root)
    (server,) = job_builder.server_specs("big", "a digest")
    job = server.build_job("id")
    assert (job.cpus, job.memory, job.gpus) == (3, 2 * 2**30, 1)
