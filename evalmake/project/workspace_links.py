"""Refuses links in a workspace that lead out of the project: a stranger's repository can hold `.evalmake`, too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from evalmake.language.diagnostic import make_error
from evalmake.project.boundary import ALLOW_VARIABLE, Boundary

_FOLDERS = ("", "cache", "store", "store/replies", "verdicts", "journal", "work")


def check_links(root: Path, evalfile: Path) -> None:
    """EvalmakeError where a part of the workspace is a link out of the project, as `-n` would write there."""
    for link in _find_links(root):
        if Boundary(evalfile).holds(link):
            continue
        target = os.path.realpath(link)
        raise make_error(
            "outside-project",
            f"`{os.path.relpath(link)}` is a link out of the project, to {target}: nothing is written there",
            help=[
                "if the link is not yours, delete it",
                f"if it is: `evalmake --allow-path {target}`, or `export {ALLOW_VARIABLE}={target}`",
                "to keep results elsewhere, set their folder: `settings { store = FOLDER }`",
            ],
        )


def _find_links(root: Path) -> Iterator[Path]:
    """The links among the workspace's folders, and what is in them."""
    if root.is_symlink():
        yield root
    for name in _FOLDERS:
        with suppress(OSError), os.scandir(root / name) as entries:
            yield from [Path(entry.path) for entry in entries if entry.is_symlink()]
