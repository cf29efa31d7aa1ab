"""Writes the sources of evidence as a project that can be planned and run, into one folder and nowhere else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory

from evalmake.evidence_checks.loaded_inputs import LoadedInputs
from evalmake.evidence_checks.path_names import HUB, place_of
from evalmake.evidence_checks.recorded_inputs import SOURCES, bad_evidence, check_copies
from evalmake.evidence_checks.sources import list_unread_sources, open_sources
from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.project.catalog import PREFIX

_NEVER_WRITTEN = (".evalmake", ".git", ".hg", ".jj", ".svn")
"""Folders that programs trust: results and replies of another store, and repositories, whose settings git obeys."""


@dataclass(frozen=True, slots=True)
class ProjectLayout:
    """Where the files of evidence lie below `root`. Where some lay outside of the project's folder, that is nested.

    So `../common/x` leads from the Evalfile to the copy of that file.
    """

    root: Path
    folder: str
    """Of the project, where it was loaded."""
    above: str
    """The folder there that `root` stands for."""
    evalfile: str

    @classmethod
    def of(cls, root: Path, inputs: LoadedInputs) -> ProjectLayout:
        """The layout below an absolute path."""
        outside = [os.path.dirname(name) for name in inputs.files if name.startswith("/")]
        above = os.path.commonpath([inputs.folder, *outside])
        return cls(root, inputs.folder, above, inputs.evalfile)

    @property
    def path(self) -> Path:
        """The Evalfile."""
        return self.root / os.path.relpath(self.folder, self.above) / self.evalfile

    def path_of(self, name: str) -> Path:
        """The path of a file by its name; EvalmakeError where it is one that no project may have."""
        place_of(name)
        inner = os.path.relpath(name if name.startswith("/") else os.path.join(self.folder, name), self.above)
        parts = Path(inner).parts
        if ".." in parts or any(part.lower() in _NEVER_WRITTEN for part in parts):
            raise bad_evidence(f"the evidence wants to write `{inner}`, which no Evalfile needs")
        return self.root / inner


def write_project(evidence: Path, inputs: LoadedInputs, root: Path) -> ProjectLayout:
    """Write all sources below `root`, which must be empty, or hold these very files already."""
    layout = ProjectLayout.of(root, inputs)
    copies = check_copies(evidence / SOURCES, inputs.files)
    wanted = {layout.path_of(name): path for name, path in copies.items() if not name.startswith((PREFIX, HUB))}
    for name in _list_unread(evidence, copies):
        raise bad_evidence(f"the evidence wants to write `{name}`, which its Evalfile does not read")
    if _is_empty(root):
        _copy(wanted.items(), root)
    else:
        _check_same(wanted, root)
    return layout


def _list_unread(evidence: Path, names: Iterable[str]) -> list[str]:
    """The files that its Evalfile does not read; where it does not load here, those that programs may obey."""
    with TemporaryDirectory(prefix="evalmake-sources-") as scratch:
        try:
            return list_unread_sources(open_sources(evidence, Path(scratch))[0])
        except EvalmakeError:
            return [name for name in names if any(part.startswith(".") for part in Path(name).parts)]


def _copy(files: Iterable[tuple[Path, Path]], root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        for path, source in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as reader, path.open("xb") as writer:
                shutil.copyfileobj(reader, writer)
    except FileExistsError as error:
        raise bad_evidence(f"two files of the evidence have one place: {error.filename}") from None
    except OSError as error:
        raise make_error("bad-evidence", f"cannot write to {root}: {error.strerror}") from None


def _is_empty(root: Path) -> bool:
    try:
        return next(root.iterdir(), None) is None
    except FileNotFoundError:
        return True
    except OSError as error:
        raise make_error("bad-evidence", f"cannot write to {root}: {error.strerror}") from None


def _check_same(wanted: dict[Path, Path], root: Path) -> None:
    """A folder that has all files already is one that was written before; any other is somebody's."""
    if not wanted or not all(_is_same(path, source) for path, source in wanted.items()):
        help_ = ["name a new folder: `--into FOLDER`"]
        raise make_error("bad-evidence", f"{root} is not empty, and nothing in it is overwritten", help=help_)


def _is_same(path: Path, source: Path) -> bool:
    return path.is_file() and not path.is_symlink() and hash_of(path) == hash_of(source)


def hash_of(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
