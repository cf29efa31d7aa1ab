"""Retries: whether a failed attempt is tried again, and after which pause."""

from __future__ import annotations

import time

from evalmake.plugin_api.executor import JobState
from evalmake.run.scheduler.build import Build
from evalmake.run.task import Task

_FIRST_PAUSE = 1.0  # seconds; each next pause is twice as long, as what was wrong may pass
_MAX_BLAMELESS_FAILURES = 3


def submit_pause(tries: int) -> float:
    """Seconds to wait before the next try to submit a job to an executor that does not answer."""
    return _FIRST_PAUSE * float(2**tries)


def claim_retry(build: Build, task: Task, state: JobState, lost: bool) -> bool:
    """Use up one retry of a failed task; False where it has none left, or no time.

    `lost`: its job or gateway vanished. That, or the death of its server, is not the evaluation's fault
    and does not count against its `retries`. Nor does the end of a job whose time was over, if it is resumed.
    """
    if build.signals.count or build.stops_early or task.budget.spent:
        return False
    if task.budget.resumes(state):
        return True
    if lost or not build.servers.are_alive(task.server_jobs):
        task.blameless_failures += 1
        return task.blameless_failures <= _MAX_BLAMELESS_FAILURES
    task.retries_used += 1
    return task.retries_used <= int(task.node.evaluation.variant.block.retries)


def schedule_retry(build: Build, task: Task) -> None:
    """Put a task first in the queue again: at once after a loss, else after a pause."""
    pause = _FIRST_PAUSE * 2 ** (task.retries_used - 1) if task.retries_used else 0.0
    task.not_before = time.monotonic() + pause
    task.executor = task.node.executor  # a recovered job may have run on another
    build.waiting.insert(0, task)
