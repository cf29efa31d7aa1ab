"""Taking over what a build that was killed left behind: the jobs that its journal names."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from evalmake.planner.ports import Executor, Phase
from evalmake.run.events import Adopted
from evalmake.store.journal import Entry

if TYPE_CHECKING:
    from evalmake.run.scheduler import Scheduler


def adopt(scheduler: Scheduler) -> None:
    """Go on with every job that is still wanted, running or ended; end and forget the others."""
    scheduler.journal.sweep()
    for entry in list(scheduler.journal.entries()):
        executor = scheduler.executors.get(entry.executor)
        phase = executor.poll(entry.id).phase if executor else Phase.UNKNOWN
        take = _take_server if entry.kind == "serve" else _take_job
        if phase is not Phase.UNKNOWN and take(scheduler, entry, phase):
            scheduler.emit(Adopted(entry.name, phase.value))
        else:
            _drop(scheduler, entry, executor or scheduler.executors["local"])
    for task in scheduler.running.values():
        task.servers = scheduler.services.ids(task.node.services)


def _take_server(scheduler: Scheduler, entry: Entry, phase: Phase) -> bool:
    return phase is Phase.RUNNING and scheduler.services.adopt(entry)


def _take_job(scheduler: Scheduler, entry: Entry, phase: Phase) -> bool:
    """Whether a waiting task wants the job: a recorded one was killed before it left the journal."""
    task = next((t for t in scheduler.waiting if t.node.action.digest == entry.action), None)
    if task is None or any(a.job == entry.id for a in scheduler.store.attempts(entry.action)):
        return False
    task.id, task.started, task.executor = entry.id, entry.started, entry.executor
    scheduler.waiting.remove(task)
    scheduler.running[task.id] = task
    return True


def _drop(scheduler: Scheduler, entry: Entry, executor: Executor) -> None:
    """A job that nobody wants any more, or that never began."""
    executor.cancel(entry.id)
    shutil.rmtree(entry.workdir, ignore_errors=True)
    scheduler.journal.remove(entry.id)
