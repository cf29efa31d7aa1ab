"""Copies outputs of attempts out of a store, into a folder of the user's.

A program that is not trusted chose their names, and others may have put links into the folder. So a name that leads
out of the folder is refused, no link is followed below it, and no file is replaced.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from evalmake.language.diagnostic import make_error
from evalmake.language.write_errors import advise_on_write_error
from evalmake.planner.action import Artifact
from evalmake.store.records import UnreadableRecord
from evalmake.store.store import Store

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class OutputCopy:
    """One output, and its path below the folder that it is copied to."""

    output: Artifact
    path: str


def copy_outputs(store: Store, copies: Sequence[OutputCopy], folder: Path) -> int:
    """Copy outputs to `folder`; how many files are new. A file with the same content stays as it is.

    EvalmakeError, before anything is copied, if a name leads out of the folder or another file is in the way.
    """
    for copy in copies:
        _check_path(copy.path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new = [copy for copy in copies if not _is_there(folder, copy)]
        for copy in new:
            _copy(store, folder, copy)
    except OSError as error:
        where = f" at {os.fsdecode(error.filename)}" if error.filename is not None else ""
        message = f"cannot copy to {folder}: {error.strerror}{where}"
        raise make_error("copy-failed", message, help=advise_on_write_error(error.errno)) from None
    return len(new)


def _check_path(path: str) -> None:
    """Refuse a path that leads out of its folder, or is none; no output of an attempt has one."""
    if "\0" in path or {"", ".", ".."} & set(path.split("/")):
        raise UnreadableRecord(f"{path[:80]!r} is no name of an output")


def _is_there(folder: Path, copy: OutputCopy) -> bool:
    """Whether the file exists with this content; EvalmakeError where anything else has its name."""
    *parents, name = copy.path.split("/")
    for depth in range(1, len(parents) + 1):
        above = folder.joinpath(*parents[:depth])
        if not os.path.lexists(above):
            return False
        if not stat.S_ISDIR(os.lstat(above).st_mode):
            raise _in_the_way(above, "which is no folder")
    path = folder.joinpath(*parents, name)
    if not os.path.lexists(path):
        return False
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise _in_the_way(path, "which is no file")
    with path.open("rb") as file:
        if file_digest(file, "sha256").hexdigest() != copy.output.sha256:
            raise _in_the_way(path, "which has another content")
    return True


def _in_the_way(path: Path, why: str) -> Exception:
    help = ["name an empty folder, or move it away: no file is replaced"]
    return make_error("copy-failed", f"there is {path}, {why}", help=help)


def _copy(store: Store, folder: Path, copy: OutputCopy) -> None:
    """Write one file whole or not at all."""
    *parents, name = copy.path.split("/")
    temporary = f".{os.getpid()}.{os.urandom(6).hex()}.tmp"
    with _open_folder(folder, parents) as handle:
        try:
            with open(os.open(temporary, _NEW_FILE, 0o666, dir_fd=handle), "wb") as file:
                if not store.blobs.write_to(copy.output.sha256, file):
                    raise UnreadableRecord(f"the output {copy.output.name} is missing or damaged")
            os.rename(temporary, name, src_dir_fd=handle, dst_dir_fd=handle)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=handle)
            raise


@contextmanager
def _open_folder(folder: Path, names: Sequence[str]) -> Iterator[int]:
    """The descriptor of a folder below `folder`, created where it is missing; OSError where a link is in the way."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=handle)
            below = os.open(name, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)
