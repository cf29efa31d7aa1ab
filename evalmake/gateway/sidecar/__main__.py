"""`python -m evalmake.gateway.sidecar SIDECAR.json COMMAND...`: run a command with gateways next to it."""

from __future__ import annotations

import os
import sys

from evalmake.gateway.sidecar.settings import read_gateways
from evalmake.gateway.sidecar.sidecar import run_command
from evalmake.process_secrecy import forbid_inspection


def main() -> int:
    """Read the file and run the command; returns the exit status."""
    path, *argv = sys.argv[1:]
    os.umask(0o077)
    forbid_inspection()
    return run_command(read_gateways(path), argv)


if __name__ == "__main__":
    sys.exit(main())
