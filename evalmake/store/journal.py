"""The journal of running jobs: written before a job is submitted, removed after its result is in the store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evalmake.language.atomic_write import write_atomic
from evalmake.seal import seal, unseal

_PROVENANCE = ".provenance"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A job that may be running: enough to find it again and to record its result."""

    id: str
    name: str
    kind: str  # evaluate | serve | gateway
    action: str
    executor: str
    workdir: str
    started: float  # seconds since the epoch
    gpus: Sequence[str] = ()  # those that it holds, where its executor counts them
    build: str = ""  # the id of the build that started it, of which the journal may keep the provenance
    replies: str = ""  # sha256 of the stored samples that it scores again; empty if it asks


class Journal:
    """One small file for each job, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, entry: JournalEntry) -> None:
        """Write an entry to the disk; call this before the job is submitted."""
        write_atomic(self.folder / f"{entry.id}.json", json.dumps(asdict(entry)).encode())

    def remove(self, id: str) -> None:
        """Remove the entry of a job whose result is in the store."""
        (self.folder / f"{id}.json").unlink(missing_ok=True)
        self._interrupted_mark(id).unlink(missing_ok=True)

    def mark_interrupted(self, id: str) -> None:
        """Note that evalmake exits at once, while a job is in the journal."""
        if (self.folder / f"{id}.json").exists():
            self._interrupted_mark(id).touch()

    def is_interrupted(self, id: str) -> bool:
        """Whether an earlier evalmake exited at once while a job ran."""
        return self._interrupted_mark(id).exists()

    def _interrupted_mark(self, id: str) -> Path:
        return self.folder / f"{id}.interrupted"

    def keep_provenance(self, build: str, text: bytes) -> None:
        """Keep what is known of a build, for a later one that takes over its jobs."""
        write_atomic(self._provenance_path(build), seal(build, text))

    def provenance(self, build: str) -> bytes:
        """What is known of an earlier build; empty where that is lost."""
        try:
            return unseal(build, self._provenance_path(build).read_bytes()) or b""
        except (OSError, ValueError):
            return b""

    def forget_builds(self) -> None:
        """Forget what is known of builds of which no job is left."""
        known = [*self.folder.glob(f"*{_PROVENANCE}"), *self.folder.glob(f".*{_PROVENANCE}.*.tmp")]
        needed = {entry.build for entry in self.entries()} if known else set()
        for path in known:
            if path.name.removesuffix(_PROVENANCE) not in needed:
                path.unlink(missing_ok=True)

    def _provenance_path(self, build: str) -> Path:
        return self.folder / f"{Path(build).name}{_PROVENANCE}"

    def remove_partial_entries(self) -> None:
        """Remove entries that a killed evalmake had not finished writing."""
        for path in self.folder.glob(".*.json.*.tmp"):
            path.unlink(missing_ok=True)

    def entries(self) -> Iterator[JournalEntry]:
        """The jobs that ran when the last evalmake ended. An unreadable file is skipped."""
        for path in sorted(self.folder.glob("*.json")) if self.folder.is_dir() else ():
            try:
                found = json.loads(path.read_text())
                yield JournalEntry(**{**found, "gpus": tuple(found.get("gpus", ()))})
            except (OSError, ValueError, TypeError):
                continue
