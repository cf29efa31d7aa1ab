"""What Lepton says of a job or an endpoint, in evalmake's words: what became of it, and what to change."""

from __future__ import annotations

from collections.abc import Iterable

from evalmake.executors.lepton.api import Seen
from evalmake.executors.lepton.job_script import NO_EVALMAKE
from evalmake.plugin_api.executor import JobState, Phase

_WAITING = {
    "Queueing": "waits for room in its node group",
    "Awaiting": "waits to begin",
    "Starting": "its container is on its way",
    "PendingRetry": "is to be started again",
    "Restarting": "is started again",
    "UNK": "Lepton does not say how it stands",
}
_GOING = ("Running", "Stopping", "Terminating")
_NOT_SERVED = ("Error", "Stopped", "Stopping", "Deleting")
_LOST = {
    "Preempted": "another job took its place",
    "NodeLost": "its node was lost",
    "NodeNotReady": "its node was lost",
    "Evicted": "its node had no room for it",
}
"""No fault of the job's: it is run again at no cost to its retries."""
_FAILED = {
    "OOMKilled": (137, "it ran out of memory: name a larger `shape`"),
    "ImagePullBackOff": (1, "its image cannot be pulled: see its name, and `pull_secrets`"),
    "ErrImagePull": (1, "its image cannot be pulled: see its name, and `pull_secrets`"),
    "FailedMount": (1, "a volume cannot be mounted: see `work` and `mounts`"),
    "DeadlineExceeded": (143, "it reached a time limit of Lepton's"),
}


def facts(seen: Seen) -> dict[str, str]:
    """What a record says of where it ran."""
    kind = "lepton-job" if seen.job else "lepton-endpoint"
    found = {kind: seen.id, "shape": seen.shape, "node-group": seen.group}
    found["replicas"] = "" if seen.job else str(seen.replicas)
    return {key: value for key, value in found.items() if value}


def job_state(seen: Seen) -> JobState | None:
    """The state of a job, None where it is over."""
    if seen.state in _WAITING:
        return JobState(Phase.QUEUED, None, f"{seen.state}: {_WAITING[seen.state]}", facts(seen))
    return JobState(Phase.RUNNING, None, "", facts(seen)) if seen.state in _GOING else None


def serves(seen: Seen) -> bool:
    """Whether an endpoint is there, or on its way."""
    return seen.state not in _NOT_SERVED


def exited(status: int) -> str:
    """An exit status in words."""
    if status == NO_EVALMAKE:
        return "its image has no evalmake, which runs the gateways to its models: see `python`"
    if status == 137:
        return "exit status 137 (SIGKILL, most often memory)"
    return f"exit status {status}" if status else ""


def unfinished(seen: Seen | None, events: Iterable[tuple[str, str]]) -> JobState:
    """Why a job is over that did not come to its end; `status` is None where it was lost."""
    if seen is None:
        return JobState(Phase.ENDED, None, "it is gone from Lepton")
    for reason, message in reversed(list(events)):
        said = f" ({message})" if message else ""
        if reason in _LOST:
            return JobState(Phase.ENDED, None, f"{reason}: {_LOST[reason]}{said}")
        if reason in _FAILED:
            status, why = _FAILED[reason]
            return JobState(Phase.ENDED, status, f"{reason}: {why}{said}")
    if seen.state in ("Stopped", "Deleted", "Deleting"):
        return JobState(Phase.ENDED, 143, f"{seen.state}: somebody ended it in Lepton")
    why = f"{seen.state}: its container ended, and its folder does not say how"
    return JobState(Phase.ENDED, None, why)
