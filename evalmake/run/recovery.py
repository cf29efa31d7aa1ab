"""Taking over what a build that was killed left behind: the jobs that its journal names."""

from __future__ import annotations

import shutil
from collections.abc import Container, Mapping
from typing import Protocol

from evalmake.planner.ports import Executor, Phase
from evalmake.run.events import Adopted, Emit
from evalmake.run.gateways import Gateways
from evalmake.run.jobs import Workshop
from evalmake.run.services import Services
from evalmake.run.task import Task
from evalmake.store.journal import Entry, Journal
from evalmake.store.store import Store


class Build(Protocol):
    """What taking over needs of the build."""

    workshop: Workshop
    unasked: Container[str]
    journal: Journal
    executors: Mapping[str, Executor]
    services: Services
    gateways: Gateways
    store: Store
    waiting: list[Task]
    running: dict[str, Task]
    emit: Emit


def adopt(build: Build) -> None:
    """Go on with every job that is wanted, running or ended; end and forget what is out of date.

    Jobs of cells that were not asked for this time stay as they are, with their servers.
    """
    build.journal.sweep()
    entries = list(build.journal.entries())
    others = [e for e in entries if e.name in build.unasked and not _recorded(build, e)]
    servers = [
        e for e in entries if e.kind != "evaluate" and others and e.name not in build.services.all
    ]
    for entry in entries:
        if entry in others or entry in servers:
            continue
        executor = build.executors.get(entry.executor)
        phase = executor.poll(entry.id).phase if executor else Phase.UNKNOWN
        take = _take_job if entry.kind == "evaluate" else _take_server
        if phase is not Phase.UNKNOWN and take(build, entry, phase):
            if entry.kind != "gateway":
                build.emit(Adopted(entry.name, phase.value))
        else:
            _drop(build, entry, executor or build.executors["local"])
    for task in build.running.values():
        task.servers = task.beside = build.services.ids(task.needs)
        task.tokens = build.gateways.tokens(task.node, task.servers)


def _take_server(build: Build, entry: Entry, phase: Phase) -> bool:
    return phase is Phase.RUNNING and build.services.adopt(entry)


def _take_job(build: Build, entry: Entry, phase: Phase) -> bool:
    """Whether a waiting task wants the job: a recorded one was killed before it left the journal."""
    task = next((t for t in build.waiting if t.node.action.digest == entry.action), None)
    if task is None or _recorded(build, entry):
        return False
    task.id, task.started, task.executor = entry.id, entry.started, entry.executor
    build.waiting.remove(task)
    build.running[task.id] = task
    return True


def _recorded(build: Build, entry: Entry) -> bool:
    """Whether a job's end is on record: a kill came before it left the journal."""
    return any(a.job == entry.id for a in build.store.attempts(entry.action))


def _drop(build: Build, entry: Entry, executor: Executor) -> None:
    """A job that nobody wants any more, or that never began.

    Its folder is found from this workspace: the journal may be that of a copied one.
    """
    executor.cancel(entry.id)
    shutil.rmtree(build.workshop.folder(entry.id), ignore_errors=True)
    build.journal.remove(entry.id)
