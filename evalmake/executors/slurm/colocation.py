"""Jobs within the allocation of another: evaluations beside the server that they ask.

What runs the server's job finds them in its folder `queue`, where a batch of them is a file, put there whole
or not at all. It says that they were handed over, and stays: a job's own folder says that it was begun.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from evalmake.executors.slurm.batch import Batch
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.job_folders import QUEUE, Ended
from evalmake.plugin_api.executor import JobState, Phase

_CANCEL = ".cancel"
_GONE = JobState(Phase.ENDED, None, "it is gone")


def hand_over(of: Cluster, batch: Batch, limit: int | None) -> bool:
    """Put a batch into its host's queue, unless there is none any more."""
    queue, name = _queue(of, batch), batch.folder.name
    text = (
        f"[ -d {queue} ] || exit 0; cd {queue} && {{ echo {limit or 0}; cat ../../{name}/jobs; }} > .{name}"
        f" && mv .{name} {name} && echo yes"
    )
    return of.shell.run(text) != b""


def was_handed_over(of: Cluster, batch: Batch) -> bool:
    """Whether its host has a batch."""
    text = f"[ ! -f {_queue(of, batch)}/{batch.folder.name} ] || echo yes"
    return of.shell.run(text) != b""


def end(of: Cluster, jobs: Iterable[tuple[str, Batch]]) -> None:
    """Have jobs ended; those whose host is gone are over."""
    listed = "".join(f"{batch.host}/{QUEUE} {batch.folder.name}.{id}\n" for id, batch in jobs)
    text = (
        f"cd {shlex.quote(of.folders.there)} && while read -r queue job; do"
        f' [ ! -d "$queue" ] || : > "$queue/$job{_CANCEL}"; done'
    )
    of.shell.run(text, listed.encode())


def state_of(told: Ended, host: JobState | None) -> JobState:
    """A job's state by its folder and by how its host was before that was read."""
    host = host or _GONE
    facts = dict(host.facts) | ({"slurm-job": told.by} if told.by else {})
    if told.status is not None:
        said = f"exit status {told.status}" if told.status else ""
        return JobState(Phase.ENDED, told.status, said, facts)
    if host.is_over:
        why = host.detail or f"exit status {host.status}"
        return JobState(Phase.ENDED, None, f"ended with the job of its server: {why}", facts)
    if told.by:
        return JobState(Phase.RUNNING, None, "", facts)
    return JobState(Phase.QUEUED, None, "waits for its turn beside its server", facts)


LOST = state_of(Ended(), None)
"""That of a job whose host is no more."""


def _queue(of: Cluster, batch: Batch) -> str:
    return shlex.quote(f"{of.folders.of(batch.host)}/{QUEUE}")
