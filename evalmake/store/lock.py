"""One evalmake builds with a store at a time: a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def building(folder: Path, waiting: Callable[[str], None]) -> Iterator[bool]:
    """Hold the store's lock; yields whether another had it first. `waiting` is told who."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    waited = False
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = True
            waiting(os.pread(handle, 200, 0).decode(errors="replace").strip())
            fcntl.flock(handle, fcntl.LOCK_EX)
        holder = f"process {os.getpid()} on {socket.gethostname()}\n".encode()
        with contextlib.suppress(OSError):  # on a full disk the lock holds all the same
            os.pwrite(handle, holder, 0)
            os.ftruncate(handle, len(holder))
        yield waited
    finally:
        os.close(handle)
