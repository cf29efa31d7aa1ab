"""The Python of a cluster's nodes, which is this system's, and packages for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import evalmake
from evalmake.run.environments.environment import Environment
from tests.support import inside
from tests.support.debian import HOME
from tests.support.environments import build_for

PYTHON = "/usr/bin/python3"
NEEDED = ("diskcache", "httptools", "pydantic", "uvloop", "xxhash")
"""What sidecars, colocation and the native harness need."""


def node_python(folder: Path) -> Path:
    """A program in a folder: Python with the very evalmake that is tested, which every user may run."""
    made = folder / "python"
    if made.exists():
        return made
    folder.mkdir()
    source = Path(evalmake.__file__).parent
    shutil.copytree(source, folder / "src" / "evalmake", ignore=shutil.ignore_patterns("__pycache__"))
    packages = inside.install("nodes", node_version(), NEEDED)
    made.write_text(
        f'#!/bin/sh\nexport PYTHONPATH={folder}/src:{packages} PYTHONDONTWRITEBYTECODE=1\nexec {PYTHON} "$@"\n'
    )
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    made.chmod(0o755)
    return made


def node_packages(environment: Environment) -> Path:
    """An environment's packages for the nodes' Python, installed anew where that is another version than this one."""
    version = node_version()
    installed = f"lib/python{version}/site-packages"
    if (environment.folder / installed).exists():
        return environment.folder / installed
    return build_for(PYTHON, environment.packages, HOME / f"nodes-{version}" / environment.name) / installed


def node_version() -> str:
    """The version of the nodes' Python, which is this system's: `3.11`."""
    argv = [PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
