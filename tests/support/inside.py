"""evalmake and what it needs, for Pythons other than the one that runs the tests: of containers and of nodes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import evalmake
from tests.support.debian import HOME, IMAGE_RELEASE, PYTHONS

PACKAGE = Path(evalmake.__file__).parent


def packages() -> Path:
    """What `evalmake.harnesses.native` and `evalmake.engines.mock` need, for containers of the base image."""
    return install("containers", PYTHONS[IMAGE_RELEASE], ("httptools", "uvloop", "xxhash"))


def install(name: str, version: str, distributions: tuple[str, ...]) -> Path:
    """Install distributions for a version of Python into a folder that every user may read; once for each name."""
    folder = HOME / f"packages-{name}-{version}"
    if not folder.exists():
        unfinished = HOME / f"{folder.name}.{id(folder)}"
        argv = [sys.executable, "-m", "pip", "install", "-q", "--target", str(unfinished)]
        argv += ["--python-version", version, "--only-binary=:all:", *distributions]
        subprocess.run(argv, check=True, capture_output=True)
        subprocess.run(["chmod", "-R", "a+rX", unfinished], check=True)
        try:
            unfinished.rename(folder)
        except OSError:  # another worker was faster
            assert folder.exists()
    return folder
