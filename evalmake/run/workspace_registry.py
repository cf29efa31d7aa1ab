"""Which Evalfiles may have jobs that run: a file for each in the user's state folder, which holds its path.

So jobs can be found by their id from any folder. The registry only says where to look: what runs is in the journal of
each workspace. An entry may be stale, as a build may be killed and a folder removed; whoever reads it checks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import xxhash

from evalmake.language.atomic_write import write_atomic
from evalmake.store.journal import Journal


def register_workspace(evalfile: Path) -> None:
    """Note that jobs of this Evalfile may run. A home that cannot be written to is no reason not to build."""
    with suppress(OSError, RuntimeError, ValueError):
        write_atomic(_entry_path(evalfile), os.fsencode(evalfile.absolute()))


def unregister_workspace(evalfile: Path) -> None:
    """Forget an Evalfile of which no job is left."""
    if not _has_jobs(evalfile):
        with suppress(OSError, RuntimeError, ValueError):
            _entry_path(evalfile).unlink(missing_ok=True)


def list_workspaces() -> Iterator[Path]:
    """The Evalfiles that may have jobs, by path; entries that are stale are removed."""
    found = set()
    with suppress(OSError, RuntimeError):
        for entry in _registry_folder().glob("*.path"):
            evalfile = Path(os.fsdecode(entry.read_bytes()))
            if evalfile.is_absolute() and evalfile.is_file() and _has_jobs(evalfile):
                found.add(evalfile)
            else:
                entry.unlink(missing_ok=True)
    yield from sorted(found)


def open_journal(evalfile: Path) -> Journal:
    """The journal of an Evalfile's workspace."""
    return Journal(evalfile.absolute().parent / ".evalmake" / "journal")


def _has_jobs(evalfile: Path) -> bool:
    return any(True for _ in open_journal(evalfile).entries())


def _entry_path(evalfile: Path) -> Path:
    name = xxhash.xxh3_64_hexdigest(os.fsencode(evalfile.absolute()))
    return _registry_folder() / f"{name}.path"


def _registry_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "evalmake" / "workspaces"
