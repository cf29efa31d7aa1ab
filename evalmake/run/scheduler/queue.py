"""The queue: which waiting tasks start now, by slots, GPUs, pauses and the state of their servers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from evalmake.language.diagnostic import EvalmakeError, make_diagnostic
from evalmake.plugin_api.executor import Job
from evalmake.project.catalog import suggest_wheels
from evalmake.run.concurrency import run_concurrently
from evalmake.run.descriptors import is_exhausted
from evalmake.run.events import AttemptEnded, AttemptStarted
from evalmake.run.scheduler.build import Build
from evalmake.run.scheduler.retry import submit_pause
from evalmake.run.task import Task
from evalmake.servers.addresses import ServerAddresses
from evalmake.servers.spec import ServerSpec
from evalmake.store.journal import JournalEntry

_ROOM_PAUSE = 0.5  # seconds


class Queue:
    """Starts the waiting tasks of a build."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._failed_servers: set[str] = set()

    def start_ready_tasks(self) -> None:
        """Start what can start now.

        Where nothing goes on and nothing is about to, a task needs more servers at once than there are
        slots or GPUs. Then servers start beyond the slots, and give way to each other.
        """
        self._build.servers.update()  # first, so that no job starts beside a server that is gone
        self._start_what_fits(crowd=False)
        if self._is_stalled():
            self._start_what_fits(crowd=True)

    def _is_stalled(self) -> bool:
        build, now = self._build, time.monotonic()
        paused = any(task.not_before > now for task in build.waiting)
        return not (build.running or build.servers.is_pending() or paused)

    def _start_what_fits(self, crowd: bool) -> None:
        build, ready = self._build, list[tuple[Task, Job]]()
        busy = Counter(task.executor for task in build.running.values())
        for task in list(build.waiting):
            if build.stops_early:
                build.drop_waiting()
                break
            if build.max_jobs is not None and len(build.running) + len(ready) >= build.max_jobs:
                break
            if task.not_before > time.monotonic() or busy[task.executor] >= build.routing.slots(task.executor):
                continue
            if (failed := build.servers.failed_server(task.server_names)) is not None:
                self._fail_for_server(task, failed.spec)
                continue
            addresses = self._serve(task, crowd)
            if addresses is not None and (job := self._prepare_job(task, addresses)) is not None:
                busy[task.executor] += 1
                ready.append((task, job))
        self._submit(ready)

    def _serve(self, task: Task, crowd: bool) -> ServerAddresses | None:
        """Start the servers that a task lacks; their addresses once all are ready and its own GPUs are free."""
        servers = self._build.servers
        servers.start_missing(task.server_names, task.executor, task.gpus, crowd)
        if not servers.gpus.are_free({task.executor: task.gpus}):
            return None
        return servers.addresses(task.server_names)

    def _fail_for_server(self, task: Task, server: ServerSpec) -> None:
        """Fail a task whose server has failed; the server's error is reported once for all."""
        result = self._build.result
        if server.name not in self._failed_servers:
            self._failed_servers.add(server.name)
            result.problems.append(self._build.servers.failure_diagnostic(server.name))
        self._build.waiting.remove(task)
        result.failed.append(task.node.name)
        self._build.release_servers(task)
        reason = f"{server.title} failed"
        self._build.emit(AttemptEnded(task.node.name, "failed", (), "", 0.0, reason, retrying=False))

    def _prepare_job(self, task: Task, addresses: ServerAddresses) -> Job | None:
        """Build a task's job and put it into the journal; None where that fails."""
        build, node = self._build, task.node
        head = build.store.history(node.action.digest)
        number = (head.attempts if head else 0) + 1
        task.begin_attempt(number, build.servers.job_ids(task.server_names), addresses)
        gpus = build.servers.gpus.take(task.job_id, task.executor, task.gpus)
        build.waiting.remove(task)
        folder = str(build.job_builder.job_folder(task.job_id))
        try:
            job = build.routing.build_job(task, addresses)
            entry = JournalEntry(
                task.job_id,
                node.name,
                "evaluate",
                node.action.digest,
                task.executor,
                folder,
                task.submitted_at,
                gpus,
                build.id,
                task.stored_samples,
            )
            build.journal.write(entry)
        except (EvalmakeError, OSError) as error:
            self._handle_submit_error(task, error)
            return None
        return replace(job, gpu_ids=gpus, time_left=task.budget.left)

    def _submit(self, jobs: Sequence[tuple[Task, Job]]) -> None:
        """Submit jobs, all at once: an executor may take seconds for each."""
        build = self._build

        def submit(task: Task, job: Job) -> EvalmakeError | OSError | None:
            task.start_clocks()
            try:
                build.executors[task.executor].submit(job, build.secrets.resolve(job.secrets))
            except (EvalmakeError, OSError) as error:
                return error
            return None

        build.running |= {task.job_id: task for task, _ in jobs}
        for (task, _), error in zip(jobs, run_concurrently(submit, *zip(*jobs, strict=True)), strict=True):
            if error is not None:
                del build.running[task.job_id]
                self._handle_submit_error(task, error)
            else:
                task.submit_tries = 0
                build.emit(AttemptStarted(task.node.name, task.executor, task.attempt))

    def _handle_submit_error(self, task: Task, error: EvalmakeError | OSError) -> None:
        if isinstance(error, EvalmakeError):
            self._build.fail_without_attempt(task, *error.diagnostics)
        elif isinstance(error, ConnectionError):
            self._postpone(task, str(error))
        elif is_exhausted(error) and self._build.running:
            self._wait_for_room(task)
        else:
            self.refuse(task, str(error))

    def _postpone(self, task: Task, reason: str) -> None:
        """Try again after a pause to submit a job whose executor is unreachable."""
        build = self._build
        build.health.mark_unreachable(task.executor, reason)
        if task.submit_tries >= build.health.max_submit_tries(task.executor):
            self.refuse(task, reason)
            return
        build.discard_job(task)
        task.not_before = time.monotonic() + submit_pause(task.submit_tries)
        task.submit_tries += 1
        build.waiting.insert(0, task)

    def _wait_for_room(self, task: Task) -> None:
        """Try again in a moment to start a job for which this machine had no room: others will end."""
        self._build.discard_job(task)
        task.not_before = time.monotonic() + _ROOM_PAUSE
        self._build.waiting.insert(0, task)

    def refuse(self, task: Task, reason: str) -> None:
        """Fail a task whose job could not be started."""
        message = f"{task.node.name} could not be started: {reason}"
        help = self._advise(task, reason)
        self._build.fail_without_attempt(
            task,
            make_diagnostic("job-failed", message, task.node.evaluation.span, help=help, subject=task.node.name),
        )

    def _advise(self, task: Task, reason: str) -> list[str]:
        """What to do where Docker does not run: start it, or take the wheels of the same benchmarks."""
        plugin = self._build.job_builder.project.executors[task.executor].plugin
        image = task.node.evaluation.benchmark.fields.spans.get(("image",))
        if plugin != "docker" or "cannot reach the engine" not in reason:
            return []
        wheels = suggest_wheels(image.value.source.name) if image else []
        return ["start Docker there, or name its engine: `host` of the executor, or DOCKER_HOST", *wheels]
