"""Jobs whose folders are written, and batches of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from evalmake.executors.slurm.batches import Batch, new_batch, new_folder
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.script import ALONE, batch_script, hosting
from evalmake.planner.ports import Job


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job whose folder is written, and what it asks of Slurm."""

    job: Job
    asks: tuple[str, ...]
    secrets: Mapping[str, str]

    @property
    def sort(self) -> tuple[tuple[str, ...], int | None, int | None, str | None]:
        """Jobs of one sort may be one batch: what they ask is the same, and so are their limits."""
        return self.asks, self.job.slots, self.job.guests, self.job.within


def batched(of: Cluster, jobs: Collection[Prepared]) -> list[tuple[Batch, list[Prepared]]]:
    """Write down batches of jobs of one sort."""
    every, size = list(jobs), of.settings.array
    parts = [every[at : at + size] for at in range(0, len(every), size)]
    return [(_written(of, part, len(parts)), part) for part in parts]


def _written(of: Cluster, part: list[Prepared], parts: int) -> Batch:
    """A batch; as an array its limit is its share of `slots`."""
    first, folder = part[0], new_folder(of.root)
    ids = [one.job.id for one in part]
    if first.job.within is not None:
        return new_batch(folder, ids, host=first.job.within)
    slots = first.job.slots
    at_once = max(1, slots // parts) if slots else None
    comment = of.settings.comment or "evalmake"
    guests = first.job.guests
    ends = ALONE if guests is None else hosting(of.settings, of.python, guests)
    name = of.name(folder.name)
    return new_batch(folder, ids, batch_script(name, first.asks, comment, ids, at_once, ends))
