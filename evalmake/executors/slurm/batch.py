"""Batches of jobs: which job is which element of which array.

Each batch has a folder next to those of the jobs, so that the next evalmake finds what a killed one submitted:

- `jobs`: the ids of its jobs, by line
- `batch.sh`: the script that sbatch was given
- `id`: the id that Slurm gave it, once that is known; before that, Slurm knows the batch by its name
- `within`: the id of another job of evalmake, if the jobs run in that job's allocation; then there is no script
- `limits`: the limits that the batch shares with others, and how many of its jobs run at once
- `over`: the jobs that are over and fetched; a folder of such an id may be that of another job, to be submitted anew
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.language.atomic_write import write_atomic

PREFIX = "slurm-"


@dataclass(slots=True, eq=False)
class Batch:
    """One call of sbatch, or jobs that were added to the allocation of another job."""

    folder: Path
    ids: list[str]
    slurm_job: str = ""
    """The id that Slurm gave it, or `host_job`; empty until it is known to be submitted."""
    unfetched: set[str] = field(default_factory=set)
    """The jobs whose outputs are not here yet."""
    maybe_submitted: bool = False
    """Slurm may have it although the reply was lost."""
    host_job: str = ""
    """The job of evalmake in whose allocation its jobs run."""
    limits: Mapping[str, int] = field(default_factory=dict)
    at_once: int = 0
    """How many of its jobs run at once, if there are limits."""
    kind: tuple[object, ...] = ()
    """What its jobs have in common; known only to the build that made it."""
    _indices: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._indices = {id: at for at, id in enumerate(self.ids)}

    def index(self, id: str) -> int:
        """Return the place of a job in the array."""
        return self._indices[id]

    def slurm_id(self, id: str) -> str:
        """Return the id that Slurm gave a job."""
        return f"{self.slurm_job}_{self._indices[id]}" if len(self.ids) > 1 else self.slurm_job

    def record_limits(self, limits: Mapping[str, int], at_once: int) -> None:
        """Write down how many of its jobs run at once from now on."""
        self.limits, self.at_once = limits, at_once
        write_atomic(self.folder / "limits", json.dumps([dict(limits), at_once]).encode())

    def record_submission(self, slurm_job: str) -> None:
        """Write down that Slurm has it under this id, or that its host job has it."""
        self.slurm_job = slurm_job
        (self.folder / "id").write_text(slurm_job)

    def record_over(self, id: str) -> None:
        """Write down that a job is over and fetched, as far as there is room on the disk."""
        with contextlib.suppress(OSError), (self.folder / "over").open("a") as file:
            file.write(f"{id}\n")
        self.unfetched.discard(id)


def make_batch_folder(root: Path) -> Path:
    """Make a folder for a batch."""
    folder = root / f"{PREFIX}{secrets.token_hex(5)}"
    folder.mkdir(parents=True)
    return folder


def write_batch(folder: Path, ids: list[str], script: str = "", host_job: str = "") -> Batch:
    """Write a batch down, with its script for Slurm or the job in whose allocation it runs."""
    (folder / ("within" if host_job else "batch.sh")).write_text(host_job or script)
    (folder / "jobs").write_text("".join(f"{id}\n" for id in ids))
    return Batch(folder, ids, unfetched=set(ids), host_job=host_job)


def read_batches(root: Path) -> Iterator[Batch]:
    """Yield the batches that are written down, the newest first: a job that was started again is in that one alone."""
    newer = set[str]()
    for folder in sorted(root.glob(f"{PREFIX}*"), key=_written_at, reverse=True):
        try:
            ids = (folder / "jobs").read_text().split()
        except OSError:  # another evalmake is writing it, or was killed while it did
            ids = []
        over = _read(folder / "over").split()
        unfetched = {id for id in ids if id not in newer and id not in over and (root / id).exists()}
        newer.update(ids)
        limits, at_once = json.loads(_read(folder / "limits") or "[{}, 0]")
        slurm_job, host_job = _read(folder / "id"), _read(folder / "within")
        yield Batch(folder, ids, slurm_job, unfetched, False, host_job, limits, at_once)


def latest_ids(root: Path, batch: Batch) -> list[str]:
    """Return the jobs of a batch that no newer batch has."""
    newer = set[str]()
    for other in read_batches(root):
        if other.folder == batch.folder:
            break
        newer.update(other.ids)
    return [id for id in batch.ids if id not in newer]


def _written_at(folder: Path) -> int:
    try:
        return (folder / "jobs").stat().st_mtime_ns
    except OSError:
        return 0


def _read(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""
