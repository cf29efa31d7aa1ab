"""Jobs whose folders are written, and batches of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evalmake.executors.slurm.batch import Batch, new_batch, new_folder
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.job_script import ALONE, batch_script, hosting
from evalmake.plugin_api.executor import Job


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job whose folder is written, and what it asks of Slurm."""

    job: Job
    asks: tuple[str, ...]
    secrets: Mapping[str, str]

    @property
    def sort(self) -> tuple[object, ...]:
        """Jobs of one sort may be one batch: what they ask is the same, and so are their limits."""
        return self.asks, *sorted(self.job.limits.items()), self.job.colocation_slots, self.job.colocated_with

    @property
    def limits(self) -> Mapping[str, int]:
        """Those that it keeps with jobs of other batches; within another's allocation its host keeps them."""
        return {} if self.job.colocated_with else self.job.limits


def parted(jobs: Iterable[Prepared], size: int) -> Iterator[list[Prepared]]:
    """Parts of at most so many jobs, each of one sort."""
    sorts: dict[tuple[object, ...], list[Prepared]] = {}
    for one in jobs:
        sorts.setdefault(one.sort, []).append(one)
    for some in sorts.values():
        yield from (some[at : at + size] for at in range(0, len(some), size))


def batched(of: Cluster, part: Sequence[Prepared], at_once: int | None) -> Batch:
    """Write down a batch of jobs of one sort; of an array so many may run `at_once`."""
    first, folder = part[0], new_folder(of.root)
    ids = [one.job.id for one in part]
    if first.job.colocated_with is not None:
        batch = new_batch(folder, ids, host=first.job.colocated_with)
        batch.sort = first.sort
        return batch
    comment = of.settings.comment or "evalmake"
    guests = first.job.colocation_slots
    ends = ALONE if guests is None else hosting(of.settings, of.python, guests)
    name = of.name(folder.name)
    batch = new_batch(folder, ids, batch_script(name, first.asks, comment, ids, at_once, ends))
    batch.sort = first.sort
    if at_once:
        batch.limited(first.limits, at_once)
    return batch
