"""Folders that a program which is not trusted filled: however deep they are, and whatever lies in them.

`shutil.rmtree`, `os.walk` and `Path.rglob` recurse, so a thousand nested folders are too many for them. A file may be
a FIFO that never answers, or a link to a file of the user's own. So only plain files count here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def list_plain_files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the plain files below `folder`; see `list_entries`."""
    return ((name, status) for name, status in list_entries(folder) if stat.S_ISREG(status.st_mode))


def list_entries(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield all below `folder` that is no folder, by relative path, sorted; OSError where it cannot be read.

    A folder that is a link has nothing.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(os.path.join(folder, prefix)) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield prefix + entry.name, entry.stat(follow_symlinks=False)
        waiting += [f"{prefix}{e.name}/" for e in reversed(entries) if e.is_dir(follow_symlinks=False)]


def read_plain_file(path: Path, most: int) -> bytes:
    """The content of a plain file of at most `most` bytes; OSError for a larger one, a link, a FIFO or a device."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path.name} is not a plain file")
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(f"{path.name} is larger than {most} bytes")
    return data


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it, or a file or link; what cannot be removed stays, without an error."""
    try:
        handle = os.open(path, _FOLDER)
    except OSError:  # it is no folder, or one that nobody may read
        with suppress(OSError):
            os.unlink(path)
        return
    names: list[str] = []
    waiting = [_names(handle)]
    while waiting:
        if waiting[-1]:
            name = waiting[-1].pop()
            if (below := _remove_or_open(name, handle)) is not None:
                os.close(handle)
                handle = below
                names.append(name)
                waiting.append(_names(handle))
            continue
        waiting.pop()
        if names:
            above = os.open("..", _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = above
            _try_rmdir(names.pop(), handle)
    os.close(handle)
    _try_rmdir(path, None)


def _names(handle: int) -> list[str]:
    try:
        return os.listdir(handle)
    except OSError:
        return []


def _remove_or_open(name: str, folder: int) -> int | None:
    """Remove an entry of a folder; a folder that is not empty is opened instead."""
    try:
        os.unlink(name, dir_fd=folder)
        return None
    except OSError:
        _open_up(name, folder)
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except OSError:
        return None


def _open_up(name: str, folder: int) -> None:
    """Let a folder be read that its owner may not read; a link is not followed."""
    with suppress(OSError):
        handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.chmod(f"/proc/self/fd/{handle}", 0o700)
        finally:
            os.close(handle)


def _try_rmdir(name: str | Path, folder: int | None) -> None:
    with suppress(OSError):
        os.rmdir(name, dir_fd=folder)
