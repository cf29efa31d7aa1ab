"""How the inputs of a job get into its folder on this host."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

LARGE = 64 * 2**20
"""Bytes. A larger input is not copied: a link or a mount leads to it, and evalmake checks it before each use."""


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write texts below `folder`."""
    for name, text in files.items():
        with_parent(folder / name).write_text(text, encoding="utf-8")


def place_inputs(folder: Path, inputs: Mapping[str, Path]) -> None:
    """Copy inputs below `folder`, or link to those that are large; no job sees what another does to its copy."""
    for name, source in inputs.items():
        path = with_parent(folder / name)
        if source.stat().st_size <= LARGE:
            shutil.copyfile(source, path)
        else:
            path.symlink_to(source.resolve())


def with_parent(path: Path) -> Path:
    """Return the path once the folder is there that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
