"""The watch over running jobs: their ends, time limits, lost servers and progress."""

from __future__ import annotations

from evalmake.plugin_api.executor import JobState, Phase
from evalmake.run.events import AttemptProgressed
from evalmake.run.gateways.sessions import read_usage
from evalmake.run.job_outputs import OutputsRefused, check_log, mask_log
from evalmake.run.scheduler.build import Build
from evalmake.run.scheduler.job_end import GATEWAY_DIED, JobEnds
from evalmake.run.scheduler.queue import Queue
from evalmake.run.task import Task, read_progress

_SERVER_PAUSE = 0.02  # seconds: a starting server can only be polled, and small ones are ready at once
_JOB_PAUSE = 0.25  # seconds: ends of jobs wake us by descriptor; this is for progress and time limits
_IDLE_PAUSE = 0.05  # seconds: nothing runs, only the pause before a retry must pass
_TERMINATED = 143  # the exit status of a process that SIGTERM ended


class JobWatch:
    """Waits for the running jobs of a build, and checks them."""

    def __init__(self, build: Build, queue: Queue, job_ends: JobEnds) -> None:
        self._build = build
        self._queue = queue
        self._job_ends = job_ends
        self.holds_jobs = False
        """Whether an executor has not passed a submitted job on yet."""

    def wait(self) -> None:
        """Sleep until a job ends, a signal comes, or it is time to look again."""
        build = self._build
        names = {task.executor for task in build.running.values()}
        handles = [handle for name in names for handle in build.executors[name].waitables()]
        build.signals.wait(handles, self._pause())

    def _pause(self) -> float:
        if self._build.servers.is_pending():
            return _SERVER_PAUSE
        return _JOB_PAUSE if self._build.running else _IDLE_PAUSE

    def check_jobs(self) -> None:
        """Poll every running job; finish those that are over and end those that must not go on."""
        build, over, doomed = self._build, list[tuple[Task, JobState]](), list[Task]()
        self.holds_jobs = False
        for task in list(build.running.values()):
            state = build.executors[task.executor].poll(task.job_id)
            if not task.unreachable_since:  # else it is over, and its outputs tell whether its executor answers
                self._note_health(task, state)
            if state.phase is Phase.REFUSED:
                del build.running[task.job_id]
                self._queue.refuse(task, state.detail)
            elif state.is_over:
                over.append((task, state))
            else:
                self.holds_jobs |= state.unsubmitted
                self._check_running(task, state)
                if task.cancel_reason:
                    doomed.append(task)
        build.health.announce_queues()
        self._job_ends.finish(over)
        self._job_ends.cancel(doomed)
        ended = [(task, JobState(Phase.ENDED, _TERMINATED, task.cancel_reason)) for task in doomed]
        self._job_ends.finish(ended, cancelled=True)

    def _note_health(self, task: Task, state: JobState) -> None:
        if state.phase is Phase.UNREACHABLE and state.detail:
            self._build.health.mark_unreachable(task.executor, state.detail)
        else:
            self._build.health.mark_reachable(task.executor)

    def _check_running(self, task: Task, state: JobState) -> None:
        """Check a running job, and set `cancel_reason` if it must end."""
        elapsed = task.elapsed_seconds
        if state.phase is Phase.QUEUED:
            task.queued_seconds = elapsed
            self._build.health.count_queued(task.executor, state.detail)
        if elapsed - task.queued_seconds > task.timeout.seconds:
            task.cancel_reason = f"timed out after {task.timeout}"
        elif (failed := self._build.servers.failed_server(task.server_names)) is not None:
            task.cancel_reason = f"{failed.spec.title} failed"
        elif state.phase is not Phase.QUEUED:
            self._check_gateways(task)
            self._check_log(task)

    def _check_gateways(self, task: Task) -> None:
        """Check that a job's gateways run and know its servers, and read what they counted."""
        build = self._build
        folder = build.job_builder.job_folder(task.job_id)
        gateway_jobs = task.gateway_jobs
        if build.servers.job_ids(tuple(gateway_jobs)) != gateway_jobs or not all(gateway_jobs.values()):
            task.cancel_reason = GATEWAY_DIED
            return
        if (addresses := build.servers.addresses(task.server_names)) and addresses != task.addresses:
            task.addresses = addresses
            build.routing.update_addresses(task, addresses)
        usage = read_usage(folder)
        task.cancel_reason = build.secrets.redact_text(str(usage.get("fatal") or ""))
        if (progress := read_progress(folder, usage)) != task.progress:
            task.progress = progress
            build.emit(AttemptProgressed(task.node.name, *progress))

    def _check_log(self, task: Task) -> None:
        """Hide secrets in a job's log, and end a job that fills the disk with it."""
        job_builder = self._build.job_builder
        folder = job_builder.job_folder(task.job_id)
        task.masked_log = mask_log(folder, self._build.secrets, task.masked_log)
        try:
            check_log(folder, job_builder.project.settings)
        except OutputsRefused as error:
            task.cancel_reason = task.cancel_reason or str(error)
