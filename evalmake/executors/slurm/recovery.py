"""Finding again what was submitted and not heard of: by earlier builds, or where a reply was lost."""

from __future__ import annotations

import contextlib
import shlex
import shutil
from collections.abc import Collection

from evalmake.executors.slurm.batch import Batch, batches, own_ids
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.colocation import end, was_handed_over


def recovered(cluster: Cluster) -> tuple[list[Batch], list[Batch]]:
    """The batches of earlier builds that still have jobs here, and those that Slurm never had.

    The latter are to be removed, but not by who merely looks: another evalmake may be submitting them.
    An sbatch that is still on its way then finds no script, or its jobs find nothing to run.
    """
    known, lost = [], []
    for batch in batches(cluster.root):
        if batch.left and (batch.slurm or find(cluster, batch)):
            known.append(batch)
        else:
            lost.append(batch)
    return known, lost


def find(cluster: Cluster, batch: Batch) -> bool:
    """Whether Slurm has a batch: as its queue shows, or as its jobs wrote down, or sbatch; or its host has it."""
    if batch.host:
        if known := was_handed_over(cluster, batch):
            batch.submitted(batch.host)
        return known
    if ids := cluster.commands.all(cluster.prefix).get(cluster.name(batch.folder.name)):
        batch.submitted(ids[0])
        return True
    folder = shlex.quote(cluster.folders.of(batch.folder.name))
    told = cluster.shell.run(f"cat {folder}/id 2>/dev/null || true").decode().strip()
    own = cluster.folders.ended(own_ids(cluster.root, batch))
    by = [ended.by for ended in own.values() if ended.by]
    ids = [told.split(";")[0]] if told else [one.split("_")[0] for one in by][:1]
    if ids:
        batch.submitted(ids[0])
    return bool(ids)


def untaken(cluster: Cluster, batch: Batch) -> bool:
    """Whether Slurm has not got a batch, for sure."""
    try:
        batch.tried = batch.tried and not batch.slurm and find(cluster, batch)
    except ConnectionError:
        return False
    return not batch.tried


def end_left(cluster: Cluster, known: Collection[Batch], lost: Collection[Batch]) -> None:
    """End what nobody can ask for any more, as its folder here is gone, but Slurm may still have."""
    gone = [(id, batch) for batch in known for id in batch.ids if id not in batch.left]
    if own := {batch.slurm_id(id): batch for id, batch in gone if not batch.host}:
        names = {cluster.name(batch.folder.name) for batch in own.values()}
        cluster.commands.cancel(own.keys() & cluster.commands.queue(names).keys())
    guests = [one for one in gone if one[1].host]
    guests += [(id, batch) for batch in lost if batch.host for id in batch.ids]
    if guests:
        end(cluster, guests)
    if names := {cluster.name(batch.folder.name) for batch in lost if not batch.host}:
        cluster.commands.cancel_named(names & cluster.commands.all(cluster.prefix).keys())


def remove(cluster: Cluster, batch: Batch) -> None:
    """Remove a batch of which nothing is to come, and on the cluster its jobs' folders."""
    name = batch.folder.name
    with contextlib.suppress(OSError):
        cluster.folders.remove([*own_ids(cluster.root, batch), name, f".new-{name}"])
    shutil.rmtree(batch.folder, ignore_errors=True)
