"""File locks that the kernel frees when their holder dies: one build at a time uses a store."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from evalmake.store.failure import store_failed


@contextlib.contextmanager
def build_lock(folder: Path, on_wait: Callable[[str], None]) -> Iterator[bool]:
    """Hold the lock on a store; yields whether another process had it first. `on_wait` hears which.

    Who may not write to the store cannot disturb a build, and reads without a lock if even that file is withheld.
    """
    handle = _open_lock(folder / "lock", only_read=True)
    if handle is None:
        yield False
        return
    with _hold(handle, on_wait) as waited:
        yield waited


@contextlib.contextmanager
def hold_lock(path: Path, on_wait: Callable[[str], None]) -> Iterator[tuple[int, bool]]:
    """Hold the lock on `path`; yields its descriptor and whether another process had it first.

    A child process that inherits the descriptor holds the lock, too, as long as it lives.
    """
    handle = _open_lock(path)
    assert handle is not None
    with _hold(handle, on_wait) as waited:
        yield handle, waited


def name_holder() -> str:
    """How a lock that this process holds names it."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def find_holder(folder: Path) -> str:
    """Which process holds the lock on a store; empty if none does."""
    handle = _open_lock(folder / "lock", only_read=True)
    if handle is None:
        return ""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
    finally:
        os.close(handle)
    return ""


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock on `path`, which need not exist."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _open_lock(path: Path, only_read: bool = False) -> int | None:
    """Open the file of a lock, or create it. With `only_read`, open it for reading where that is all one may do."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if not only_read or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise store_failed(path.parent, error) from None
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


@contextlib.contextmanager
def _hold(handle: int, on_wait: Callable[[str], None]) -> Iterator[bool]:
    waited = False
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = True
            on_wait(os.pread(handle, 200, 0).decode(errors="replace").strip())
            fcntl.flock(handle, fcntl.LOCK_EX)
        holder = f"{name_holder()}\n".encode()
        with contextlib.suppress(OSError):  # a full or read-only disk: the lock works without its holder's name
            os.pwrite(handle, holder, 0)
            os.ftruncate(handle, len(holder))
        yield waited
    finally:
        os.close(handle)
