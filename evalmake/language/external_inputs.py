"""What an Evalfile reads from outside, and a record of what it has read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.language.file_content import Content, read_content
from evalmake.language.file_hashes import FileHashes
from evalmake.language.file_search import find_files
from evalmake.language.folder_search import find_complete_folders
from evalmake.language.regular_file import check_regular, read_regular
from evalmake.language.source import Span
from evalmake.language.values import File

MOST_NAMED_BYTES, MOST_NAMED_FILES = 20 << 20, 200_000
"""Of one file that data name, and how many of them one file of data can name."""
FoundFolders = list[tuple[str, list[str]]]
"""The names of folders, each with the names of the files in it."""
Question = tuple[str, ...]
"""The kind of a question, the absolute path that it is about, and what more it names."""


@dataclass
class ExternalInputs:
    """The environment and files that an Evalfile can read, and a record of what it has read.

    Loading asks about the outside here and nowhere else. So another class can give the same answers elsewhere, from
    a record of them.

    `watched` has the places on which the answer of a `glob()` depends, besides the files found.
    """

    environment: Mapping[str, str]
    hashes: FileHashes
    variables_read: dict[str, str | None] = field(default_factory=dict)
    watched: set[str] = field(default_factory=set)
    settle: float = 0.0
    """For how many seconds a folder must have been quiet, for a `glob()` over folders to find it."""
    next_settled: float | None = None
    """When the next of the folders that were left out will have been quiet for so long, in seconds from now."""
    texts: dict[Path, bytes] = field(default_factory=dict)
    """The files that were read as a whole: the Evalfile, its includes and its lock."""
    digests: dict[Path, str] = field(default_factory=dict)
    """The sha256 of each file that was hashed."""
    answers: dict[Question, object] = field(default_factory=dict)
    """What was asked about files and folders besides, and the answers."""
    check_text: Callable[[Path, Span], None] = lambda path, at: None
    """Raises an EvalmakeError for a file whose text may not be shown: see `evalmake/project/boundary.py`."""

    def variable(self, name: str) -> str | None:
        """The value of a variable of the environment."""
        self.variables_read[name] = self.environment.get(name)
        return self.variables_read[name]

    def read(self, path: Path, most: int) -> bytes:
        """The bytes of a regular file of at most `most` bytes; OSError where it is none, or cannot be read."""
        self.watched.add(str(path.absolute()))
        data = read_regular(path, most)
        self.texts[path.absolute()] = data
        return data

    def digest(self, path: Path) -> str:
        """Hex sha256 of a regular file; OSError where it is none, or cannot be read."""
        digest = self.hashes.of(path)
        self.digests[path.absolute()] = digest
        return digest

    def exists(self, path: Path) -> bool:
        """Whether there is anything at `path`."""
        found = os.path.exists(path)
        self.answers["exists", str(path.absolute())] = found
        return found

    def is_file(self, path: Path) -> bool:
        """Whether there is a regular file at `path`."""
        found = os.path.isfile(path)
        self.answers["is_file", str(path.absolute())] = found
        return found

    def find_files(self, root: Path, pattern: str, at: Span) -> list[str]:
        """The sorted names below `root` of the regular files that match `pattern`."""
        found = find_files(root, pattern, self.watched, at)
        self.answers["files", str(root.absolute()), pattern] = found
        return found

    def find_folders(self, root: Path, pattern: str, marker: str, at: Span) -> FoundFolders:
        """The folders below `root` that match and are complete, in natural order; see `find_complete_folders`."""
        found, left = find_complete_folders(root, pattern, marker, self.watched, self.settle, at)
        if left is not None:
            self.next_settled = min(left, self.next_settled or left)
        self.answers["folders", str(root.absolute()), pattern, marker] = found
        return found

    def content(self, path: Path) -> Content | None:
        """What a file holds, or a folder with all below it; None where it cannot be seen from here."""
        found = read_content(path, self.watched, self.hashes)
        self.answers["content", str(path.absolute())] = found
        return found

    def named_files(self, path: Path, question: str, find: Callable[[Path], list[str]]) -> list[File]:
        """The files that a file of data names and that are there, relative to its folder.

        `path` is where its content lies, `find` reads all names, and `question` says which those are.
        """
        found: list[str] = []
        for name in find(path):
            target = path.parent / name
            try:
                fits = check_regular(target).st_size <= MOST_NAMED_BYTES
            except OSError:
                fits = False
            self.watched.add(str(target))
            if fits and len(found) < MOST_NAMED_FILES:
                found.append(name)
        self.answers["named", str(path.absolute()), question] = found
        return self._list_files_beside(path, found)

    def _list_files_beside(self, path: Path, names: Iterable[str]) -> list[File]:
        beside = {name: path.parent / name for name in names}
        return [File(name, self.digest(target), self.place(target)) for name, target in beside.items()]

    def place(self, path: Path) -> Path:
        """Where the content of a file that was hashed lies."""
        return path
