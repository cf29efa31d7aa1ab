"""Jobs on several nodes at once: servers of models that are too large for one node."""

from __future__ import annotations

import shlex

from evalmake.executors.slurm.settings import Settings
from evalmake.plugin_api.executor import Job

NODE_VARIABLES = ("EVALMAKE_HEAD", "EVALMAKE_NODE", "EVALMAKE_NODES")
_HEAD = 'EVALMAKE_HEAD=$(scontrol -o show node "$SLURMD_NODENAME" | sed "s/.* NodeAddr=\\([^ ]*\\).*/\\1/")'


def count_nodes(job: Job, settings: Settings) -> int:
    """Return on how many nodes a job runs."""
    return settings.nodes or 1 if job.multi_node_launcher is not None else 1


def srun_words(job: Job, settings: Settings) -> list[str]:
    """Return the call of srun that runs a command on all nodes of a job, or on the node of its script."""
    nodes = count_nodes(job, settings)
    words = ["srun", "--overlap", f"--nodes={nodes}", f"--ntasks={nodes}", "--unbuffered"]
    if nodes > 1:
        return [*words, "--ntasks-per-node=1", "--kill-on-bad-exit=1", "--wait=5", "--label"]
    has_one_node = settings.nodes in (None, 1)  # otherwise it may share the allocation of a server on several
    return words if has_one_node else [*words, '--nodelist="$SLURMD_NODENAME"']


def launch_on_all_nodes(job: Job, settings: Settings, container: list[str]) -> list[str]:
    """Return the words before a command that runs once on each node; a shell there adds the launcher's words."""
    script = f'export EVALMAKE_NODE="$SLURM_PROCID"; exec "$@" {job.multi_node_launcher}'.rstrip()
    shell = ["/bin/sh", "-c", shlex.quote(script), "sh"]
    if container and settings.container == "pyxis":
        return [*container, *shell]
    return [*srun_words(job, settings), *shell, *container]


def export_nodes(nodes: int) -> list[str]:
    """Return the lines that set how many nodes there are, and the address of the first."""
    return [f"export EVALMAKE_NODES={nodes} EVALMAKE_HEAD", _HEAD] if nodes > 1 else []
