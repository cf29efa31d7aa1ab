"""Batches of jobs: which job is which element of what array, kept in a folder beside those of the jobs.

`jobs` has the ids by line, `batch.sh` is the script, `id` is Slurm's, once it is known here. So the next
evalmake finds again what a killed one submitted, by the batch's name where the id was not written down.
Jobs within the allocation of another have no script: `within` names that job. `limits` are those that the
batch keeps with others, and how many of its jobs run at once.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.language.atomic_write import write_atomic

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
    host: str = ""  # the job of evalmake's within whose allocation they run
    limits: Mapping[str, int] = field(default_factory=dict)
    at_once: int = 0  # how many of its jobs run at once, where there are limits
    sort: tuple[object, ...] = ()  # what its jobs have in common, known to the build that made it
    _places: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._places = {id: at for at, id in enumerate(self.ids)}

    def place(self, id: str) -> int:
        """Which of its jobs one is."""
        return self._places[id]

    def slurm_id(self, id: str) -> str:
        """Slurm's id of one of its jobs."""
        return f"{self.slurm}_{self._places[id]}" if len(self.ids) > 1 else self.slurm

    def limited(self, limits: Mapping[str, int], at_once: int) -> None:
        """So many of its jobs, or fewer, run at once from now on."""
        self.limits, self.at_once = limits, at_once
        write_atomic(self.folder / "limits", json.dumps([dict(limits), at_once]).encode())

    def submitted(self, slurm: str) -> None:
        """Slurm has it, or its host."""
        self.slurm = slurm
        (self.folder / "id").write_text(slurm)


def new_folder(root: Path) -> Path:
    """A folder for a batch."""
    folder = root / f"{PREFIX}{secrets.token_hex(5)}"
    folder.mkdir(parents=True)
    return folder


def new_batch(folder: Path, ids: list[str], script: str = "", host: str = "") -> Batch:
    """Write a batch down: one for Slurm by its script, or one for a host."""
    (folder / ("within" if host else "batch.sh")).write_text(host or script)
    (folder / "jobs").write_text("".join(f"{id}\n" for id in ids))
    return Batch(folder, ids, left=set(ids), host=host)


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
        limits, at_once = json.loads(_said(folder / "limits") or "[{}, 0]")
        host = _said(folder / "within")
        yield Batch(folder, ids, _said(folder / "id"), left, False, host, limits, at_once)


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


def _said(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""
