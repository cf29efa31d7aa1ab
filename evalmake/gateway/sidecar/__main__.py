"""`python -m evalmake.gateway.sidecar SIDECAR.json COMMAND...`: run a command with gateways next to it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

from evalmake.gateway.sidecar.settings import read_gateways
from evalmake.gateway.sidecar.sidecar import run_command

_PR_SET_DUMPABLE = 4  # of prctl(2)


def main() -> int:
    """Read the file and run the command; returns the exit status."""
    path, *argv = sys.argv[1:]
    os.umask(0o077)
    _hide_environment()
    return run_command(read_gateways(path), argv)


def _hide_environment() -> None:
    """Keep other processes of the same user out of this one: its first environment has the keys."""
    with contextlib.suppress(OSError, AttributeError):  # a system other than Linux
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
