"""Jobs in the allocation of another job: evaluations that run next to the server that they ask.

The program that runs the server's job finds them in the folder `queue` of that job. A batch of them is one
file there, put there as a whole. The file stays, and says that the batch was handed over. A job's own folder
says whether it has started.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from evalmake.executors.exit_status import describe_exit_status
from evalmake.executors.remote.folder_layout import QUEUE
from evalmake.executors.remote.job_folders import FolderState
from evalmake.executors.slurm.batch import Batch
from evalmake.executors.slurm.cluster import Cluster
from evalmake.plugin_api.executor import JobState, Phase

_CANCEL, _DISCARD = ".cancel", ".discard"
_NO_HOST = JobState(Phase.ENDED, None, "it is gone")


def submit_to_host(cluster: Cluster, batch: Batch, limit: int | None) -> bool:
    """Put a batch into the queue of its host job; False if that job is gone."""
    queue, name = _queue_folder(cluster, batch), batch.folder.name
    text = (
        f"[ -d {queue} ] || exit 0; cd {queue} && {{ echo {limit or 0}; cat ../../{name}/jobs; }} > .{name}"
        f" && mv .{name} {name} && echo yes"
    )
    return cluster.shell.run(text) != b""


def is_submitted(cluster: Cluster, batch: Batch) -> bool:
    """Return whether the host job has a batch."""
    text = f"[ ! -f {_queue_folder(cluster, batch)}/{batch.folder.name} ] || echo yes"
    return cluster.shell.run(text) != b""


def cancel_colocated(cluster: Cluster, jobs: Iterable[tuple[str, Batch]]) -> None:
    """Have the host jobs end these jobs and write a status; those whose host job is gone are over already."""
    _send_orders(cluster, jobs, _CANCEL)


def discard_colocated(cluster: Cluster, jobs: Iterable[tuple[str, Batch]]) -> None:
    """Have the host jobs end these jobs without a status, also if they arrive only later.

    An earlier build submitted them or is still doing so; this one may submit jobs of the same ids.
    """
    _send_orders(cluster, jobs, _DISCARD)


def _send_orders(cluster: Cluster, jobs: Iterable[tuple[str, Batch]], order: str) -> None:
    listed = "".join(f"{batch.host_job}/{QUEUE} {batch.folder.name}.{id}\n" for id, batch in jobs)
    text = (
        f"cd {shlex.quote(cluster.folders.remote_root)} && while read -r queue job; do"
        f' [ ! -d "$queue" ] || : > "$queue/$job{order}"; done'
    )
    cluster.shell.run(text, listed.encode())


def colocated_state(folder: FolderState, host: JobState | None) -> JobState:
    """Return the state of a job from its folder, and from the state of its host job before the folder was read."""
    host = host or _NO_HOST
    facts = dict(host.facts) | ({"slurm-job": folder.cluster_job} if folder.cluster_job else {})
    if folder.status is not None:
        return JobState(Phase.ENDED, folder.status, describe_exit_status(folder.status), facts)
    if host.is_over:
        why = host.detail or f"exit status {host.status}"
        why = f"ended with the job of its server: {why}"
        return JobState(Phase.ENDED, None, why, facts, out_of_time=host.out_of_time)
    if folder.cluster_job:
        return JobState(Phase.RUNNING, None, "", facts)
    return JobState(Phase.QUEUED, None, "waits for its turn next to its server", facts)


HOST_GONE = colocated_state(FolderState(), None)
"""The state of a job whose host job is gone."""


def _queue_folder(cluster: Cluster, batch: Batch) -> str:
    return shlex.quote(f"{cluster.folders.remote_folder(batch.host_job)}/{QUEUE}")
