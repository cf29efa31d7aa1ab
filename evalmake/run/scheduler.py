"""One loop: start what is ready while there are slots, wait until something ends, put it on record.

Nothing polls on the critical path: the loop sleeps on descriptors that executors offer and on a
pipe that signals write to. Every job is in the journal before it is submitted and leaves it after
its result is in the store, so a kill between any two lines loses nothing and doubles nothing.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalmake.lang.diagnostic import Diagnostic, EvalmakeError, problem
from evalmake.planner.action import ActionResult
from evalmake.planner.graph import Node
from evalmake.planner.ports import Executor, JobState, Outcome, Phase
from evalmake.run.events import Adopted, Emit, Ended, Interrupted, Progressed, Started
from evalmake.run.jobs import Workshop
from evalmake.run.secrets import Secrets
from evalmake.run.services import Services
from evalmake.store.journal import Entry, Journal
from evalmake.store.store import Store

_RETRY_WAIT = 1.0
_LOST_SERVER_RETRIES = 3


@dataclass(slots=True)
class Task:
    """A node on its way."""

    node: Node
    tries: int = 0
    excused: int = 0
    not_before: float = 0.0
    id: str = ""
    started: float = 0.0
    shown: tuple[int, int, int] = (0, 0, 0)
    timed_out: bool = False


@dataclass(slots=True)
class Report:
    """How a build went."""

    succeeded: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)
    interrupted: bool = False


class Scheduler:
    """Runs nodes to their end."""

    def __init__(
        self, workshop: Workshop, executors: Mapping[str, Executor], store: Store, emit: Emit, secrets: Secrets,
        jobs: int | None, keep_going: bool,
    ) -> None:  # fmt: skip
        self.workshop = workshop
        self.executors = executors
        self.store = store
        self.emit = emit
        self.secrets = secrets
        self.jobs = jobs
        self.keep_going = keep_going
        self.journal = Journal(workshop.root / "journal")
        self.services = Services(workshop, executors, self.journal, secrets, emit)
        self.waiting: list[Task] = []
        self.running: dict[str, Task] = {}
        self.report = Report()
        self._signals = 0

    def run(self, nodes: list[Node]) -> Report:
        """Run `nodes`; jobs that an interrupted build left behind are taken over first."""
        self.waiting = [Task(node) for node in nodes]
        for task in self.waiting:
            for name in task.node.services:
                self.services.need(name, self._service_action(name), task.node.name)
        with _Signals(self) as wake:
            try:
                self._adopt()
                while self.waiting or self.running:
                    self._start_ready()
                    self._wait(wake)
                    self._collect()
                    if self._signals and not self.report.interrupted:
                        self._interrupt()
            finally:
                self._leave()
        return self.report

    # Starting -----------------------------------------------------------------------------------

    def _start_ready(self) -> None:
        if self.report.failed and not self.keep_going:
            self._give_up_waiting()
        now = time.time()
        for task in list(self.waiting):
            if self.jobs is not None and len(self.running) >= self.jobs:
                return
            if task.not_before > now or not self._slot(task.node):
                continue
            if task.node.services:
                if (lost := self.services.failed(task.node.services)) is not None:
                    self._without_service(task, lost.name)
                    continue
                urls = self.services.urls(task.node.services)
                if urls is None:
                    continue
            else:
                urls = {}
            self._submit(task, urls)

    def _slot(self, node: Node) -> bool:
        name = node.evaluation.variant.block.executor
        slots = self.workshop.project.executors[name].block.slots or os.cpu_count() or 1
        busy = sum(t.node.evaluation.variant.block.executor == name for t in self.running.values())
        return bool(busy < slots)

    def _submit(self, task: Task, urls: Mapping[str, str]) -> None:
        node = task.node
        head = self.store.head(node.action.digest)
        attempt = (head.attempts if head else 0) + 1
        task.id = f"{node.action.digest[7:19]}.{attempt}"
        task.started, task.timed_out = time.time(), False
        self.waiting.remove(task)
        executor = node.evaluation.variant.block.executor
        try:
            job = self.workshop.evaluation(node, task.id, urls, self._resume(node))
            entry = Entry(
                job.id,
                node.name,
                "evaluate",
                node.action.digest,
                executor,
                str(job.workdir),
                task.started,
            )
            self.journal.write(entry)
            self.running[task.id] = task
            self.executors[executor].submit(job, self.secrets.resolve(job.secrets))
        except EvalmakeError as error:
            self.report.problems.extend(error.diagnostics)
            self._never_ran(task)
        except OSError as error:
            self.report.problems.append(
                problem("job-failed", f"{node.name} could not be started: {error}", node.evaluation.span)
            )  # fmt: skip
            self._never_ran(task)
        else:
            self.emit(Started(node.name, executor, attempt))

    def _never_ran(self, task: Task) -> None:
        self.running.pop(task.id, None)
        self.journal.remove(task.id)
        self.report.failed.append(task.node.name)
        self._release(task)

    def _resume(self, node: Node) -> bytes | None:
        """The samples of the last attempt that did not succeed, for a harness that can go on."""
        last = None
        for attempt in self.store.attempts(node.action.digest):
            last = attempt
        if last is None or last.status == "succeeded":
            return None
        found = [o.sha256 for o in last.outputs if o.name == "samples.jsonl"]
        return self.store.blob(found[0]) if found else None

    def _without_service(self, task: Task, name: str) -> None:
        self.waiting.remove(task)
        self.report.failed.append(task.node.name)
        if not any(
            p.code == "service-failed" and f" {name} " in p.message for p in self.report.problems
        ):
            self.report.problems.append(self.services.failure(name))
        self.emit(Ended(task.node.name, "failed", (), "", 0.0, f"deployment {name} failed", False))

    def _give_up_waiting(self) -> None:
        for task in self.waiting:
            self._release(task)
        self.waiting.clear()

    # Waiting ------------------------------------------------------------------------------------

    def _wait(self, wake: int) -> None:
        if not self.running and not self.waiting:
            return
        pending = self.services.tick()
        handles = [wake]
        polling = False
        for name in {t.node.evaluation.variant.block.executor for t in self.running.values()}:
            offered = self.executors[name].waitables()
            handles += offered
            polling = polling or not offered
        limit = 0.02 if pending else 0.25
        if self.waiting and not self.running and not pending:
            limit = 0.05
        if any(self.executors[t.node.evaluation.variant.block.executor].poll(t.id).phase is Phase.ENDED
               for t in self.running.values() if polling):  # fmt: skip
            return
        poller = select.poll()
        for handle in handles:
            poller.register(handle, select.POLLIN)
        for handle, _ in poller.poll(limit * 1000):
            if handle == wake:
                os.read(wake, 64)

    def _collect(self) -> None:
        now = time.time()
        for task in list(self.running.values()):
            block = task.node.evaluation.variant.block
            state = self.executors[block.executor].poll(task.id)
            if state.phase in (Phase.ENDED, Phase.UNKNOWN):
                self._ended(task, state)
            elif now - task.started > block.timeout.seconds:
                task.timed_out = True
                self.executors[block.executor].cancel(task.id)
                self._ended(task, JobState(Phase.ENDED, 143, f"timed out after {block.timeout}"))
            else:
                self._progress(task)

    def _progress(self, task: Task) -> None:
        try:
            data = json.loads((self.workshop.folder(task.id) / "progress.json").read_text())
            shown = (int(data["done"]), int(data["total"]), int(data["errors"]))
        except (OSError, ValueError, KeyError, TypeError):
            return
        if shown != task.shown:
            task.shown = shown
            self.emit(Progressed(task.node.name, *shown))

    # Ending -------------------------------------------------------------------------------------

    def _ended(self, task: Task, state: JobState) -> None:
        node = task.node
        executor = self.executors[node.evaluation.variant.block.executor]
        folder = self.workshop.folder(task.id)
        executor.fetch(task.id, folder)
        outcome = self._judge(task, state, folder)
        status = (
            "succeeded"
            if not outcome.error
            else ("cancelled" if self._stopping(task, state) else "failed")
        )
        self._record(task, status, outcome, folder)
        del self.running[task.id]
        retrying = status == "failed" and self._may_retry(task, state)
        head = self.store.head(node.action.digest)
        seconds = head.seconds if head and status == "succeeded" else time.time() - task.started
        self.emit(
            Ended(
                node.name, status, outcome.scores, outcome.metric, seconds, outcome.error, retrying
            )
        )
        if retrying:
            task.not_before = time.time() + _RETRY_WAIT * 2 ** max(task.tries - 1, 0)
            self.waiting.insert(0, task)
            return
        if status == "succeeded":
            self.report.succeeded.append(node.name)
        elif status == "failed":
            self.report.failed.append(node.name)
            self.report.problems.append(self._failure(task, outcome))
        self._release(task)

    def _judge(self, task: Task, state: JobState, folder: Path) -> Outcome:
        cell = task.node.evaluation
        if task.timed_out or state.phase is Phase.UNKNOWN:
            return Outcome(error=state.detail or "the job is gone and left no result")
        harness = self.workshop.plugins.get("harnesses", cell.benchmark.block.harness)()
        outcome: Outcome = harness.outcome(cell, folder / "out", state.status or 0)
        if outcome.error and state.status and state.detail and state.status > 128:
            return Outcome(error=state.detail)
        return outcome

    def _stopping(self, task: Task, state: JobState) -> bool:
        return self.report.interrupted or self._signals > 0 or state.phase is Phase.UNKNOWN

    def _record(self, task: Task, status: str, outcome: Outcome, folder: Path) -> None:
        node = task.node
        now = time.time()
        files: dict[str, Path | bytes] = {
            name: self.secrets.hide(path.read_bytes()) for name, path in _outputs(folder)
        }
        identity = {name: part.digest for name, part in node.action.parts}
        result = ActionResult(
            node.action.digest, node.name, 0, status, identity, (), outcome.scores if status == "succeeded" else (),
            outcome.metric, outcome.usage, _utc(task.started), _utc(now), round(now - task.started, 3),
            node.evaluation.variant.block.executor, task.id, self.secrets.hide_text(outcome.error),
        )  # fmt: skip
        self.store.commit(node.action, result, files)
        shutil.rmtree(folder, ignore_errors=True)
        self.journal.remove(task.id)

    def _may_retry(self, task: Task, state: JobState) -> bool:
        if self._signals or self.report.interrupted:
            return False
        if any(not self.services.alive(name) for name in task.node.services):
            task.excused += 1
            return task.excused <= _LOST_SERVER_RETRIES
        task.tries += 1
        return task.tries <= task.node.evaluation.variant.block.retries

    def _failure(self, task: Task, outcome: Outcome) -> Diagnostic:
        node = task.node
        tries = f" after {task.tries} tries" if task.tries > 1 else ""
        return problem(
            "evaluation-failed", f"{node.name} failed{tries}: {self.secrets.hide_text(outcome.error)}",
            node.evaluation.span, help=[f"its log: evalmake logs {node.name}"],
        )  # fmt: skip

    def _release(self, task: Task) -> None:
        for name in task.node.services:
            self.services.release(name, task.node.name)

    # Coming back, and leaving -------------------------------------------------------------------

    def _adopt(self) -> None:
        """Take over what an interrupted build left: running, finished, or never started."""
        tasks = {task.node.action.digest: task for task in self.waiting}
        for entry in list(self.journal.entries()):
            executor = self.executors.get(entry.executor)
            if entry.kind == "serve":
                running = executor and executor.poll(entry.id).phase is Phase.RUNNING
                if running and self.services.adopt(entry):
                    self.emit(Adopted(entry.name, "running"))
                else:
                    self._drop(entry, executor)
                continue
            task = tasks.get(entry.action)
            if task is None or executor is None or task.id:
                self._drop(entry, executor)
                continue
            self._take_over(task, entry, executor.poll(entry.id))

    def _take_over(self, task: Task, entry: Entry, state: JobState) -> None:
        if state.phase is Phase.UNKNOWN and not self.workshop.folder(entry.id).exists():
            self.journal.remove(entry.id)  # it was never submitted
            return
        task.id, task.started = entry.id, entry.started
        self.waiting.remove(task)
        self.running[task.id] = task
        self.emit(Adopted(entry.name, state.phase.value))
        if state.phase is Phase.UNKNOWN:
            self._requeue_lost(task)

    def _requeue_lost(self, task: Task) -> None:
        """A job that is gone: its samples go on record as a cancelled attempt, and it starts anew."""
        self._record(
            task, "cancelled", Outcome(error="evalmake was killed"), self.workshop.folder(task.id)
        )
        del self.running[task.id]
        task.id = ""
        self.waiting.append(task)

    def _drop(self, entry: Entry, executor: Executor | None) -> None:
        """A job that nobody wants any more."""
        if executor is not None:
            executor.cancel(entry.id)
        shutil.rmtree(entry.workdir, ignore_errors=True)
        self.journal.remove(entry.id)

    def _interrupt(self) -> None:
        """Ctrl-C: stop starting, end what runs, record it as cancelled."""
        self.report.interrupted = True
        self.emit(Interrupted(len(self.running), False))
        self._give_up_waiting()
        tasks = list(self.running.values())
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(self._cancel, tasks))
        for task in tasks:
            self._ended(task, JobState(Phase.ENDED, 143, "interrupted"))

    def _cancel(self, task: Task) -> None:
        self.executors[task.node.evaluation.variant.block.executor].cancel(task.id)

    def _leave(self) -> None:
        self.services.stop_all()

    def _service_action(self, name: str) -> str:
        return self._actions[name]

    _actions: Mapping[str, str] = {}

    def know_services(self, actions: Mapping[str, str]) -> None:
        """The digests of the deployments' actions."""
        self._actions = dict(actions)


class _Signals:
    """Turns SIGINT, SIGTERM and SIGHUP into a byte on a pipe; a second one ends evalmake at once."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.before: dict[int, Any] = {}

    def __enter__(self) -> int:
        self.read, self.write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            try:
                self.before[number] = signal.signal(number, self._caught)
            except ValueError:  # not in the main thread: the caller's handlers stay
                break
        return self.read

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        os.close(self.read)
        os.close(self.write)

    def _caught(self, number: int, frame: object) -> None:
        self.scheduler._signals += 1
        if self.scheduler._signals > 1:
            for id in [t.id for t in self.scheduler.running.values()]:
                folder = self.scheduler.workshop.folder(id)
                try:
                    os.killpg(int((folder / "pid").read_text()), signal.SIGKILL)
                except (OSError, ValueError):
                    continue
            os._exit(130)
        os.write(self.write, b"!")


def _outputs(folder: Path) -> list[tuple[str, Path]]:
    """What a job left: its log, and every file below `out/` by relative name."""
    found = [("log", folder / "log")] if (folder / "log").exists() else []
    out = folder / "out"
    for path in sorted(out.rglob("*")) if out.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            found.append((str(path.relative_to(out)), path))
    return found


def _utc(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
