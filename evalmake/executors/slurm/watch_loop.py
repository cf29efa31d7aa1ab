"""Watches the jobs of one workspace on a cluster: submits them in batches, and asks Slurm for all of them at once."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from math import inf
from pathlib import Path

from evalmake.executors.remote.shell import CommandFailed
from evalmake.executors.remote.watch_loop import CANCELLED_UNSUBMITTED, PROGRESS_FILES, WatchLoop
from evalmake.executors.slurm import array_slots
from evalmake.executors.slurm.batch import Batch
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.colocation import cancel_colocated, colocated_state
from evalmake.executors.slurm.job_ends import JobEnds
from evalmake.executors.slurm.job_states import SlurmJob, state_of
from evalmake.executors.slurm.prepared_batch import PreparedJob
from evalmake.executors.slurm.recovery import cancel_leftovers, find_earlier_batches, remove_batch
from evalmake.executors.slurm.submission import Submission
from evalmake.plugin_api.executor import JobState, Phase

_SHORTEST_PAUSE = 1.0
_OUTPUT_TAIL = 4000  # bytes
_CANCEL_AGAIN = 60.0  # seconds: a job may take long to end, but may also be queued anew


class SlurmWatch(WatchLoop[PreparedJob]):
    """What is known of a cluster's jobs."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(_SHORTEST_PAUSE, cluster.settings.poll.seconds)
        self._cluster = cluster
        self._batches: dict[str, Batch] = {}  # by the ids of their jobs
        self._forgotten_hosts: dict[str, JobState] = {}  # jobs in whose allocation others still run
        self._earlier: tuple[list[Batch], list[Batch]] = [], []  # of earlier builds, to be cleaned up
        self._submission = Submission(cluster, self._batches, self.changed, self._count_unfinished, self.set_state)
        self._ends = JobEnds(cluster, self.slurm_output)
        self._cancel_failures: dict[str, str] = {}  # jobs that Slurm does not end, and why
        self._cancelled_at: dict[str, float] = {}  # when Slurm was asked to end a job; on the monotonic clock
        self._file_updates: dict[str, Mapping[str, str]] = {}  # new contents of files of running jobs

    # What the executor calls ----------------------------------------------------------------------

    def discard_earlier_jobs(self) -> None:
        """Find what earlier builds left, and end and remove what nobody can ask for."""
        with self.changed:
            self.recover_once()
            self.remove_leftovers()

    def update_files(self, id: str, files: Mapping[str, str]) -> None:
        """Replace files in the folder of a running job in the next round, which begins at once."""
        with self.changed:
            self._file_updates[id] = files
            self.hurry()

    def forget(self, id: str) -> None:
        """Drop a job whose outputs are here, and with the last of its batch also the batch."""
        with self.changed:
            state = self.forget_state(id)
            self._file_updates.pop(id, None)
            self._cancelled_at.pop(id, None)
            batch = self._batches.pop(id, None)
            if state and any(other.host_job == id for other in self._batches.values()):
                self._forgotten_hosts[id] = state
            self.remove_leftovers()
        if batch is None:
            return
        batch.record_over(id)
        if not batch.unfetched:
            remove_batch(self._cluster, batch)

    def remove_leftovers(self) -> None:
        """Cancel and remove what earlier builds left. Do so only in a build: others just look."""
        known, leftovers = self._earlier
        with contextlib.suppress(CommandFailed):  # what Slurm does not end now is left to the next build
            cancel_leftovers(self._cluster, known, leftovers)
            for batch in leftovers:
                remove_batch(self._cluster, batch)
        self._earlier = [], []

    def slurm_output(self, id: str) -> bytes:
        """Return the end of what Slurm itself printed about a job, as when it killed it."""
        if (batch := self._batches.get(id)) is None:
            return b""
        name = f"slurm-{batch.index(id)}.out"
        return self._cluster.folders.read_tail(batch.folder.name, name, _OUTPUT_TAIL)

    def batch_scripts(self, id: str) -> list[Path]:
        """Return the script of a job's batch, if it has one."""
        batch = self._batches.get(id)
        return [batch.folder / "batch.sh"] if batch else []

    # What the loop calls --------------------------------------------------------------------------

    def has_work(self) -> bool:
        """Return whether jobs are known or wait."""
        return bool(self._batches) or self._submission.is_pending

    def drop_refused(self, id: str) -> None:
        """Drop a refused job, and its batch with it."""
        self.forget(id)

    def cancel_error(self, id: str) -> str:
        """Return why Slurm does not answer, or does not end this job."""
        return super().cancel_error(id) or self._cancel_failures.get(id, "")

    def list_fetchable(self) -> Collection[str]:
        """Return all jobs that Slurm was given."""
        return self._batches.keys()

    def copy_outputs(self, ids: Collection[str]) -> None:
        """Copy the folders of jobs here. Later jobs on the cluster get the replies of these."""
        self._cluster.folders.merge_replies(ids, self._cluster.python)
        self._cluster.folders.fetch(ids)

    def find_earlier_jobs(self) -> Iterable[str]:
        """Find the batches of earlier builds, also those that were being submitted when a build was killed."""
        self._earlier = find_earlier_batches(self._cluster)
        for batch in self._earlier[0]:
            self._batches |= dict.fromkeys(batch.unfetched, batch)
        return list(self._batches)

    def submit_jobs(self, ready: dict[str, PreparedJob]) -> None:
        """Submit `ready` and what waits. If nobody answers, what has no batch yet waits for the next round."""
        jobs = self._submission.take_waiting() | ready
        try:
            for id in self.cancelled & jobs.keys():
                del jobs[id]
                self.set_state(id, CANCELLED_UNSUBMITTED)
            self._submission.submit(jobs.values(), self.cancelled)
        except Exception:
            with self.changed:
                again = [id for id in self.states.keys() & jobs.keys() - self._batches.keys()]
                self._submission.waiting |= {id: jobs[id] for id in again if not self.is_finished(id)}
            raise

    def observe_jobs(self) -> None:
        """Look at all submitted jobs, colocated ones last."""
        with self.changed:
            active = {id: b for id, b in self._batches.items() if b.slurm_job and not self.is_finished(id)}
        if in_slurm := {id: batch for id, batch in active.items() if not batch.host_job}:
            self._observe_slurm(in_slurm)
        if colocated := {id: batch for id, batch in active.items() if batch.host_job}:
            self._observe_colocated(colocated)

    def use_free_slots(self) -> None:
        """Let arrays use the slots that are free, unless there are jobs that wait for them."""
        if self._submission.waiting:
            return
        for batch, at_once in array_slots.find_wider_shares(self._count_unfinished()):
            if batch.slurm_job:
                batch.record_limits(batch.limits, at_once)
                self._cluster.commands.set_array_limit(batch.slurm_job, at_once)

    def _observe_slurm(self, jobs: Mapping[str, Batch]) -> None:
        """Ask squeue for all jobs, and read the folders of those that it no longer shows as active."""
        slurm_ids = {id: batch.slurm_id(id) for id, batch in jobs.items()}
        self._cancel_in_slurm(slurm_ids)
        names = {self._cluster.batch_name(batch.folder.name) for batch in jobs.values()}
        queue = self._cluster.commands.list_jobs(names)
        nodes = self._find_unhealthy_nodes(seen for one in slurm_ids.values() if (seen := queue.get(one)))
        gone: dict[str, SlurmJob | None] = {}
        running = []
        for id, slurm_id in slurm_ids.items():
            seen = queue.get(slurm_id)
            state = state_of(seen, nodes) if seen else None
            if state is None or state.phase is Phase.ENDED:
                gone[id] = seen
            else:
                self._ends.note_alive(id)
                self.set_state(id, state)
                running += [id] if state.phase is Phase.RUNNING else []
        self._send_file_updates()
        just_ended = [*running, *gone]  # their last progress is copied, too
        self._cluster.folders.copy_small_files(just_ended, PROGRESS_FILES)
        ended = self._ends.find_states(gone, slurm_ids, queue, nodes, self.cancelled)
        for id, known in ended.items():
            self.set_state(id, known)
        if len(ended) < len(gone):  # the others may show their exit status in a moment
            self.look_again_soon()

    def _cancel_in_slurm(self, slurm_ids: Mapping[str, str]) -> None:
        self._cancel_failures = {}
        now = time.monotonic()
        doomed = [
            id for id in self.cancelled & slurm_ids.keys() if now >= self._cancelled_at.get(id, -inf) + _CANCEL_AGAIN
        ]
        if not doomed:
            return
        try:
            self._cluster.commands.cancel([slurm_ids[id] for id in doomed])
            self._cancelled_at |= dict.fromkeys(doomed, now)
        except CommandFailed as error:
            self._cancel_failures = dict.fromkeys(doomed, f"Slurm does not end it: {error}")

    def _observe_colocated(self, jobs: Mapping[str, Batch]) -> None:
        """Read the folders of jobs in the allocations of others; the states of those are from before that."""
        if doomed := self.cancelled & jobs.keys():
            cancel_colocated(self._cluster, [(id, jobs[id]) for id in doomed])
        hosts = {batch.host_job for batch in jobs.values()}
        host_states = {host: self.states.get(host) or self._forgotten_hosts.get(host) for host in hosts}
        running = []
        for id, folder in self._cluster.folders.read_states(jobs).items():
            state = colocated_state(folder, host_states[jobs[id].host_job])
            is_lost = state.phase is Phase.ENDED and state.status is None
            self.set_state(id, self._ends.explain(id, state, self.cancelled) if is_lost else state)
            running += [id] if state.phase is Phase.RUNNING else []
        self._cluster.folders.copy_small_files(running, PROGRESS_FILES)

    def _find_unhealthy_nodes(self, jobs: Iterable[SlurmJob]) -> dict[str, str]:
        """Return the unhealthy nodes, if some of these jobs wait for nodes or were lost with one."""
        partitions = {one.partition for one in jobs if one.is_about_nodes}
        with contextlib.suppress(CommandFailed):
            return self._cluster.commands.list_unhealthy_nodes(partitions) if partitions else {}
        return {}

    def _send_file_updates(self) -> None:
        for id, files in list(self._file_updates.items()):
            with contextlib.suppress(CommandFailed):  # the job has ended by now
                self._cluster.folders.replace_files(id, files)
            with self.changed:
                if self._file_updates.get(id) is files:
                    del self._file_updates[id]

    def _count_unfinished(self) -> Counter[Batch]:
        """Return how many jobs of each batch are not over."""
        with self.changed:
            return Counter(batch for id, batch in self._batches.items() if not self.is_finished(id))
