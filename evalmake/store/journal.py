"""Which jobs are out: written before a job is submitted, removed after its result is on record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evalmake.language.atomic_write import write_atomic


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A job that may be running: enough to find it again and to record what it did."""

    id: str
    name: str
    kind: str  # evaluate | serve | gateway
    action: str
    executor: str
    workdir: str
    started: float  # seconds since the epoch
    gpus: Sequence[str] = ()  # those that it has, where they are counted


class Journal:
    """One small file a job, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, entry: JournalEntry) -> None:
        """Put `entry` on disk, for sure, before its job is submitted."""
        write_atomic(self.folder / f"{entry.id}.json", json.dumps(asdict(entry)).encode())

    def remove(self, id: str) -> None:
        """Forget a job whose end is on record."""
        (self.folder / f"{id}.json").unlink(missing_ok=True)

    def remove_partial_entries(self) -> None:
        """Remove the halves of entries that a killed evalmake was writing."""
        for path in self.folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)

    def entries(self) -> Iterator[JournalEntry]:
        """The jobs that were out when the last evalmake ended; an unreadable file is passed over."""
        for path in sorted(self.folder.glob("*.json")) if self.folder.is_dir() else ():
            try:
                found = json.loads(path.read_text())
                yield JournalEntry(**{**found, "gpus": tuple(found.get("gpus", ()))})
            except (OSError, ValueError, TypeError):
                continue
