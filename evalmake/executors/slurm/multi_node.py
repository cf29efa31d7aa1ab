"""Jobs on several nodes at once: servers of models that are too large for one."""

from __future__ import annotations

import shlex

from evalmake.executors.slurm.settings import Settings
from evalmake.plugin_api.executor import Job

TOLD = ("EVALMAKE_HEAD", "EVALMAKE_NODE", "EVALMAKE_NODES")
_HEAD = 'EVALMAKE_HEAD=$(scontrol -o show node "$SLURMD_NODENAME" | sed "s/.* NodeAddr=\\([^ ]*\\).*/\\1/")'


def nodes_of(job: Job, settings: Settings) -> int:
    """On how many nodes a job runs at once."""
    return settings.nodes or 1 if job.multi_node_launcher is not None else 1


def step(job: Job, settings: Settings) -> list[str]:
    """The words of a step of Slurm: on all nodes of a job, which end together, or on that of its script."""
    nodes = nodes_of(job, settings)
    words = ["srun", "--overlap", f"--nodes={nodes}", f"--ntasks={nodes}", "--unbuffered"]
    if nodes > 1:
        return [*words, "--ntasks-per-node=1", "--kill-on-bad-exit=1", "--wait=5", "--label"]
    alone = settings.nodes in (None, 1)  # else it may be beside a server on several
    return words if alone else [*words, '--nodelist="$SLURMD_NODENAME"']


def everywhere(job: Job, settings: Settings, inside: list[str]) -> list[str]:
    """The words before a command that runs once on each node: there a shell adds what they say."""
    told = f'export EVALMAKE_NODE="$SLURM_PROCID"; exec "$@" {job.multi_node_launcher}'.rstrip()
    shell = ["/bin/sh", "-c", shlex.quote(told), "sh"]
    if inside and settings.container == "pyxis":
        return [*inside, *shell]
    return [*step(job, settings), *shell, *inside]


def told(nodes: int) -> list[str]:
    """The lines that say how many nodes there are, and where the first is."""
    return [f"export EVALMAKE_NODES={nodes} EVALMAKE_HEAD", _HEAD] if nodes > 1 else []
