"""One loop: start what is ready while there are slots, wait until something ends, put it on record.

Nothing polls on the critical path: the loop sleeps on descriptors that executors offer and on a
pipe that signals write to. Every job is in the journal before it is submitted and leaves it after
its result is in the store, so a kill between any two lines loses nothing and doubles nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

from evalmake.language.diagnostic import Diagnostic, EvalmakeError, make_diagnostic
from evalmake.planner.graph import Node
from evalmake.plugin_api.executor import Executor, Job, JobState, Phase
from evalmake.plugin_api.harness import Outcome
from evalmake.run.build_result import BuildResult
from evalmake.run.concurrency import run_concurrently
from evalmake.run.events import AttemptEnded, AttemptProgressed, AttemptStarted, BuildInterrupted, Emit
from evalmake.run.executor_health import ExecutorHealth
from evalmake.run.gateways.host_gateways import At, HostGateways, read_usage
from evalmake.run.gateways.routing import GatewayRouting
from evalmake.run.job_builder import JobBuilder
from evalmake.run.job_outcome import judged, outputs
from evalmake.run.job_recovery import adopt
from evalmake.run.machine_time import counted
from evalmake.run.secrets import Secrets
from evalmake.run.signals import Signals, kill_groups
from evalmake.run.task import Task, progress_in
from evalmake.servers.pool import ServerPool
from evalmake.servers.spec import ServerSpec
from evalmake.store.journal import Journal, JournalEntry
from evalmake.store.store import Store

_CUT_OFF = "its gateway died while it ran"
_RETRY_WAIT = 1.0
_EXCUSED = 3


class Scheduler:
    """Runs nodes to their end."""

    def __init__(
        self,
        job_builder: JobBuilder,
        executors: Mapping[str, Executor],
        store: Store,
        emit: Emit,
        secrets: Secrets,
        jobs: int | None,
        keep_going: bool,
        servers: Mapping[str, str],
        gateways: HostGateways,
        unasked: Container[str] = (),
        detach: bool = False,
    ) -> None:
        """`servers`: the digests of the deployments' actions; `unasked`: cells left for another time.

        With `detach`, jobs that are out are left to themselves.
        """
        self.detach = detach
        self.job_builder = job_builder
        self.executors = executors
        self.store, self.emit, self.secrets = store, emit, secrets
        self.jobs, self.keep_going = jobs, keep_going
        self.servers = servers
        self.ways = GatewayRouting(job_builder, gateways, executors)
        self.unasked = unasked
        self.journal = Journal(job_builder.root / "journal")
        self.services = ServerPool(job_builder, executors, self.journal, secrets, emit)
        self.waiting: list[Task] = []
        self.running: dict[str, Task] = {}
        self.reach = ExecutorHealth(emit)
        self.report = BuildResult()
        self.unsubmitted = False
        self.signals = Signals(self._end_at_once)

    def run(self, nodes: list[Node]) -> BuildResult:
        """Run `nodes`; jobs that an interrupted build left behind are taken over first."""
        self.ways.cells = len(nodes)
        self.waiting = [Task(node, node.executor, self.ways.servers(node)) for node in nodes]
        deployments = {name for node in nodes for name in node.services}
        served = {name: self.job_builder.server_specs(name, self.servers[name]) for name in deployments}
        for task in self.waiting:
            servers = [one for name in task.node.services for one in served[name]]
            for what in (*servers, *task.gateways):
                self.services.need(what, task.node.name)
        with self.signals:
            try:
                adopt(self)
                while self.waiting or self.running:
                    self._start_ready()
                    self._wait()
                    self._collect()
                    if self.signals.count and not self.report.interrupted:
                        self._interrupt()
                    elif self.detach and not self.waiting and not self.unsubmitted:
                        self.report.detached = len(self.running)
                        break
            except BaseException:
                self._cancel(self.running.values())  # the next build finds them in the journal
                raise
            finally:
                self.services.stop_all()
                for executor in self.executors.values():
                    executor.close()
        return self.report

    # Starting -----------------------------------------------------------------------------------

    def _start_ready(self) -> None:
        self.services.tick()  # nothing begins beside a server whose end was seen
        self._start_what_fits(crowd=False)
        if self._stalled():
            self._start_what_fits(crowd=True)

    def _stalled(self) -> bool:
        """Whether nothing goes on, as when a task needs more servers at once than there are slots."""
        now = time.time()
        return not (self.running or self.services.pending() or any(task.not_before > now for task in self.waiting))

    def _start_what_fits(self, crowd: bool) -> None:
        now, ready = time.time(), list[tuple[Task, Job]]()
        busy = Counter(task.executor for task in self.running.values())
        for task in list(self.waiting):
            if self._failed_for_good():
                self._give_up_waiting()
                break
            if self.jobs is not None and len(self.running) + len(ready) >= self.jobs:
                break
            if task.not_before > now or busy[task.executor] >= self.ways.slots(task.executor):
                continue
            if (lost := self.services.failed(task.needs)) is not None:
                self._without_service(task, lost.what)
                continue
            at = self.services.urls(task.needs, crowd, task.executor, task.gpus)
            if at is not None and (job := self._job(task, at)) is not None:
                busy[task.executor] += 1
                ready.append((task, job))
        self._submit(ready)

    def _failed_for_good(self) -> bool:
        return bool(self.report.failed) and not self.keep_going

    def _job(self, task: Task, at: At) -> Job | None:
        """The job of a task beside these servers, journaled; None where it cannot be."""
        node, digest = task.node, task.node.action.digest
        head = self.store.history(digest)
        task.attempt = (head.attempts if head else 0) + 1
        task.id = f"{digest[7:19]}.{task.attempt}"
        task.started, task.queued = time.time(), 0.0
        task.ended_for, task.last_error, task.silent_since = "", "", 0.0
        task.servers, task.beside = self.services.ids(task.needs), at
        gpus = self.services.gpus.take(task.id, task.executor, task.gpus)
        self.waiting.remove(task)
        folder = str(self.job_builder.job_folder(task.id))
        try:
            job = self.ways.job(task, at)
            self.journal.write(
                JournalEntry(task.id, node.name, "evaluate", digest, task.executor, folder, task.started, gpus)
            )
        except (EvalmakeError, OSError) as error:
            self._not_begun(task, error)
            return None
        return replace(job, gpu_ids=gpus)

    def _submit(self, jobs: Sequence[tuple[Task, Job]]) -> None:
        """Begin jobs, all at once: an executor may take its time with each."""

        def begin(task: Task, job: Job) -> EvalmakeError | OSError | None:
            task.started = time.time()
            try:
                self.executors[task.executor].submit(job, self.secrets.resolve(job.secrets))
            except (EvalmakeError, OSError) as error:
                return error
            return None

        self.running |= {task.id: task for task, _ in jobs}
        for (task, _), error in zip(jobs, run_concurrently(begin, *zip(*jobs, strict=True)), strict=True):
            if error is not None:
                del self.running[task.id]
                self._not_begun(task, error)
            else:
                task.put_off = 0
                self.emit(AttemptStarted(task.node.name, task.executor, task.attempt))

    def _not_begun(self, task: Task, error: EvalmakeError | OSError) -> None:
        if isinstance(error, EvalmakeError):
            self._never_ran(task, *error.diagnostics)
        elif isinstance(error, ConnectionError):
            self._put_off(task, str(error))
        else:
            self._refused(task, str(error))

    def _put_off(self, task: Task, why: str) -> None:
        """Try again in a while to start a task, where its executor is out of reach."""
        self.reach.note(task.executor, why)
        if task.put_off >= self.reach.patience(task.executor):
            self._refused(task, why)
            return
        self._withdraw(task)
        task.not_before = time.time() + _RETRY_WAIT * 2**task.put_off
        task.put_off += 1
        self.waiting.insert(0, task)

    def _refused(self, task: Task, why: str) -> None:
        message = f"{task.node.name} could not be started: {why}"
        self._never_ran(task, make_diagnostic("job-failed", message, task.node.evaluation.span))

    def _withdraw(self, task: Task) -> None:
        self.ways.close(task)
        shutil.rmtree(self.job_builder.job_folder(task.id), ignore_errors=True)
        self.journal.remove(task.id)
        self.services.gpus.give(task.id)

    def _never_ran(self, task: Task, *problems: Diagnostic) -> None:
        self._withdraw(task)
        self.report.failed.append(task.node.name)
        self.report.problems.extend(problems)
        self._release(task)

    def _without_service(self, task: Task, lost: ServerSpec) -> None:
        told = [p.message for p in self.report.problems if p.code == "service-failed"]
        if not any(message.startswith(f"{lost.title} ") for message in told):
            self.report.problems.append(self.services.failure(lost.name))
        self.waiting.remove(task)
        self.report.failed.append(task.node.name)
        self._release(task)
        self.emit(AttemptEnded(task.node.name, "failed", (), "", 0.0, f"{lost.title} failed", False))

    def _give_up_waiting(self) -> None:
        for task in self.waiting:
            self._release(task)
        self.waiting.clear()

    # Waiting ------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Sleep until a job ends or a signal comes; look up often only while a server starts."""
        names = {task.executor for task in self.running.values()}
        handles = [handle for name in names for handle in self.executors[name].waitables()]
        pause = 0.02 if self.services.pending() else 0.25 if self.running else 0.05
        self.signals.wait(handles, pause)

    def _collect(self) -> None:
        now, doomed, over, self.unsubmitted = time.time(), [], list[tuple[Task, JobState]](), False
        for task in list(self.running.values()):
            state = self.executors[task.executor].poll(task.id)
            self.reach.note(task.executor, state.detail if state.phase is Phase.UNREACHABLE else "")
            if state.phase is Phase.REFUSED:
                del self.running[task.id]
                self._refused(task, state.detail)
                continue
            if state.is_over:
                over.append((task, state))
                continue
            self.unsubmitted |= state.unsubmitted
            if state.phase is Phase.QUEUED:
                task.queued = now - task.started
                self.reach.waits(task.executor, state.detail)
            if now - task.started - task.queued > task.timeout.seconds:
                task.ended_for = f"timed out after {task.timeout}"
            elif (lost := self.services.failed(task.needs)) is not None:
                task.ended_for = f"{lost.what.title} failed"
            elif state.phase is not Phase.QUEUED:
                self._look_at(task)
            if task.ended_for:
                doomed.append(task)
        self.reach.tell()
        self._all_ended(over)
        self._cancel(doomed)
        told = [JobState(Phase.ENDED, 143, task.ended_for) for task in doomed]
        self._all_ended(list(zip(doomed, told, strict=True)), doomed=True)

    def _look_at(self, task: Task) -> None:
        """How far a job is, by itself or by what it asked; whether its gateway says to end it."""
        folder = self.job_builder.job_folder(task.id)
        if self.services.ids(tuple(task.ways)) != task.ways or not all(task.ways.values()):
            task.ended_for = _CUT_OFF
            return
        if (at := self.services.at(task.needs)) and at != task.beside:
            task.beside = at
            self.ways.move(task, at)
        sums = read_usage(folder)
        task.ended_for = self.secrets.redact_text(str(sums.get("fatal") or ""))
        if (progress := progress_in(folder, sums)) != task.progress:
            task.progress = progress
            self.emit(AttemptProgressed(task.node.name, *progress))

    # Ending -------------------------------------------------------------------------------------

    def _all_ended(self, over: Sequence[tuple[Task, JobState]], doomed: bool = False) -> None:
        """Bring the outputs of jobs that are over, all at once; then see to each."""

        def bring(task: Task) -> OSError | None:
            try:
                self.executors[task.executor].fetch(task.id, self.job_builder.job_folder(task.id))
            except OSError as error:
                return error
            return None

        errors = run_concurrently(bring, [task for task, _ in over])
        for (task, state), error in zip(over, errors, strict=True):
            self._ended(task, state, error, doomed)

    def _ended(self, task: Task, state: JobState, error: OSError | None, doomed: bool) -> None:
        """Judge a job that is over, put it on record, and try again where that may help.

        Outputs that are out of reach are waited for, unless the job was `doomed` by evalmake: then
        it stays in the journal, and the next build sees to it that it is gone.
        """
        name = task.node.name
        gone = not isinstance(error, ConnectionError)
        if not (gone or doomed or task.unheard()):
            return
        if gone and error is not None:
            state = replace(state, status=None, detail=f"its outputs cannot be had: {error}")
        told = self.ways.close(task)
        cut_off = not (told and self.services.alive(task.ways))
        outcome = judged(self.job_builder, self.secrets, task, state)
        self.report.warn_of_cache(task.cache_trouble)
        if cut_off:  # whatever it says: it may have scored what it was not answered
            outcome = replace(outcome, error=_CUT_OFF)
        lost = state.status is None or cut_off
        retrying = bool(outcome.error) and self._may_retry(task, lost)
        stopped = self.signals.count > 0 or (lost and retrying)
        status = "succeeded" if not outcome.error else "cancelled" if stopped else "failed"
        self._record(task, status, outcome, state.facts)
        if gone:
            self.journal.remove(task.id)
        del self.running[task.id]
        spent, scores = time.time() - task.started, outcome.scores
        self.emit(AttemptEnded(name, status, scores, outcome.metric, spent, outcome.error, retrying))
        if retrying:
            self._again(task)
            return
        if status == "succeeded":
            self.report.succeeded.append(name)
        elif status == "failed":
            self.report.failed.append(name)
            self.report.problems.append(task.failure(outcome))
        self._release(task)

    def _record(self, task: Task, status: str, outcome: Outcome, facts: Mapping[str, str]) -> None:
        folder = self.job_builder.job_folder(task.id)
        files = {self.secrets.redact_text(name): path for name, path in outputs(folder)}
        outcome = counted(outcome, task, facts, self.services)
        facts = {**facts, **self.services.facts(task.node.services)}
        self.store.commit(task.node.action, task.result(status, outcome, facts), files)
        shutil.rmtree(folder, ignore_errors=True)
        self.services.gpus.give(task.id)

    def _may_retry(self, task: Task, lost: bool) -> bool:
        """Whether to try again: within `retries`, or where its server or it itself was killed."""
        if self.signals.count or self._failed_for_good():
            return False
        if lost or not self.services.alive(task.servers):
            task.excused += 1
            return task.excused <= _EXCUSED
        task.tries += 1
        return task.tries <= int(task.node.evaluation.variant.block.retries)

    def _again(self, task: Task) -> None:
        task.not_before = time.time() + (_RETRY_WAIT * 2**task.tries / 2 if task.tries else 0.0)
        task.executor = task.node.executor
        self.waiting.insert(0, task)

    def _release(self, task: Task) -> None:
        for name in task.needs:
            self.services.release(name, task.node.name)

    # Leaving ------------------------------------------------------------------------------------

    def _interrupt(self) -> None:
        """Ctrl-C: stop starting, end what runs, record it as cancelled."""
        self.report.interrupted = True
        self.emit(BuildInterrupted(len(self.running), False))
        self._give_up_waiting()
        self._cancel(self.running.values())
        cut = JobState(Phase.ENDED, 143, "interrupted")
        states = [(t, self.executors[t.executor].poll(t.id)) for t in self.running.values()]
        self._all_ended([(t, s if s.status == 0 else cut) for t, s in states], doomed=True)

    def _cancel(self, tasks: Iterable[Task]) -> None:
        """End jobs, all at once: each may take its executor's grace.

        One that is out of reach is found by the journal, in the next build.
        """

        def end(task: Task) -> None:
            with contextlib.suppress(OSError):
                self.executors[task.executor].cancel(task.id)

        run_concurrently(end, tasks)

    def _end_at_once(self) -> None:
        """Ctrl-C again: kill every group and go; the next build cleans up by the journal."""
        servers = self.services.ids(tuple(self.services.groups)).values()
        kill_groups(self.job_builder.job_folder(id) / "pid" for id in (*self.running, *servers))
        os._exit(130)
