"""Submits jobs to Slurm in batches, and keeps those that cannot be submitted yet."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from evalmake.executors.remote.watch_loop import CANCELLED_UNSUBMITTED
from evalmake.executors.slurm import array_slots, colocation
from evalmake.executors.slurm.batch import Batch
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.commands import ArrayTooLarge, SubmitLimitReached
from evalmake.executors.slurm.prepared_batch import PreparedJob, prepare_batch, split_into_batches
from evalmake.executors.slurm.recovery import find_submission, is_surely_unsubmitted, remove_batch
from evalmake.plugin_api.executor import JobState, Phase

Held = tuple[Batch, list[PreparedJob]]


class Submission:
    """Used by the thread of the watch loop; `batches` and `waiting` are guarded by `changed`."""

    def __init__(
        self,
        cluster: Cluster,
        batches: dict[str, Batch],
        changed: threading.Condition,
        count_unfinished: Callable[[], Counter[Batch]],
        set_state: Callable[[str, JobState], None],
    ) -> None:
        self.waiting: dict[str, PreparedJob] = {}  # jobs beyond the limits of what runs
        self._cluster, self._batches, self._changed = cluster, batches, changed
        self._count_unfinished, self._set_state = count_unfinished, set_state
        self._held: list[Held] = []  # batches that Slurm has yet to take

    @property
    def is_pending(self) -> bool:
        """Whether something has yet to be submitted."""
        return bool(self.waiting or self._held)

    def take_waiting(self) -> dict[str, PreparedJob]:
        """Return the jobs beyond the limits, to be tried again."""
        with self._changed:
            waiting, self.waiting = self.waiting, {}
            return waiting

    def submit(self, ready: Iterable[PreparedJob], cancelled: Collection[str]) -> None:
        """Submit what is `ready` and what is held, except for cancelled jobs."""
        self._form_batches(sorted(ready, key=lambda one: (len(one.job.name), one.job.name)))  # as people count
        self._drop_cancelled(cancelled)
        to_submit, self._held = self._held, []
        full: dict[tuple[object, ...], JobState] = {}  # kinds of which Slurm takes no more now
        try:
            while to_submit:
                to_submit[:1] = self._submit_or_hold(*to_submit[0], full)
        finally:
            self._held += to_submit  # whatever went wrong, no job is forgotten

    def _submit_or_hold(
        self, batch: Batch, jobs: list[PreparedJob], full: dict[tuple[object, ...], JobState]
    ) -> list[Held]:
        """Submit a batch, or hold it if Slurm is full; return its parts if it is to be submitted in parts."""
        try:
            if batch.kind not in full:
                self._submit_batch(batch, jobs)
                return []
        except SubmitLimitReached as error:
            batch.maybe_submitted = False
            in_slurm = {other.kind for other in self._count_unfinished() if other.slurm_job}
            is_too_large = isinstance(error, ArrayTooLarge) or batch.kind not in in_slurm
            if len(jobs) > 1 and is_too_large:  # nothing will end and make room
                return self._halve(batch, jobs)
            why = f"Slurm takes no more now: {error}"
            full[batch.kind] = JobState(Phase.QUEUED, None, why, unsubmitted=True)
        except ConnectionError:
            raise
        except OSError as error:
            self._set_states(jobs, JobState(Phase.REFUSED, None, str(error)))
            return []
        self._held.append((batch, jobs))
        self._set_states(jobs, full[batch.kind])
        return []

    def _form_batches(self, ready: Iterable[PreparedJob]) -> None:
        """Make batches of these jobs and hold them; jobs beyond a limit wait."""
        parts = list(split_into_batches(ready, self._cluster.settings.array))
        limits = [part[0].limits for part in parts]
        used = array_slots.count_used(self._count_unfinished())
        shares = array_slots.divide_slots(map(len, parts), limits, used)
        for part, share in zip(parts, shares, strict=True):
            if share == 0:
                self._keep_waiting(part)
                continue
            try:
                batch = prepare_batch(self._cluster, part, share)
            except OSError as error:
                self._set_states(part, JobState(Phase.REFUSED, None, str(error)))
                continue
            with self._changed:
                self._batches |= dict.fromkeys(batch.ids, batch)
            self._held.append((batch, part))

    def _keep_waiting(self, jobs: list[PreparedJob]) -> None:
        with self._changed:
            self.waiting |= {one.job.id: one for one in jobs}
        self._set_states(jobs, JobState(Phase.QUEUED, None, array_slots.NO_FREE_SLOT, unsubmitted=True))

    def _drop_cancelled(self, cancelled: Collection[str]) -> None:
        """Drop the jobs of held batches that are cancelled and surely not in Slurm."""
        for held in list(self._held):
            batch, jobs = held
            dropped = [one for one in jobs if one.job.id in cancelled]
            if dropped and is_surely_unsubmitted(self._cluster, batch):
                at = self._held.index(held)
                self._held[at : at + 1] = self._replace(batch, [one for one in jobs if one not in dropped])
                self._set_states(dropped, CANCELLED_UNSUBMITTED)

    def _halve(self, batch: Batch, jobs: list[PreparedJob]) -> list[Held]:
        """Split a batch that is too large for Slurm; if it has limits, the second half waits for its share."""
        first, second = jobs[: len(jobs) // 2], jobs[len(jobs) // 2 :]
        if not batch.limits:
            return self._replace(batch, first, second)
        new = self._replace(batch, first)
        self._keep_waiting(second)
        return new

    def _replace(self, batch: Batch, *parts: list[PreparedJob]) -> list[Held]:
        """Make new batches of parts of a batch that Slurm does not have."""
        with self._changed:
            for id in batch.ids:
                self._batches.pop(id, None)
        remove_batch(self._cluster, batch)
        new = [
            (prepare_batch(self._cluster, part, min(batch.at_once, len(part)) or None), part) for part in parts if part
        ]
        with self._changed:
            for one, _ in new:
                self._batches |= dict.fromkeys(one.ids, one)
        return new

    def _submit_batch(self, batch: Batch, jobs: list[PreparedJob]) -> None:
        """Submit a batch, unless an earlier try did so and its reply was lost."""
        if not (batch.maybe_submitted and find_submission(self._cluster, batch)):
            folders = self._cluster.folders
            folders.send(batch.folder, [(one.job, one.secrets) for one in jobs])
            batch.maybe_submitted = True
            if not batch.host_job:
                batch.record_submission(self._cluster.commands.submit(folders.remote_folder(batch.folder.name)))
            elif colocation.submit_to_host(self._cluster, batch, min(jobs[0].job.limits.values(), default=None)):
                batch.record_submission(batch.host_job)
            else:
                self._set_states(jobs, colocation.HOST_GONE)
                return
        self._set_states(jobs, JobState(Phase.QUEUED))

    def _set_states(self, jobs: Iterable[PreparedJob], state: JobState) -> None:
        for one in jobs:
            self._set_state(one.job.id, state)
