"""Keeps what this process knows from other processes of the same user, as far as Linux can.

Every job on this host may read `/proc/PID/environ` and `/proc/PID/mem` of its user's processes, unless a process
forbids it. Root reads what it likes; so what must not be seen does not stay in an environment at all.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterable

_PR_SET_DUMPABLE = 4  # of prctl(2)
_ENV_START, _ENV_END = 47, 48  # of proc_pid_stat(5), counted behind the name


def forbid_inspection() -> None:
    """Keep other processes of the same user out of this one. Programs that it starts are open again."""
    with contextlib.suppress(OSError, AttributeError):  # a system other than Linux
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def erase_environment(names: Iterable[str]) -> None:
    """Overwrite variables in the environment that this process began with, which /proc shows as long as it runs.

    `os.environ` is a copy, and keeps them.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
        if start < end:
            _overwrite((ctypes.c_char * (end - start)).from_address(start), {os.fsencode(name) for name in names})


def _overwrite(memory: ctypes.Array[ctypes.c_char], names: set[bytes]) -> None:
    at = 0
    for entry in memory.raw.split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name in names:
            ctypes.memset(ctypes.addressof(memory) + at + len(entry) - len(value), 0, len(value))
        at += len(entry) + 1
