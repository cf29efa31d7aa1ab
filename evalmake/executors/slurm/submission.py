"""What is handed over to Slurm, in batches, and what waits here for that."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from evalmake.executors.slurm import array_slots, colocation
from evalmake.executors.slurm.batch import Batch
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.commands import Full
from evalmake.executors.slurm.prepared_batch import Prepared, batched, parted
from evalmake.executors.slurm.recovery import find, remove, untaken
from evalmake.plugin_api.executor import JobState, Phase

BEFORE = JobState(Phase.ENDED, 143, "cancelled before it was submitted")
"""That of a job that Slurm never had."""


class Outbox:
    """Used by the thread that asks Slurm; `batches` and `kept` are guarded by `changed`."""

    def __init__(
        self,
        of: Cluster,
        batches: dict[str, Batch],
        changed: threading.Condition,
        live: Callable[[], Counter[Batch]],
        tell: Callable[[Iterable[Prepared], JobState], None],
    ) -> None:
        self.kept: dict[str, Prepared] = {}  # beyond the limits of what runs
        self._of, self._batches, self._changed = of, batches, changed
        self._live, self._tell = live, tell
        self._held: list[tuple[Batch, list[Prepared]]] = []  # what could not be handed over yet

    @property
    def waits(self) -> bool:
        """Whether something has yet to be handed over."""
        return bool(self.kept or self._held)

    def take_kept(self) -> dict[str, Prepared]:
        """What was beyond the limits, to be tried again."""
        kept, self.kept = self.kept, {}
        return kept

    def hand_over(self, ready: Iterable[Prepared], doomed: Collection[str]) -> None:
        """Hand over what is `ready`, and what is held, but for what is to end."""
        ready = sorted(ready, key=lambda one: (len(one.job.name), one.job.name))  # as people count
        parts = list(parted(ready, self._of.settings.array))
        limits = [part[0].limits for part in parts]
        given = array_slots.shares(map(len, parts), limits, array_slots.taken(self._live()))
        for part, share in zip(parts, given, strict=True):
            if share == 0:
                self._keep(part)
                continue
            try:
                batch = batched(self._of, part, share)
            except OSError as error:
                self._tell(part, JobState(Phase.REFUSED, None, str(error)))
                continue
            with self._changed:
                self._batches |= dict.fromkeys(batch.ids, batch)
            self._held.append((batch, part))
        held = self._still_wanted(doomed)
        full: dict[tuple[object, ...], JobState] = {}  # the sorts of which Slurm takes no more now
        while held:
            batch, jobs = held.pop(0)
            try:
                if batch.sort not in full:
                    self._submit(batch, jobs)
                    continue
            except Full as error:
                batch.tried = False
                out = {other.sort for other in self._live() if other.slurm}
                if len(jobs) > 1 and batch.sort not in out:
                    held[:0] = self._halves(batch, jobs)
                    continue
                why = f"Slurm takes no more now: {error}"
                full[batch.sort] = JobState(Phase.QUEUED, None, why, unsubmitted=True)
            except Exception as error:
                if isinstance(error, OSError) and not isinstance(error, ConnectionError):
                    self._tell(jobs, JobState(Phase.REFUSED, None, str(error)))
                    continue
                self._held += [(batch, jobs), *held]
                raise
            self._held.append((batch, jobs))
            self._tell(jobs, full[batch.sort])

    def _keep(self, part: list[Prepared]) -> None:
        with self._changed:
            self.kept |= {one.job.id: one for one in part}
        self._tell(part, JobState(Phase.QUEUED, None, array_slots.FULL, unsubmitted=True))

    def _still_wanted(self, doomed: Collection[str]) -> list[tuple[Batch, list[Prepared]]]:
        """Batches that were not taken yet, less those of their jobs that are to end."""
        wanted: list[tuple[Batch, list[Prepared]]] = []
        for batch, jobs in self._held:
            ending = [one for one in jobs if one.job.id in doomed]
            if ending and untaken(self._of, batch):
                wanted += self._replace(batch, [one for one in jobs if one not in ending])
                self._tell(ending, BEFORE)
            else:
                wanted.append((batch, jobs))
        self._held = []
        return wanted

    def _halves(self, batch: Batch, jobs: list[Prepared]) -> list[tuple[Batch, list[Prepared]]]:
        """A batch that is too large for Slurm in two; of one with limits the second waits for its share."""
        first, second = jobs[: len(jobs) // 2], jobs[len(jobs) // 2 :]
        if not batch.limits:
            return self._replace(batch, first, second)
        made = self._replace(batch, first)
        self._keep(second)
        return made

    def _replace(self, batch: Batch, *parts: list[Prepared]) -> list[tuple[Batch, list[Prepared]]]:
        """Make parts of a batch that Slurm does not have batches of their own."""
        with self._changed:
            for id in batch.ids:
                self._batches.pop(id, None)
        remove(self._of, batch)
        made = [(batched(self._of, part, min(batch.at_once, len(part)) or None), part) for part in parts if part]
        with self._changed:
            for new, _ in made:
                self._batches |= dict.fromkeys(new.ids, new)
        return made

    def _submit(self, batch: Batch, jobs: list[Prepared]) -> None:
        if not (batch.tried and find(self._of, batch)):
            folders = self._of.folders
            folders.send(batch.folder, [(one.job, one.secrets) for one in jobs])
            batch.tried = True
            if not batch.host:
                batch.submitted(self._of.commands.submit(folders.of(batch.folder.name)))
            elif colocation.hand_over(self._of, batch, min(jobs[0].job.limits.values(), default=None)):
                batch.submitted(batch.host)
            else:
                self._tell(jobs, colocation.LOST)
                return
        self._tell(jobs, JobState(Phase.QUEUED))
