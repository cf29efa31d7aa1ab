"""Finds what was submitted without being known: by earlier builds, or where a reply was lost."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Collection

from evalmake.executors.slurm.batch import Batch, latest_ids, read_batches
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.colocation import discard_colocated, is_submitted
from evalmake.language.file_tree import remove_tree


def find_earlier_batches(cluster: Cluster) -> tuple[list[Batch], list[Batch]]:
    """Return the batches of earlier builds that have jobs here, and the leftovers.

    Leftovers have no job here, or Slurm never had them. Only a build may remove them: another evalmake could be
    submitting them now. An sbatch that is still on its way then finds no script, or its jobs find nothing to run.
    """
    known, leftovers = [], []
    for batch in read_batches(cluster.root):
        if batch.unfetched and (batch.slurm_job or find_submission(cluster, batch)):
            known.append(batch)
        else:
            leftovers.append(batch)
    return known, leftovers


def find_submission(cluster: Cluster, batch: Batch) -> bool:
    """Return whether Slurm has a batch, and record its id.

    Slurm's queue shows it, or sbatch or one of its jobs wrote the id down, or its host job has it.
    """
    if batch.host_job:
        if found := is_submitted(cluster, batch):
            batch.record_submission(batch.host_job)
        return found
    if ids := cluster.commands.list_batches(cluster.name_prefix).get(cluster.batch_name(batch.folder.name)):
        batch.record_submission(ids[0])
        return True
    folder = shlex.quote(cluster.folders.remote_folder(batch.folder.name))
    by_sbatch = cluster.shell.run(f"cat {folder}/id 2>/dev/null || true").decode().strip()
    folders = cluster.folders.read_states(latest_ids(cluster.root, batch))
    by_jobs = [one.cluster_job for one in folders.values() if one.cluster_job]
    ids = [by_sbatch.split(";")[0]] if by_sbatch else [one.split("_")[0] for one in by_jobs][:1]
    if ids:
        batch.record_submission(ids[0])
    return bool(ids)


def is_surely_unsubmitted(cluster: Cluster, batch: Batch) -> bool:
    """Return whether it is certain that Slurm does not have a batch."""
    try:
        batch.maybe_submitted = batch.maybe_submitted and not batch.slurm_job and find_submission(cluster, batch)
    except ConnectionError:
        return False
    return not batch.maybe_submitted


def cancel_leftovers(cluster: Cluster, known: Collection[Batch], leftovers: Collection[Batch]) -> None:
    """Cancel jobs that Slurm may still have but nobody can ask for: their folders here are gone."""
    gone = [(id, batch) for batch in known for id in batch.ids if id not in batch.unfetched]
    if in_slurm := {batch.slurm_id(id): batch for id, batch in gone if not batch.host_job}:
        names = {cluster.batch_name(batch.folder.name) for batch in in_slurm.values()}
        cluster.commands.cancel(in_slurm.keys() & cluster.commands.list_jobs(names).keys())
    colocated = [one for one in gone if one[1].host_job]
    colocated += [(id, batch) for batch in leftovers if batch.host_job for id in batch.ids]
    if colocated:
        discard_colocated(cluster, colocated)
    if names := {cluster.batch_name(batch.folder.name) for batch in leftovers if not batch.host_job}:
        cluster.commands.cancel_batches(names & cluster.commands.list_batches(cluster.name_prefix).keys())


def remove_batch(cluster: Cluster, batch: Batch) -> None:
    """Remove a finished batch here, and on the cluster with the folders of its jobs."""
    name = batch.folder.name
    with contextlib.suppress(OSError):
        cluster.folders.remove([*latest_ids(cluster.root, batch), name, f".new-{name}"])
    remove_tree(batch.folder)
