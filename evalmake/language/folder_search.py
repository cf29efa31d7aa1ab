"""Finds the folders of a `glob()` that ends in `/`, those that are complete: checkpoints of a training, say."""

from __future__ import annotations

import os
import time
from pathlib import Path

from evalmake.language.file_search import find_files, find_folders
from evalmake.language.source import Span
from evalmake.language.text import natural_order


def find_complete_folders(
    root: Path, pattern: str, marker: str, watched: set[str], settle: float, at: Span
) -> tuple[list[tuple[str, list[str]]], float | None]:
    """The folders below `root` that match, with their files, in natural order: `step-9` before `step-10`.

    Left out is one without a file, or without the file `marker`, and one in which something changed less than
    `settle` seconds ago. The second value is when the next of those will have been quiet for so long. No folder that
    is left out is hashed, as that is the work of minutes.
    """
    found = []
    waits = []
    for name in sorted(find_folders(root, pattern, watched, at), key=natural_order):
        folder = root / name
        if marker and not (folder / marker).is_file():
            continue
        files = find_files(folder, "**", watched, at)
        if not files:
            continue
        left = _time_left(folder, files, settle) if settle else 0.0
        if left > 0:
            waits.append(left)
        else:
            found.append((name, files))
    return found, min(waits, default=None)


def _time_left(folder: Path, files: list[str], settle: float) -> float:
    """In how many seconds the folder will have been quiet for long enough; none are left where that is not positive.

    Only the time of change tells: a copy may keep the times of modification.
    """
    paths = {folder, *(folder / one for one in files), *(parent for one in files for parent in (folder / one).parents)}
    inside = [path for path in paths if path == folder or path.is_relative_to(folder)]
    return max(os.stat(path).st_ctime for path in inside) + settle - time.time()
