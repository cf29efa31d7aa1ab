"""Batches of jobs: which job is which element of what array, kept in a folder beside those of the jobs.

`jobs` has the ids by line, `batch.sh` is the script, `id` is Slurm's, once it is known here. So the next
evalmake finds again what a killed one submitted, by the batch's name where the id was not written down.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "slurm-"


@dataclass(slots=True, eq=False)
class Batch:
    """One call of sbatch. `left` are the jobs whose outputs have not been brought yet.

    One that was `tried` may be known to Slurm though its reply was lost.
    """

    folder: Path
    ids: list[str]
    slurm: str = ""
    left: set[str] = field(default_factory=set)
    tried: bool = False

    def slurm_ids(self) -> Iterator[tuple[str, str]]:
        """Every job with Slurm's id of it."""
        for at, id in enumerate(self.ids):
            yield id, f"{self.slurm}_{at}" if len(self.ids) > 1 else self.slurm

    def submitted(self, slurm: str) -> None:
        """Slurm has it."""
        self.slurm = slurm
        (self.folder / "id").write_text(slurm)


def new_folder(root: Path) -> Path:
    """A folder for a batch."""
    folder = root / f"{PREFIX}{secrets.token_hex(5)}"
    folder.mkdir(parents=True)
    return folder


def new_batch(folder: Path, ids: list[str], script: str) -> Batch:
    """Write a batch down."""
    (folder / "batch.sh").write_text(script)
    (folder / "jobs").write_text("".join(f"{id}\n" for id in ids))
    return Batch(folder, ids, left=set(ids))


def batches(root: Path) -> Iterator[Batch]:
    """Those that are written down, the newest first: a job that was begun anew is the newest one's alone."""
    newer = set[str]()
    for folder in sorted(root.glob(f"{PREFIX}*"), key=_written, reverse=True):
        try:
            ids = (folder / "jobs").read_text().split()
        except OSError:  # it is being written, or a kill came then
            ids = []
        left = {id for id in ids if id not in newer and (root / id).exists()}
        newer.update(ids)
        there = folder / "id"
        yield Batch(folder, ids, there.read_text().strip() if there.exists() else "", left)


def own_ids(root: Path, batch: Batch) -> list[str]:
    """The jobs of a batch that no newer one has."""
    newer = set[str]()
    for other in batches(root):
        if other.folder == batch.folder:
            break
        newer.update(other.ids)
    return [id for id in batch.ids if id not in newer]


def _written(folder: Path) -> int:
    try:
        return (folder / "jobs").stat().st_mtime_ns
    except OSError:
        return 0
