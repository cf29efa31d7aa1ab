"""What Slurm says of a job, in evalmake's words: what became of it, and what to change.

The states are those of squeue's and sacct's manual pages, section "job state codes".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from evalmake.plugin_api.executor import JobState, Phase

_WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD")
_GOING = (
    "RUNNING",
    "COMPLETING",
    "SUSPENDED",
    "RESIZING",
    "SIGNALING",
    "STAGE_OUT",
    "STOPPED",
    "EXPEDITING",
    "POWER_UP_NODE",
    "UPDATE_DB",
)
_OVER = ("COMPLETED", "FAILED", "LAUNCH_FAILED", "RECONFIG_FAIL")
_LOST = {
    "NODE_FAIL": "its node failed",
    "BOOT_FAIL": "its node did not start",
    "PREEMPTED": "another job took its place",
    "REVOKED": "another cluster of the federation took it",
}
"""No fault of the job's: it is run again at no cost to its retries."""
_FAILED = {
    "TIMEOUT": "it reached its time limit{limit}: what it was answered is kept; raise `time` of its executor, "
    "or `retries`, and it goes on from there",
    "DEADLINE": "it could not end before its deadline: ask for less time, or for another partition",
    "OUT_OF_MEMORY": "it ran out of memory{memory}: raise `resources.memory`",
}
_STATUS = {"TIMEOUT": 143, "DEADLINE": 143, "OUT_OF_MEMORY": 137}
_NODES = ("ReqNodeNotAvail", "Nodes required for job are DOWN")
"""Reasons to wait of which the nodes themselves tell more."""
_NO_NODES: Mapping[str, str] = MappingProxyType({})
_SHOWN = 3  # nodes in a message
_OF_MEMORY = ("memory limit", "oom-kill", "oom_kill")
_REASONS = {
    "Resources": "waits for resources",
    "Priority": "others are before it",
    "Dependency": "waits for another job",
    "BeginTime": "is to begin later",
    "JobArrayTaskLimit": "as many run as `slots` allows",
    "ReqNodeNotAvail": "the nodes that it needs are not available",
    "Nodes required for job are DOWN": "its nodes are down, drained or kept for others",
    "PartitionDown": "its partition is down",
    "PartitionTimeLimit": "asks for more time than its partition gives: lower `time`",
    "PartitionNodeLimit": "asks for more nodes than its partition gives",
    "AssocGrpCPUMinutesLimit": "the account's hours are used up",
    "JobHeldUser": "is held: scontrol release lets it go",
    "JobHeldAdmin": "is held by an administrator",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A job as Slurm shows it: one line of squeue, sacct or scontrol."""

    id: str  # "123" or "123_4"
    state: str
    reason: str = ""
    start: str = ""
    node: str = ""
    limit: str = ""
    memory: str = ""
    exit: str = ""  # "STATUS:SIGNAL"
    by: str = ""  # who cancelled it
    partition: str = ""

    @property
    def word(self) -> str:
        """Its state without more."""
        return self.state.split()[0] if self.state else ""

    @property
    def for_its_nodes(self) -> bool:
        """Whether it waits for nodes that are down, or was lost with one."""
        waits = self.word in _WAITING and _reason(self) in _NODES
        return waits or self.word in ("NODE_FAIL", "BOOT_FAIL")


def state_of(seen: Seen, nodes: Mapping[str, str] = _NO_NODES) -> JobState:
    """The job's state; `status` is None where it was lost through no fault of its own.

    `nodes` are those that are not as they should be, with Slurm's words on each.
    """
    word = seen.word
    facts = {"slurm-job": seen.id} | ({"node": seen.node} if seen.node else {})
    if word in _WAITING:
        return JobState(Phase.QUEUED, None, waiting(seen, nodes), facts)
    if word in _GOING:
        return JobState(Phase.RUNNING, None, "", facts)
    if word in _LOST:
        return JobState(Phase.ENDED, None, f"{word}: {_LOST[word]}{_on(seen, nodes)}", facts)
    if word in _FAILED:
        limit = f" of {seen.limit}" if seen.limit else ""
        memory = f" of {seen.memory}" if seen.memory else ""
        said = _FAILED[word].format(limit=limit, memory=memory)
        return JobState(Phase.ENDED, _STATUS[word], f"{word}: {said}", facts)
    if word == "CANCELLED":
        by = f" by {seen.by}" if seen.by else ""
        return JobState(Phase.ENDED, 143, f"CANCELLED: somebody ended it in Slurm (scancel{by})", facts)
    if word not in _OVER:
        return JobState(Phase.QUEUED, None, f"Slurm says {word or 'nothing of its state'}", facts)
    status = int(seen.exit.split(":")[0] or 0) if seen.exit else 0
    said = f"{word}: the job script ended with status {status}{_on(seen)}, before the job's own command"
    return JobState(Phase.ENDED, status or 1, said, facts)


def refined(state: JobState, said: str) -> JobState:
    """With what the job's keeper wrote down, where the state alone does not tell: as of memory."""
    over = [line for line in said.splitlines() if any(words in line.lower() for words in _OF_MEMORY)]
    if state.phase is not Phase.ENDED or state.detail.startswith("OUT_OF_MEMORY") or not over:
        return state
    detail = f"OUT_OF_MEMORY: {_FAILED['OUT_OF_MEMORY'].format(memory='')}"
    return JobState(Phase.ENDED, _STATUS["OUT_OF_MEMORY"], detail, state.facts)


def waiting(seen: Seen, nodes: Mapping[str, str] = _NO_NODES) -> str:
    """Why a job waits, in Slurm's word and ours, and when it may begin."""
    words = _reason(seen)
    if not words or words == "None":
        told = ""
    elif " " in words:
        told = _REASONS.get(words, seen.reason)
    else:
        meaning = _REASONS.get(words) or ("a limit of its QOS" if words.startswith("QOS") else "")
        meaning = meaning or ("a limit of its account" if words.startswith("Assoc") else "")
        told = f"{words}: {meaning}" if meaning else words
    if seen.for_its_nodes and nodes:
        shown = [f"{name} is {state}" for name, state in list(nodes.items())[:_SHOWN]]
        shown += [f"{len(nodes) - _SHOWN} more are not well"] if len(nodes) > _SHOWN else []
        told += f" ({'; '.join(shown)})"
    begins = seen.start if seen.start not in ("", "N/A", "Unknown") else ""
    if not begins:
        return told
    begins = f"expected to begin at {begins.replace('T', ' ')}"
    return f"{told}; {begins}" if told else begins


def _reason(seen: Seen) -> str:
    return seen.reason.split(",")[0].strip("()")


def _on(seen: Seen, nodes: Mapping[str, str] = _NO_NODES) -> str:
    if not seen.node or seen.node.startswith(("(", "None")):
        return ""
    state = nodes.get(seen.node)
    return f" ({seen.node}, which is {state})" if state else f" ({seen.node})"
