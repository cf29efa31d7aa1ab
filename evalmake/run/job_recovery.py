"""Taking over what a build that was killed left behind: the jobs that its journal names."""

from __future__ import annotations

import shutil
import time
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Protocol

from evalmake.plugin_api.executor import Executor, Phase
from evalmake.run.events import Emit, JobRecovered
from evalmake.run.gateways.routing import GatewayRouting
from evalmake.run.job_builder import JobBuilder
from evalmake.run.secrets import Secrets
from evalmake.run.task import Task
from evalmake.servers.pool import ServerPool
from evalmake.store.journal import Journal, JournalEntry
from evalmake.store.store import Store


class Build(Protocol):
    """What taking over needs of the build."""

    job_builder: JobBuilder
    unasked: Container[str]
    journal: Journal
    executors: Mapping[str, Executor]
    secrets: Secrets
    services: ServerPool
    ways: GatewayRouting
    store: Store
    waiting: list[Task]
    running: dict[str, Task]
    emit: Emit


def adopt(build: Build) -> None:
    """Go on with every job that is wanted, running or ended; end and forget what is out of date.

    Jobs of cells that were not asked for this time stay as they are, with their servers, which are
    shared for as long as this build lasts and then left to them.
    """
    build.journal.sweep()
    entries = sorted(build.journal.entries(), key=lambda entry: entry.kind == "evaluate")
    others = [e for e in entries if e.name in build.unasked and not _recorded(build, e)]
    for entry in entries:
        if entry in others:
            _leave(build, entry)
            continue
        executor = build.executors.get(entry.executor)
        phase = executor.poll(entry.id).phase if executor else Phase.UNKNOWN
        is_server = entry.kind != "evaluate"
        take = _take_server if is_server else _take_job
        if phase is not Phase.UNKNOWN and take(build, entry, phase):
            if is_server and others:
                build.services.lend(entry.name)
            if entry.kind != "gateway":
                build.emit(JobRecovered(entry.name, phase.value))
        elif not (is_server and others):
            _drop(build, entry, executor or build.executors["local"])
        else:
            _leave(build, entry)


def _leave(build: Build, entry: JournalEntry) -> None:
    """A job that is left alone keeps its GPUs, for as long as there are others."""
    build.services.gpus.claim(entry.id, entry.executor, entry.gpus)
    build.services.gpus.lend(entry.id)


def _take_server(build: Build, entry: JournalEntry, phase: Phase) -> bool:
    if entry.kind == "gateway" and not _has_its_secrets(build, entry):
        return False
    known = (Phase.QUEUED, Phase.RUNNING, Phase.UNREACHABLE)
    return phase in known and build.services.adopt(entry)


def _has_its_secrets(build: Build, entry: JournalEntry) -> bool:
    """Whether a gateway that runs has the key that one begun now would have.

    Keys are in its environment and nowhere else, so they are compared there.
    """
    service = build.services.all.get(entry.name)
    if service is None:
        return False
    wanted = build.secrets.resolve(service.what.job(entry.id).secrets)
    try:
        pid = int((build.job_builder.job_folder(entry.id) / "pid").read_text())
        has = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return False
    return all(f"{name}={value}".encode() in has for name, value in wanted.items())


def _take_job(build: Build, entry: JournalEntry, phase: Phase) -> bool:
    """Whether a waiting task wants the job: a recorded one was killed before it left the journal."""
    task = next((t for t in build.waiting if t.node.action.digest == entry.action), None)
    if task is None or _recorded(build, entry):
        return False
    servers = build.services.ids(task.needs)
    if not build.ways.may_take(task.node, entry.id, servers):
        return False
    task.id, task.started, task.executor = entry.id, entry.started, entry.executor
    task.queued = time.time() - entry.started  # how long it waited nobody knows: it is timed from now
    task.servers = servers
    task.tokens = build.ways.tokens(task.node, entry.id, servers)
    build.services.gpus.claim(task.id, entry.executor, entry.gpus)
    build.waiting.remove(task)
    build.running[task.id] = task
    return True


def _recorded(build: Build, entry: JournalEntry) -> bool:
    """Whether a job's end is on record: a kill came before it left the journal."""
    return any(a.job == entry.id for a in build.store.attempts(entry.action))


def _drop(build: Build, entry: JournalEntry, executor: Executor) -> None:
    """A job that nobody wants any more, or that never began.

    Its folder is found from this workspace: the journal may be that of a copied one. What is out of
    reach stays in the journal, for another time.
    """
    try:
        executor.cancel(entry.id)
    except OSError:
        return
    shutil.rmtree(build.job_builder.job_folder(entry.id), ignore_errors=True)
    build.journal.remove(entry.id)
