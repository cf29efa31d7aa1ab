"""Finds the folders of a `glob()` that ends in `/`, those that are complete: checkpoints of a training, say."""

from __future__ import annotations

import os
import time
from pathlib import Path

from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.file_search import find_files, find_folders
from evalmake.language.source import Span
from evalmake.language.text import natural_order
from evalmake.language.values import File, Files, Folder


def find_complete_folders(
    root: Path, pattern: str, marker: str, external: ExternalInputs, at: Span
) -> tuple[Folder, ...]:
    """The folders below `root` that match, in natural order: `step-9` before `step-10`.

    Left out is one without a file, or without the file `marker`, and one in which something changed less than
    `external.settle` seconds ago. It is not hashed, as that is the work of minutes.
    """
    found = []
    for name in sorted(find_folders(root, pattern, external.watched, at), key=natural_order):
        folder = root / name
        if marker and not (folder / marker).is_file():
            continue
        files = find_files(folder, "**", external.watched, at)
        if files and not _is_restless(folder, files, external):
            hashed = tuple(File(one, external.hashes.of(folder / one), folder / one) for one in files)
            found.append(Folder(name.replace("/", "."), Files(hashed)))
    return tuple(found)


def _is_restless(folder: Path, files: list[str], external: ExternalInputs) -> bool:
    """Whether a file or folder changed too lately; note when it will have been quiet for long enough.

    Only the time of change tells: a copy may keep the times of modification.
    """
    if not external.settle:
        return False
    paths = {folder, *(folder / one for one in files), *(parent for one in files for parent in (folder / one).parents)}
    inside = [path for path in paths if path == folder or path.is_relative_to(folder)]
    left = max(os.stat(path).st_ctime for path in inside) + external.settle - time.time()
    if left > 0:
        external.next_settled = min(left, external.next_settled or left)
    return left > 0
