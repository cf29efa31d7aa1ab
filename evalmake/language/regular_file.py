"""Reads files that an Evalfile names: regular ones only. A device, a pipe or `/proc` may never end, or tell secrets."""

from __future__ import annotations

import errno
import os
import stat
from functools import cache
from pathlib import Path

_MADE_BY_THE_KERNEL = ("/proc", "/sys", "/sys/fs/cgroup", "/sys/kernel/debug", "/sys/kernel/security")
_KINDS = (
    (stat.S_ISFIFO, "it is a pipe"),
    (stat.S_ISSOCK, "it is a socket"),
    (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
)


def check_regular(path: Path | str) -> os.stat_result:
    """The status of a regular file; OSError for anything else, whose `strerror` says what it is."""
    try:
        found = os.stat(path)
    except ValueError:  # a NUL, or half of a surrogate pair
        raise OSError(errno.EINVAL, "no file can have such a name", str(path)) from None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    for is_kind, words in _KINDS:
        if is_kind(found.st_mode):
            raise OSError(errno.EINVAL, f"{words}, not a regular file", str(path))
    if found.st_dev in _kernel_devices():
        raise OSError(errno.EINVAL, "the kernel makes it up: it is not a regular file", str(path))
    return found


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a regular file; OSError for one that is no such file, or has more than `most` bytes."""
    if check_regular(path).st_size <= most:
        with open(path, "rb") as stream:
            data = stream.read(most + 1)
        if len(data) <= most:
            return data
    raise OSError(errno.EFBIG, f"it is larger than {most >> 20} MB", str(path))


@cache
def _kernel_devices() -> frozenset[int]:
    """The device numbers of the file systems whose files are the kernel's words."""
    found = set()
    for folder in _MADE_BY_THE_KERNEL:
        try:
            found.add(os.stat(folder).st_dev)
        except OSError:
            continue
    return frozenset(found - {os.stat("/").st_dev})
