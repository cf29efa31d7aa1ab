"""Refuses links in a workspace that lead out of the project: a stranger's repository can hold `.evalmake`, too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from evalmake.language.diagnostic import make_error
from evalmake.project.boundary import ALLOW_VARIABLE, Boundary

_OF_STORE = ("", "replies")
_OF_WORKSPACE = ("", "cache", "cache/checked-data", "verdicts", "journal", "work", "logs", "inputs")


def check_links(root: Path, evalfile: Path) -> None:
    """EvalmakeError where a part of the workspace is a link out of the project, as `-n` would write there.

    Deeper in a store are only files of values, which are never links (`find_value_file`).
    """
    if root.is_symlink():
        _check_link(root, evalfile)
    for link in _find_links(root, _OF_WORKSPACE):
        _check_link(link, evalfile)
    check_store_links(root / "store", evalfile)


def check_store_links(store: Path, evalfile: Path) -> None:
    """The same for a part of a store, wherever that is."""
    for link in _find_links(store, _OF_STORE):
        _check_link(link, evalfile)


def _check_link(link: Path, evalfile: Path) -> None:
    if Boundary(evalfile).holds(link):
        return
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


def _find_links(root: Path, folders: Iterable[str]) -> Iterator[Path]:
    """The links in these folders of `root`."""
    for name in folders:
        with suppress(OSError), os.scandir(root / name) as entries:
            yield from [Path(entry.path) for entry in entries if entry.is_symlink()]
