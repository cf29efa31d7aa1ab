"""evalmake and what it needs, for containers of the base image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import evalmake
from tests.support.docker_engine import HOME

PACKAGE = Path(evalmake.__file__).parent


def packages() -> Path:
    """What `evalmake.harnesses.native` and `evalmake.engines.mock` need, for the Python of the base image."""
    folder = HOME / "packages-3.11"
    if not folder.exists():
        unfinished = HOME / f"packages-3.11.{id(folder)}"
        argv = [sys.executable, "-m", "pip", "install", "-q", "--target", str(unfinished)]
        argv += [
            "--python-version",
            "3.11",
            "--only-binary=:all:",
            "aiohttp",
            "httptools",
            "uvloop",
            "xxhash",
        ]
        subprocess.run(argv, check=True, capture_output=True)
        try:
            unfinished.rename(folder)
        except OSError:  # another worker was faster
            assert folder.exists()
    return folder
