"""Recovery: this build takes over the jobs that a killed build left behind, as its journal names them."""

from __future__ import annotations

from evalmake.plugin_api.executor import Executor, Phase
from evalmake.run.events import JobRecovered
from evalmake.run.gateways.host_gateways import has_secrets
from evalmake.run.scheduler.build import Build
from evalmake.store.journal import JournalEntry


def recover_jobs(build: Build) -> None:
    """Go on with every job that this build wants; end the others and remove them from the journal.

    Jobs of evaluations that were not selected this time stay as they are, and so do their servers:
    this build shares those, and leaves them to the jobs when it ends.
    """
    build.journal.remove_partial_entries()
    entries = sorted(build.journal.entries(), key=lambda entry: entry.kind == "evaluate")  # servers first
    left_alone = [e for e in entries if e.name in build.unselected and not _is_recorded(build, e)]
    for entry in entries:
        if entry in left_alone:
            _leave_alone(build, entry)
        elif entry.kind == "evaluate":
            _recover_evaluation(build, entry)
        else:
            _recover_server(build, entry, shared=bool(left_alone))


def _recover_evaluation(build: Build, entry: JournalEntry) -> None:
    phase = _poll(build, entry)
    if phase is not Phase.UNKNOWN and _take_over_job(build, entry):
        build.emit(JobRecovered(entry.name, phase.value))
    else:
        _end_job(build, entry)


def _recover_server(build: Build, entry: JournalEntry, shared: bool) -> None:
    """Take over a server or end it; one that is `shared` with jobs that are left alone goes on."""
    phase = _poll(build, entry)
    if phase is not Phase.UNKNOWN and _take_over_server(build, entry, phase):
        if shared:
            build.servers.lend(entry.name)
        if entry.kind != "gateway":
            build.emit(JobRecovered(entry.name, phase.value))
    elif shared:
        _leave_alone(build, entry)
    else:
        _end_job(build, entry)


def _poll(build: Build, entry: JournalEntry) -> Phase:
    executor = build.executors.get(entry.executor)
    return executor.poll(entry.id).phase if executor else Phase.UNKNOWN


def _leave_alone(build: Build, entry: JournalEntry) -> None:
    """Let a job go on. It keeps its GPUs as long as others are free."""
    build.servers.gpus.claim(entry.id, entry.executor, entry.gpus)
    build.servers.gpus.lend(entry.id)


def _take_over_server(build: Build, entry: JournalEntry, phase: Phase) -> bool:
    if entry.kind == "gateway" and not _has_current_secrets(build, entry):
        return False
    return phase in (Phase.QUEUED, Phase.RUNNING, Phase.UNREACHABLE) and build.servers.recover(entry)


def _has_current_secrets(build: Build, entry: JournalEntry) -> bool:
    """Whether a running gateway has the keys that a new one would get."""
    server = build.servers.servers.get(entry.name)
    if server is None:
        return False
    wanted = build.secrets.resolve(server.spec.build_job(entry.id).secrets)
    return has_secrets(build.job_builder.job_folder(entry.id), wanted)


def _take_over_job(build: Build, entry: JournalEntry) -> bool:
    """Give a job to the waiting task that matches it; False if there is none."""
    task = next((t for t in build.waiting if t.node.action.digest == entry.action), None)
    if task is None or _is_recorded(build, entry) or entry.replies != task.stored_samples:
        return False
    server_jobs = build.servers.job_ids(task.server_names)
    if not build.routing.can_recover(task.node, entry.id, server_jobs):
        return False
    task.job_id, task.executor, task.started_by = entry.id, entry.executor, entry.build
    task.start_clocks(entry.started)
    task.queued_seconds = task.elapsed_seconds  # how long it queued is unknown: its timeout counts from now
    task.server_jobs = server_jobs
    task.tokens = build.routing.session_tokens(task.node, entry.id, server_jobs)
    build.servers.gpus.claim(task.job_id, entry.executor, entry.gpus)
    build.waiting.remove(task)
    build.running[task.job_id] = task
    return True


def _is_recorded(build: Build, entry: JournalEntry) -> bool:
    """Whether a job's result is in the store: the kill came between that and its leaving the journal."""
    return any(attempt.job == entry.id for attempt in build.store.attempts(entry.action))


def _end_job(build: Build, entry: JournalEntry) -> None:
    """End a job that this build does not need, or that never started.

    Its folder is looked for in this workspace, not where the journal says: the journal may have been
    copied with its workspace. A job that is unreachable stays in the journal for the next build.
    """
    executor: Executor = build.executors.get(entry.executor) or build.executors["local"]
    try:
        executor.cancel(entry.id)
    except OSError:
        return
    build.job_builder.remove_job_folder(entry.id)
    build.journal.remove(entry.id)
