"""The outside of an Evalfile as evidence recorded it: nothing of this machine but the files of `sources/`."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import cast

from evalmake.evidence_checks.loaded_inputs import NAME, LoadedInputs
from evalmake.evidence_checks.path_names import HUB, PathNames, place_of
from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.external_inputs import ExternalInputs, FoundFolders
from evalmake.language.file_content import Content
from evalmake.language.file_hashes import FileHashes, hash_bytes
from evalmake.language.file_tree import list_entries, read_plain_file
from evalmake.language.source import Span
from evalmake.language.values import File
from evalmake.project.boundary import Boundary

SOURCES = "sources"
MOST_SOURCE_BYTES = 16 << 30
"""Of all files in `sources/`."""


class RecordedInputs(ExternalInputs):
    """Answers from `inputs.json`, and the texts of files in `sources/`.

    A question that was not asked when the Evalfile was first loaded is an error: this machine is never asked.
    """

    def __init__(self, inputs: LoadedInputs, sources: Path, home: Path, absent: Path) -> None:
        """`home` stands for the project's folder; in `absent`, where nothing is, are said to be files not copied."""
        super().__init__({}, FileHashes())
        self._inputs = inputs
        self._names = PathNames(inputs.folder)
        self._home = str(home.absolute())
        self._absent = absent
        self._placed: dict[Path, Path] = {}
        """Where the content of a file lies -> the path of the file."""
        self._of_datasets: set[str] = set()
        self._copies = check_copies(sources, inputs.files)

    def variable(self, name: str) -> str | None:
        """The value that a variable of the environment had."""
        if name not in self._inputs.variables:
            raise _unanswered(f"the variable `{name}` of the environment")
        self.variables_read[name] = self._inputs.variables[name]
        return self.variables_read[name]

    def read(self, path: Path, most: int) -> bytes:
        """The text of a file in `sources/`."""
        name = self._name(path)
        copy = self._copies.get(name)
        if copy is None:
            raise bad_evidence(f"`{SOURCES}/` lacks `{name}`, which the Evalfile needs")
        try:
            data = read_plain_file(copy, most)
        except OSError as error:
            raise OSError(errno.EFBIG, error.strerror or f"it is larger than {most >> 20} MB", str(copy)) from None
        if hash_bytes(data) != self._inputs.files[name]:
            raise _contradicted(name)
        self.texts[path] = data
        return data

    def digest(self, path: Path) -> str:
        """The recorded digest, which that of the copy in `sources/` equals where there is one."""
        name = self._name(path)
        if name not in self._inputs.files:
            raise _unanswered(f"the file `{name}`")
        self.digests[path] = self._inputs.files[name]
        return self.digests[path]

    def exists(self, path: Path) -> bool:
        """Whether there was anything at `path`."""
        return cast(bool, self._answer("exists", path))

    def is_file(self, path: Path) -> bool:
        """Whether there was a regular file at `path`."""
        return cast(bool, self._answer("is_file", path))

    def find_files(self, root: Path, pattern: str, at: Span) -> list[str]:
        """The files that were found."""
        return cast(list[str], self._answer("files", root, pattern))

    def find_folders(self, root: Path, pattern: str, marker: str, at: Span) -> FoundFolders:
        """The folders that were found."""
        return cast(FoundFolders, self._answer("folders", root, pattern, marker))

    def named_files(self, path: Path, question: str, find: Callable[[Path], list[str]]) -> list[File]:
        """The files that a file of data named."""
        asked = self._placed[path]
        return self._list_files_beside(asked, cast(list[str], self._answer("named", asked, question)))

    def content(self, path: Path) -> Content | None:
        """What an image that is a file or folder held."""
        return cast(Content | None, self._answer("content", path))

    def place(self, path: Path) -> Path:
        """The copy of a file; a path at which nothing is where it was not copied."""
        name = self._name(path)
        place = self._copies.get(name) or self._absent / place_of(name)
        self._placed[place] = path
        return place

    def copy_of(self, name: str) -> Path | None:
        """The copy of a file of a data set by its name, if it was copied."""
        if name.startswith(HUB):
            self._of_datasets.add(name)
        return self._copies.get(name)

    def list_unread(self) -> list[str]:
        """The names of copies in `sources/` that loading the Evalfile has not asked for."""
        read = {self._name(path) for path in (*self.texts, *self.digests)}
        return sorted(self._copies.keys() - read - self._of_datasets)

    def _name(self, path: Path) -> str:
        text = str(path.absolute())
        if text.startswith(f"{self._home}/"):
            text = self._inputs.folder + text.removeprefix(self._home)
        return self._names.name_of(text)

    def _answer(self, kind: str, path: Path, *more: str) -> object:
        question = (kind, self._name(path), *more)
        if question not in self._inputs.answers:
            raise _unanswered(" ".join(f"`{text}`" for text in question[1:] if text))
        self.answers[kind, str(path), *more] = self._inputs.answers[question]
        return self._inputs.answers[question]


class RecordedBoundary(Boundary):
    """Evidence includes what was included: what lay in the project was decided where it was loaded."""

    def __init__(self, root: Path) -> None:
        self.watched = set()
        self.root = root

    def holds(self, path: Path) -> bool:
        """Whether a path may be read: only those in `sources/` can be."""
        return True

    def allows(self, path: Path, data: bytes) -> bool:
        """Whether it is shown as an Evalfile: its text is in the evidence for everybody to read."""
        return True


def check_copies(sources: Path, files: Mapping[str, str]) -> dict[str, Path]:
    """The copies in `sources/` by their names; EvalmakeError where one is a link, not known, or another file."""
    names = {place_of(name): name for name in files}
    copies = {}
    left = MOST_SOURCE_BYTES
    try:
        if sources.is_symlink():
            raise bad_evidence(f"`{SOURCES}` is a link, and evidence has none")
        for place, status in list_entries(sources):
            shown = f"{SOURCES}/{place}"
            if not stat.S_ISREG(status.st_mode):
                what = "a link" if stat.S_ISLNK(status.st_mode) else "no regular file"
                raise bad_evidence(f"`{shown}` is {what}; evidence holds regular files only")
            if place not in names:
                raise bad_evidence(f"{NAME} does not know the file `{shown}`")
            left -= status.st_size
            if left < 0:
                raise bad_evidence(f"the files in `{SOURCES}` are larger than {MOST_SOURCE_BYTES >> 30} GiB")
            if _hash_plain_file(sources / place, status.st_size) != files[names[place]]:
                raise _contradicted(names[place])
            copies[names[place]] = sources / place
    except OSError as error:
        raise bad_evidence(f"`{SOURCES}` cannot be read: {error.strerror}") from None
    return copies


def bad_evidence(message: str, *notes: str) -> EvalmakeError:
    """The error for an evidence folder that cannot be what evalmake wrote."""
    return make_error("bad-evidence", message, notes=notes, help=["ask for the whole folder again, as it was written"])


def _unanswered(what: str) -> EvalmakeError:
    return bad_evidence(f"the Evalfile of the evidence asks about {what}, and {NAME} has no answer")


def _contradicted(name: str) -> EvalmakeError:
    return bad_evidence(f"`{name}` in `{SOURCES}` is not the file whose digest {NAME} has")


def _hash_plain_file(path: Path, size: int) -> str:
    """The sha256 of a plain file of `size` bytes; of no more than those, if it grows."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    digest = sha256()
    with open(handle, "rb") as stream:
        while size >= 0 and (piece := stream.read(min(size + 1, 1 << 20))):
            digest.update(piece)
            size -= len(piece)
    return digest.hexdigest()
