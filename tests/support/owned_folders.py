"""Folders of services, each of one test process. What a killed process left is found by the next, and removed.

A process that is killed ends nothing: daemons may go on, and users, mounts and jobs stay. The owner of a folder
holds a lock in it, which is free once that process has ended, however it ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.daemons import descendants, kill
from tests.support.debian import HOME
from tests.support.shared_folders import locked

_OWNER = "owner"


@contextlib.contextmanager
def owned_folder(
    prefix: str, end_left: Callable[[Path], None] = lambda folder: None, home: Path = HOME
) -> Iterator[Path]:
    """A new folder that is removed in the end. First, remove what killed processes left of the same kind.

    `end_left` ends the service in such a folder; after that, all processes and mounts there are ended.
    """
    home.mkdir(parents=True, exist_ok=True)
    for folder in home.glob(f"{prefix}*"):
        with contextlib.suppress(OSError), _left(folder):
            end_left(folder)
            kill(descendants(_processes_of(folder)))
            _unmount(folder)
            shutil.rmtree(folder)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=home))
    with locked(folder / f"{_OWNER}.new"):
        (folder / f"{_OWNER}.new").rename(folder / _OWNER)  # whoever finds it finds it locked
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


@contextlib.contextmanager
def _left(folder: Path) -> Iterator[None]:
    """Become the owner of a folder whose owner has ended; OSError if it has not, or is about to make the folder."""
    with (folder / _OWNER).open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _processes_of(folder: Path) -> list[int]:
    """The processes that work in a folder, or whose command line or environment names it."""
    found, name = [], f"{folder}/".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes() + b"\0" + (process / "environ").read_bytes()
            if name in words or (process / "cwd").readlink().is_relative_to(folder):
                found.append(int(process.name))
    return found


def _unmount(folder: Path) -> None:
    """Unmount what is mounted below a folder, the innermost first."""
    places = [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in reversed([place for place in places if place.is_relative_to(folder)]):
        subprocess.run(["umount", "--lazy", place], check=True)
