"""What a file holds, or a folder with all below it: names and digests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalmake.language.file_hashes import FileHashes


@dataclass(frozen=True, slots=True)
class Content:
    """Digests by name: one, of the name "", where it is a `single` file. That of a link is where it leads."""

    digests: tuple[tuple[str, str], ...]
    single: bool


def read_content(path: Path, watched: set[str], hashes: FileHashes) -> Content | None:
    """The content at `path`, None if nothing is there or it cannot be read.

    Adds to `watched` each folder whose change can change it.
    """
    watched.add(str(path))  # it may appear, or become something else
    try:
        if os.path.isfile(path):
            found = Content((("", hashes.of(path)),), single=True)
        elif os.path.isdir(path):
            files = _walk(path, watched)
            found = Content(tuple((str(one.relative_to(path)), _digest(one, hashes)) for one in files), single=False)
        else:
            return None
    except OSError:
        return None
    hashes.save()
    return found


def _walk(folder: Path, watched: set[str]) -> Iterator[Path]:
    """The files and links of a folder, in the order of their names; devices and the like have no content.

    Adds each folder to `watched`.
    """
    for parent, folders, names in os.walk(folder):
        watched.add(parent)
        folders.sort()
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(parent) / name
            if path.is_symlink() or path.is_file():
                yield path


def _digest(path: Path, hashes: FileHashes) -> str:
    return f"link:{os.readlink(path)}" if path.is_symlink() else hashes.of(path)
