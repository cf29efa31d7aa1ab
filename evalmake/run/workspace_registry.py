"""Which Evalfiles were built: a file for each in the user's state folder, which holds its path and that of its store.

So jobs can be found by their id from any folder, those that run and those that have ended. The registry only says
where to look: what runs is in the journal of each workspace, what has ended in its store. An entry may be stale, as
a folder may be removed; whoever reads it checks.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import xxhash

from evalmake.language.atomic_write import write_atomic
from evalmake.store.journal import Journal


class KnownWorkspace(NamedTuple):
    """An Evalfile that was built, and where its results are."""

    evalfile: Path
    store_folder: Path

    @classmethod
    def at(cls, evalfile: Path, store_folder: Path | None = None) -> KnownWorkspace:
        """That of an Evalfile; without a store of its own, where most are."""
        return cls(evalfile.absolute(), store_folder or evalfile.absolute().parent / ".evalmake" / "store")

    @property
    def journal(self) -> Journal:
        """The journal of its jobs."""
        return Journal(self.evalfile.parent / ".evalmake" / "journal")

    @property
    def has_jobs(self) -> bool:
        """Whether its journal has any."""
        return any(True for _ in self.journal.entries())


def register_workspace(evalfile: Path, store_folder: Path) -> None:
    """Note that this Evalfile is built. A home that cannot be written to is no reason not to build."""
    text = os.fsencode(evalfile.absolute()) + b"\0" + os.fsencode(store_folder.absolute())
    with suppress(OSError, RuntimeError, ValueError):
        write_atomic(_entry_path(evalfile), text)


def list_workspaces() -> list[KnownWorkspace]:
    """The Evalfiles that were built and are still there, by path; entries that are stale are removed."""
    found = set()
    with suppress(OSError, RuntimeError):
        for entry in _registry_folder().glob("*.path"):
            known = _read_entry(entry)
            if known.evalfile.is_absolute() and known.evalfile.is_file():
                found.add(known)
            else:
                entry.unlink(missing_ok=True)
    return sorted(found)


def _read_entry(entry: Path) -> KnownWorkspace:
    evalfile, _, store_folder = entry.read_bytes().partition(b"\0")
    return KnownWorkspace(Path(os.fsdecode(evalfile)), Path(os.fsdecode(store_folder)))


def _entry_path(evalfile: Path) -> Path:
    name = xxhash.xxh3_64_hexdigest(os.fsencode(evalfile.absolute()))
    return _registry_folder() / f"{name}.path"


def _registry_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "evalmake" / "workspaces"
