"""Jobs that are ready to be submitted, and the batches that they form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evalmake.executors.slurm.batch import Batch, make_batch_folder, write_batch
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.job_script import RUN_ONE_JOB, batch_script, run_host_job
from evalmake.plugin_api.executor import Job


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """A job whose folder is written, and the options of sbatch for it."""

    job: Job
    directives: tuple[str, ...]
    secrets: Mapping[str, str]

    @property
    def kind(self) -> tuple[object, ...]:
        """Jobs of one kind may form one batch: they have the same options and limits."""
        return self.directives, *sorted(self.job.limits.items()), self.job.colocation_slots, self.job.colocated_with

    @property
    def limits(self) -> Mapping[str, int]:
        """The limits that it shares with jobs of other batches. A host job keeps those of colocated jobs itself."""
        return {} if self.job.colocated_with else self.job.limits


def split_into_batches(jobs: Iterable[PreparedJob], size: int) -> Iterator[list[PreparedJob]]:
    """Yield lists of at most `size` jobs, each of one kind."""
    kinds: dict[tuple[object, ...], list[PreparedJob]] = {}
    for one in jobs:
        kinds.setdefault(one.kind, []).append(one)
    for alike in kinds.values():
        yield from (alike[at : at + size] for at in range(0, len(alike), size))


def prepare_batch(cluster: Cluster, jobs: Sequence[PreparedJob], at_once: int | None) -> Batch:
    """Write down a batch of jobs of one kind, of which at most `at_once` run at a time."""
    first, folder = jobs[0], make_batch_folder(cluster.root)
    ids = [one.job.id for one in jobs]
    if first.job.colocated_with is not None:
        batch = write_batch(folder, ids, host_job=first.job.colocated_with)
        batch.kind = first.kind
        return batch
    comment = cluster.settings.comment or "evalmake"
    slots = first.job.colocation_slots
    runs = RUN_ONE_JOB if slots is None else run_host_job(cluster.settings, cluster.python, slots)
    name = cluster.batch_name(folder.name)
    batch = write_batch(folder, ids, batch_script(name, first.directives, comment, ids, at_once, runs))
    batch.kind = first.kind
    if at_once:
        batch.record_limits(first.limits, at_once)
    return batch
