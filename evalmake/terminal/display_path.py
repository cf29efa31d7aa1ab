"""Paths as people read them."""

from __future__ import annotations

import os
from pathlib import Path


def display_path(path: Path) -> str:
    """The path relative to the working folder, or absolute if it lies outside."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
