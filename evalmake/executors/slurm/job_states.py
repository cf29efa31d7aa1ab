"""Translates Slurm's states of jobs: what became of a job, and what the user can change.

The states are those of squeue's and sacct's manual pages, section "job state codes".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from evalmake.plugin_api.executor import JobState, Phase

_WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD")
_RUNNING = (
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
_COMPLETED = ("COMPLETED", "FAILED", "LAUNCH_FAILED", "RECONFIG_FAIL")
_LOST = {
    "NODE_FAIL": "its node failed",
    "BOOT_FAIL": "its node did not start",
    "PREEMPTED": "another job took its place",
    "REVOKED": "another cluster of the federation took it",
}
"""Not the job's fault: it runs again, which does not count as a retry."""
_FAILED = {
    "TIMEOUT": "it reached its time limit{limit}: its replies are cached; raise `time` of its executor, "
    "or `retries`, and it continues from there",
    "DEADLINE": "it could not end before its deadline: lower `time`, or use another partition",
    "OUT_OF_MEMORY": "it ran out of memory{memory}: raise `resources.memory`",
}
_STATUS = {"TIMEOUT": 143, "DEADLINE": 143, "OUT_OF_MEMORY": 137}
OUT_OF_MEMORY = JobState(
    Phase.ENDED, _STATUS["OUT_OF_MEMORY"], f"OUT_OF_MEMORY: {_FAILED['OUT_OF_MEMORY'].format(memory='')}"
)
"""The end of a job that needed more memory than it had, where Slurm does not say how much that is."""
_NODE_REASONS = ("ReqNodeNotAvail", "Nodes required for job are DOWN")
"""Reasons to wait that the states of the nodes explain further."""
_NO_NODES: Mapping[str, str] = MappingProxyType({})
_SHOWN = 3  # nodes in a message
_MEMORY_MESSAGES = ("memory limit", "oom-kill", "oom_kill")
_REASONS = {
    "Resources": "waits for resources",
    "Priority": "other jobs have a higher priority",
    "Dependency": "waits for another job",
    "BeginTime": "its begin time is later",
    "JobArrayTaskLimit": "as many jobs run as `slots` allows",
    "ReqNodeNotAvail": "the nodes that it needs are not available",
    "Nodes required for job are DOWN": "its nodes are down, drained or reserved",
    "PartitionDown": "its partition is down",
    "PartitionTimeLimit": "exceeds the time limit of its partition: lower `time`",
    "PartitionNodeLimit": "exceeds the node limit of its partition",
    "AssocGrpCPUMinutesLimit": "the hours of the account are used up",
    "JobHeldUser": "is held: `scontrol release` releases it",
    "JobHeldAdmin": "is held by an administrator",
}


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """A job as Slurm shows it: one line of squeue or sacct."""

    id: str  # "123" or "123_4"
    state: str
    reason: str = ""
    start: str = ""
    node: str = ""
    limit: str = ""
    memory: str = ""
    exit: str = ""  # "STATUS:SIGNAL"
    by: str = ""  # the user who cancelled it
    partition: str = ""

    @property
    def state_word(self) -> str:
        """The first word of its state."""
        return self.state.split()[0] if self.state else ""

    @property
    def is_about_nodes(self) -> bool:
        """Whether it waits for unhealthy nodes, or was lost with one."""
        waits = self.state_word in _WAITING and _reason(self) in _NODE_REASONS
        return waits or self.state_word in ("NODE_FAIL", "BOOT_FAIL")


def state_of(seen: SlurmJob, nodes: Mapping[str, str] = _NO_NODES) -> JobState:
    """Return the state of a job; its `status` is None if the job was lost through no fault of its own.

    `nodes` has the unhealthy nodes, and what Slurm says about each.
    """
    word = seen.state_word
    facts = {"slurm-job": seen.id} | ({"node": seen.node} if seen.node else {})
    if word in _WAITING:
        return JobState(Phase.QUEUED, None, describe_wait(seen, nodes), facts)
    if word in _RUNNING:
        return JobState(Phase.RUNNING, None, "", facts)
    if word in _LOST:
        return JobState(Phase.ENDED, None, f"{word}: {_LOST[word]}{_node_note(seen, nodes)}", facts)
    if word in _FAILED:
        limit = f" of {seen.limit}" if seen.limit else ""
        memory = f" of {seen.memory}" if seen.memory else ""
        why = _FAILED[word].format(limit=limit, memory=memory)
        return JobState(Phase.ENDED, _STATUS[word], f"{word}: {why}", facts, out_of_time=word == "TIMEOUT")
    if word == "CANCELLED":
        by = f" by {seen.by}" if seen.by else ""
        return JobState(Phase.ENDED, 143, f"CANCELLED: somebody cancelled it in Slurm (scancel{by})", facts)
    if word not in _COMPLETED:
        return JobState(Phase.QUEUED, None, f"its state in Slurm is {word or 'not shown'}", facts)
    status = int(seen.exit.split(":")[0] or 0) if seen.exit else 0
    detail = f"{word}: the job script ended with status {status}{_node_note(seen)}, before the job's own command"
    return JobState(Phase.ENDED, status or 1, detail, facts)


def refine_state(state: JobState, output: str) -> JobState:
    """Return the state with a cause that only Slurm's output names: the job ran out of memory."""
    over = [line for line in output.splitlines() if any(words in line.lower() for words in _MEMORY_MESSAGES)]
    if state.phase is not Phase.ENDED or state.detail.startswith("OUT_OF_MEMORY") or not over:
        return state
    return JobState(Phase.ENDED, OUT_OF_MEMORY.status, OUT_OF_MEMORY.detail, state.facts)


def describe_wait(seen: SlurmJob, nodes: Mapping[str, str] = _NO_NODES) -> str:
    """Return why a job waits, in Slurm's word and in ours, and when it may begin."""
    words = _reason(seen)
    if not words or words == "None":
        why = ""
    elif " " in words:
        why = _REASONS.get(words, seen.reason)
    else:
        meaning = _REASONS.get(words) or ("a limit of its QOS" if words.startswith("QOS") else "")
        meaning = meaning or ("a limit of its account" if words.startswith("Assoc") else "")
        why = f"{words}: {meaning}" if meaning else words
    if seen.is_about_nodes and nodes:
        shown = [f"{name} is {state}" for name, state in list(nodes.items())[:_SHOWN]]
        shown += [f"{len(nodes) - _SHOWN} more are unhealthy"] if len(nodes) > _SHOWN else []
        why += f" ({'; '.join(shown)})"
    begins = seen.start if seen.start not in ("", "N/A", "Unknown") else ""
    if not begins:
        return why
    begins = f"expected to begin at {begins.replace('T', ' ')}"
    return f"{why}; {begins}" if why else begins


def _reason(seen: SlurmJob) -> str:
    return seen.reason.split(",")[0].strip("()")


def _node_note(seen: SlurmJob, nodes: Mapping[str, str] = _NO_NODES) -> str:
    if not seen.node or seen.node.startswith(("(", "None")):
        return ""
    state = nodes.get(seen.node)
    return f" ({seen.node}, which is {state})" if state else f" ({seen.node})"
