"""Locks that the kernel frees when their holder dies, such as the one on a store being built with."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from evalmake.store.store import store_failed


@contextlib.contextmanager
def build_lock(folder: Path, waiting: Callable[[str], None]) -> Iterator[bool]:
    """Hold the store's lock; yields whether another had it first. `waiting` is told who."""
    with hold_lock(folder / "lock", waiting) as (_, waited):
        yield waited


@contextlib.contextmanager
def hold_lock(path: Path, waiting: Callable[[str], None]) -> Iterator[tuple[int, bool]]:
    """Hold the lock on `path`; yields its descriptor and whether another had it first.

    A child process that is given the descriptor holds the lock too, for as long as it lives.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise store_failed(path.parent, error) from None
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
        yield handle, waited
    finally:
        os.close(handle)
