"""Finds the files that match a pattern, and notes every place whose change can change what is found.

The patterns are those of Python's `glob`, with `**`: links to folders are followed, but not in a circle.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import filter as keep_matching
from pathlib import Path

from evalmake.language.diagnostic import make_error
from evalmake.language.source import Span

_MOST_ENTRIES = 200_000
_Inode = tuple[int, int]


def find_files(root: Path, pattern: str, watched: set[str], at: Span | None = None) -> list[str]:
    """The sorted names below `root` of the regular files that match `pattern`.

    Adds to `watched` each path that was listed or looked at: while none of them changes, the answer stays.
    EvalmakeError, with the place `at`, if too many files and folders must be looked at.
    """
    return _Search(str(root), watched, at).find_files(pattern.split("/"))


def find_folders(root: Path, pattern: str, watched: set[str], at: Span | None = None) -> list[str]:
    """The sorted names below `root` of the folders that match `pattern`; as `find_files`."""
    return _Search(str(root), watched, at).find_folders(pattern.split("/"))


def is_pattern(text: str) -> bool:
    """Whether a path is a pattern."""
    return any(char in text for char in "*?[")


def split_pattern(pattern: str, folder: str) -> tuple[Path, str]:
    """The folder that `pattern` begins in, relative to `folder`, and the rest from its first wildcard on."""
    parts = Path(os.path.normpath(pattern)).parts
    wild = next((i for i, part in enumerate(parts) if is_pattern(part)), len(parts) - 1)
    return Path(os.path.normpath(os.path.join(folder, *parts[:wild]))), "/".join(parts[wild:])


class _Search:
    def __init__(self, root: str, watched: set[str], at: Span | None) -> None:
        self._root = root
        self._at = at
        self._watched = watched
        self._left = _MOST_ENTRIES

    def find_files(self, parts: list[str]) -> list[str]:
        """The names of files that match all parts of a pattern."""
        return sorted(name for name in self._find(parts) if self._is_file(name))

    def find_folders(self, parts: list[str]) -> list[str]:
        """The names of folders that match all parts of a pattern; each is watched."""
        names = sorted(name for name in self._find(parts) if os.path.isdir(self._path(name)))
        self._watched.update(map(self._path, names))
        return names

    def _find(self, parts: list[str]) -> Iterable[str]:
        found: Iterable[str] = [""]
        for position, part in enumerate(parts):
            is_last = position == len(parts) - 1
            found = list(dict.fromkeys(name for folder in found for name in self._step(folder, part, is_last)))
        return found

    def _step(self, folder: str, part: str, is_last: bool) -> Iterator[str]:
        """The names in `folder` that match one part of the pattern: folders only, unless it is the last part."""
        if part == "**":
            yield from self._descend(folder, is_last)
        elif not is_pattern(part):
            name = os.path.join(folder, part)
            self._watched.add(self._path(name))
            if os.path.lexists(self._path(name)):
                yield name
        else:
            entries = self._list(folder, part)
            matching = set(keep_matching([entry.name for entry in entries], part))
            for entry in entries:
                if entry.name in matching and (is_last or self._is_folder(entry)):
                    yield os.path.join(folder, entry.name)

    def _descend(self, top: str, with_files: bool) -> Iterator[str]:
        """`top` and every folder below it, and every file `with_files`; hidden ones are left out."""
        pending: list[tuple[str, tuple[_Inode, ...]]] = [(top, ())]
        while pending:
            folder, above = pending.pop()
            inode = self._inode(folder)
            if inode is None or inode in above:  # a link that leads back to a folder around it
                continue
            yield folder
            for entry in self._list(folder, "**"):
                path = os.path.join(folder, entry.name)
                if self._is_folder(entry):
                    pending.append((path, (*above, inode)))
                elif with_files:
                    yield path

    def _list(self, folder: str, part: str) -> list[os.DirEntry[str]]:
        """The entries of `folder` that a part of a pattern may mean; none if it cannot be listed."""
        self._watched.add(self._path(folder))
        try:
            with os.scandir(self._path(folder)) as found:
                entries = list(found)
        except OSError:
            return []
        self._left -= len(entries)
        if self._left < 0:
            raise make_error(
                "too-large",
                f"this pattern goes through more than {_MOST_ENTRIES} files and folders",
                self._at,
                notes=[f"it begins in {self._root}"],
                help=["begin it in a folder nearer to the files, or write out a part that is `**`"],
            )
        return entries if part.startswith(".") else [entry for entry in entries if not entry.name.startswith(".")]

    # The target of a link may change without any change of the folder that holds the link, so a link is watched
    # where it leads to nothing that the pattern wants. Where it leads to a folder or a file, that is watched anyway.

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        is_folder = _is_directory(entry)
        if not is_folder and entry.is_symlink():
            self._watched.add(self._path(entry.path))
        return is_folder

    def _is_file(self, name: str) -> bool:
        path = self._path(name)
        is_file = os.path.isfile(path)
        if not is_file and os.path.islink(path):
            self._watched.add(path)
        return is_file

    def _inode(self, folder: str) -> _Inode | None:
        try:
            found = os.stat(self._path(folder))
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _path(self, name: str) -> str:
        return os.path.join(self._root, name)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or leads to one; a link in a circle leads to nothing."""
    try:
        return entry.is_dir()
    except OSError:
        return False
