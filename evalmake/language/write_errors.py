"""What helps where nothing can be written: a full disk or quota, a limit of the shell on files, a read-only disk."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

_HELP = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EFBIG: "raise the limit on the size of files: `ulimit -f unlimited`",
    errno.EROFS: "use another folder, or have this one mounted for writing",
}
_TRIED = bytes(2**16)


def advise_on_write_error(number: int | None) -> list[str]:
    """What to do about an error number of the system, as the help of a message; empty if it is not about writing."""
    return [_HELP[number]] if number in _HELP else []


def find_write_error(folder: Path) -> int | None:
    """The error number with which the system refuses to write to a folder; None if it does not.

    Any limit on the size of files is one: a database outgrows the small ones.
    """
    import resource  # most commands never need it

    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY:
        return errno.EFBIG
    tried = folder / f".room.{os.urandom(6).hex()}"
    try:
        with open(tried, "xb") as file:
            file.write(_TRIED)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno if error.errno in _HELP else None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(tried)
    return None
