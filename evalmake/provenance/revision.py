"""The files of a revision, read from the objects of a git repository into a folder: nothing is checked out.

The folder looks like the repository at that revision. Files that git does not track, such as data and weights that it
ignores, are links to those of the working folder: they belong to no revision. A pointer of Git LFS is a link to its
object, where the repository has that. Nothing that the repository names is run, so no filter changes a file.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evalmake.provenance.git_program import Git, GitFailed

MOST_FILES, MOST_BYTES = 50_000, 1 << 30
_SECONDS = 120.0
_STATE, _MARK = ".evalmake", ".git"
_LFS_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-.*\n)*oid sha256:([0-9a-f]{64})\n")
_LONGEST_POINTER = 1024


class RevisionError(Exception):
    """A revision cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    object: str
    size: int
    path: str


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision whose files are in `folder`; `root` is the folder of the repository."""

    commit: str
    root: Path
    folder: Path


def extract_revision(inside: Path, name: str, folder: Path) -> Revision:
    """Write the files of a revision of the repository that `inside` is in to an empty folder; RevisionError if not.

    A repository that is larger than a comparison should read is read below `inside` only.
    """
    git = Git(inside, time.monotonic() + _SECONDS)
    root = _find_root(git, inside)
    try:
        commit = git.read("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except GitFailed:
        raise RevisionError(f"`{name}` is no branch, tag or commit of the repository {root}") from None
    top = Git(root, time.monotonic() + _SECONDS)
    try:
        entries = _choose(_list_entries(top, commit), inside.relative_to(root).as_posix())
        _write_files(top, entries, folder, _find_lfs_objects(top, root))
        _link_untracked(top, root, folder)
    except GitFailed:
        raise RevisionError(f"git cannot read the files of `{name}`") from None
    except OSError as error:
        raise RevisionError(f"the files of `{name}` cannot be written: {error.strerror}") from None
    (folder / _MARK).mkdir(exist_ok=True)  # includes may stand anywhere in the repository
    return Revision(commit, root, folder)


def list_revisions(inside: Path) -> list[str]:
    """The names of local branches and tags; empty where git tells none."""
    git = Git(inside, time.monotonic() + 5.0)
    try:
        return git.read("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags").splitlines()
    except GitFailed:
        return []


def _find_root(git: Git, inside: Path) -> Path:
    try:
        root = git.read("rev-parse", "--show-toplevel")
    except GitFailed:
        raise RevisionError(f"{inside} is in no git repository, or there is no `git`") from None
    found = Path(root)
    if not root or not inside.is_relative_to(found):
        raise RevisionError(f"{inside} is in no git repository")
    return found


def _list_entries(git: Git, commit: str) -> Iterator[_Entry]:
    listing = b"".join(git.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit))
    for line in listing.split(b"\0"):
        head, _, path = line.partition(b"\t")
        words = head.split()
        if len(words) == 4 and words[1] == b"blob":
            yield _Entry(words[0].decode(), words[2].decode(), int(words[3]), os.fsdecode(path))


def _choose(found: Iterator[_Entry], below: str) -> list[_Entry]:
    """All files, or where these are too many those below a folder."""
    entries = [entry for entry in found if _is_plain(entry.path)]
    if _is_too_large(entries) and below != ".":
        entries = [entry for entry in entries if entry.path.startswith(f"{below}/")]
    if _is_too_large(entries):
        message = f"its files are more than {MOST_FILES:,}, or more than {MOST_BYTES >> 30} GB"
        raise RevisionError(f"{message}: keep a baseline instead")
    return entries


def _is_too_large(entries: list[_Entry]) -> bool:
    return len(entries) > MOST_FILES or sum(entry.size for entry in entries) > MOST_BYTES


def _is_plain(path: str) -> bool:
    """Whether a path stays in its folder, and is no state of git or evalmake."""
    parts = PurePosixPath(path).parts
    return not path.startswith("/") and not {"..", _STATE} & set(parts) and parts[0].lower() != _MARK


def _write_files(git: Git, entries: list[_Entry], folder: Path, lfs: Path | None) -> None:
    """Write all files, and links last, so that no file is written through one."""
    contents = _read_objects(git, [entry.object for entry in entries])
    links = []
    for entry in entries:
        data = next(contents)
        path = folder / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.mode == "120000":
            links.append((path, os.fsdecode(data)))
        elif (large := _find_large_file(data, lfs)) is not None:
            links.append((path, str(large)))
        else:
            path.write_bytes(data)
    for path, target in links:
        path.symlink_to(target)


def _read_objects(git: Git, names: list[str]) -> Iterator[bytes]:
    """The contents of objects, in order."""
    with tempfile.TemporaryFile() as asked:
        asked.write("".join(f"{name}\n" for name in names).encode())
        asked.seek(0)
        pieces = git.run("cat-file", "--batch", stdin=asked)
        buffer = bytearray()

        def take(size: int) -> bytes:
            while len(buffer) < size:
                piece = next(pieces, None)
                if piece is None:
                    raise GitFailed
                buffer.extend(piece)
            taken = bytes(buffer[:size])
            del buffer[:size]
            return taken

        for _ in names:
            head = bytearray()
            while (one := take(1)) != b"\n":
                head += one
            words = head.split()
            if len(words) != 3 or words[1] != b"blob":
                raise GitFailed
            data = take(int(words[2]))
            take(1)
            yield data


def _find_lfs_objects(git: Git, root: Path) -> Path | None:
    try:
        common = git.read("rev-parse", "--git-common-dir")
    except GitFailed:
        return None
    folder = root / common / "lfs" / "objects"
    return folder if folder.is_dir() else None


def _find_large_file(data: bytes, lfs: Path | None) -> Path | None:
    """The object that a pointer of Git LFS stands for; None if it is no pointer, or the object is not there."""
    pointer = _LFS_POINTER.match(data) if len(data) <= _LONGEST_POINTER and lfs is not None else None
    if pointer is None or lfs is None:
        return None
    name = pointer[1].decode()
    path = lfs / name[:2] / name[2:4] / name
    return path if path.is_file() else None


def _link_untracked(git: Git, root: Path, folder: Path) -> None:
    """Link what git does not track, whole folders at once, where the revision has nothing of the name."""
    listing = b"".join(git.run("ls-files", "--others", "--directory", "-z"))
    for name in filter(None, listing.split(b"\0")):
        path = os.fsdecode(name).rstrip("/")
        if not path or not _is_plain(path) or os.path.lexists(folder / path):
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(root / path)
