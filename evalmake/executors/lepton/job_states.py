"""Translates Lepton's states of jobs and endpoints: what became of one, and what the user can change."""

from __future__ import annotations

from collections.abc import Iterable

from evalmake.executors.exit_status import describe_exit_status
from evalmake.executors.lepton.api import Resource
from evalmake.executors.lepton.job_script import NO_EVALMAKE
from evalmake.plugin_api.executor import JobState, Phase

_WAITING = {
    "Queueing": "waits for room in its node group",
    "Awaiting": "waits to start",
    "Starting": "its container is starting",
    "PendingRetry": "will be started again",
    "Restarting": "is being started again",
    "UNK": "Lepton does not know its state",
}
_RUNNING = ("Running", "Stopping", "Terminating")
_NOT_SERVED = ("Error", "Stopped", "Stopping", "Deleting")
_LOST = {
    "Preempted": "another job took its place",
    "NodeLost": "its node was lost",
    "NodeNotReady": "its node was lost",
    "Evicted": "its node had no room for it",
}
"""Not the job's fault: it runs again, which does not count as a retry."""
_FAILED = {
    "OOMKilled": (137, "it ran out of memory: name a larger `shape`"),
    "ImagePullBackOff": (1, "its image cannot be pulled: check its name and `pull_secrets`"),
    "ErrImagePull": (1, "its image cannot be pulled: check its name and `pull_secrets`"),
    "FailedMount": (1, "a volume cannot be mounted: check `work` and `mounts`"),
    "DeadlineExceeded": (143, "it reached a time limit of Lepton's"),
}


def facts_of(seen: Resource) -> dict[str, str]:
    """Return what the record says of where a job or endpoint ran."""
    kind = "lepton-job" if seen.job else "lepton-endpoint"
    found = {kind: seen.id, "shape": seen.shape, "node-group": seen.group}
    found["replicas"] = "" if seen.job else str(seen.replicas)
    return {key: value for key, value in found.items() if value}


def job_state(seen: Resource) -> JobState | None:
    """Return the state of a job; None if it is over."""
    if seen.state in _WAITING:
        return JobState(Phase.QUEUED, None, f"{seen.state}: {_WAITING[seen.state]}", facts_of(seen))
    return JobState(Phase.RUNNING, None, "", facts_of(seen)) if seen.state in _RUNNING else None


def is_serving(seen: Resource) -> bool:
    """Return whether an endpoint serves, or is starting."""
    return seen.state not in _NOT_SERVED


def describe_exit(status: int) -> str:
    """Return an exit status in words."""
    if status == NO_EVALMAKE:
        return "its image has no evalmake, which runs the gateways to its models: set `python`"
    return describe_exit_status(status)


def explain_unfinished(seen: Resource | None, events: Iterable[tuple[str, str]]) -> JobState:
    """Return why a job is over that wrote no exit status; `status` is None if it was lost."""
    if seen is None:
        return JobState(Phase.ENDED, None, "it is gone from Lepton")
    for reason, message in reversed(list(events)):
        note = f" ({message})" if message else ""
        if reason in _LOST:
            return JobState(Phase.ENDED, None, f"{reason}: {_LOST[reason]}{note}")
        if reason in _FAILED:
            status, why = _FAILED[reason]
            return JobState(Phase.ENDED, status, f"{reason}: {why}{note}")
    if seen.state in ("Stopped", "Deleted", "Deleting"):
        return JobState(Phase.ENDED, 143, f"{seen.state}: somebody stopped it in Lepton")
    why = f"{seen.state}: its container ended, and its folder does not say how"
    return JobState(Phase.ENDED, None, why)
