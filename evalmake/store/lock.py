"""File locks that the kernel frees when their holder dies: one build at a time uses a store."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from evalmake.store.store import store_failed


@contextlib.contextmanager
def build_lock(folder: Path, on_wait: Callable[[str], None]) -> Iterator[bool]:
    """Hold the lock on a store; yields whether another process had it first. `on_wait` hears which."""
    with hold_lock(folder / "lock", on_wait) as (_, waited):
        yield waited


@contextlib.contextmanager
def hold_lock(path: Path, on_wait: Callable[[str], None]) -> Iterator[tuple[int, bool]]:
    """Hold the lock on `path`; yields its descriptor and whether another process had it first.

    A child process that inherits the descriptor holds the lock, too, as long as it lives.
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
            on_wait(os.pread(handle, 200, 0).decode(errors="replace").strip())
            fcntl.flock(handle, fcntl.LOCK_EX)
        holder = f"process {os.getpid()} on {socket.gethostname()}\n".encode()
        with contextlib.suppress(OSError):  # a full disk: the lock works without its holder's name
            os.pwrite(handle, holder, 0)
            os.ftruncate(handle, len(holder))
        yield handle, waited
    finally:
        os.close(handle)
