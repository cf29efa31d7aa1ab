"""File descriptors: as many as the system allows, and work that makes do with few."""

from __future__ import annotations

import errno
import resource
from contextlib import suppress

_ENOUGH = 65_536
_RESERVED = 32  # for the store, logs and connections
_PER_THREAD = 8  # descriptors that the start of a job needs for a moment
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)


def raise_descriptor_limit() -> None:
    """Raise the soft limit of this process, and of the jobs that it starts, as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def affordable_threads(most: int) -> int:
    """Return how many threads may start jobs at the same time without running out of descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if soft == resource.RLIM_INFINITY else max(1, min(most, (soft - _RESERVED) // _PER_THREAD))


def is_exhausted(error: Exception) -> bool:
    """Whether an error says that this machine has no descriptor, process or memory left for now."""
    return isinstance(error, OSError) and error.errno in _EXHAUSTED
