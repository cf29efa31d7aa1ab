"""The git repository that an Evalfile lies in: its commit, and how the files on the disk differ from it.

The repository may be somebody else's work, so nothing that its own configuration names is run: no hook, no monitor of
files, no filter, no transport. Whatever goes wrong, from a missing `git` to one that hangs, is an unknown and no error.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from evalmake.provenance.git_program import Git, GitFailed

_SECONDS = 5.0  # for all that is asked
_DIFF = (
    "diff",
    "--binary",
    "--full-index",
    "--unified=3",
    "--diff-algorithm=myers",
    "--indent-heuristic",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--no-relative",
    "--ignore-submodules=dirty",
    "HEAD",
    "--",
)
_OWN_FOLDER = ".evalmake"
_LONGEST_NAME = 500  # characters


def describe_repository(folder: Path, seconds: float = _SECONDS) -> dict[str, object] | None:
    """The commit of the repository that `folder` is in, and how its files differ from that; None if none is known.

    `difference` is the sha256 of what `git diff HEAD` prints of the whole repository, binary files included; empty
    where there is none. `untracked` counts the files below `folder` that git neither has nor ignores. What takes longer
    than `seconds` in all is None.
    """
    if not any(os.path.exists(parent / ".git") for parent in (folder, *folder.parents)):
        return None
    git = Git(folder, time.monotonic() + seconds)
    try:
        commit, branch = git.read("rev-parse", "HEAD", "--abbrev-ref", "HEAD").split("\n")[:2]
        settings = git.read_settings()
    except (GitFailed, ValueError):
        return None
    git.distrust_filters(settings)
    difference = _digest_difference(git)
    return {
        "commit": commit,
        "branch": "" if branch == "HEAD" else branch[:_LONGEST_NAME],
        "remote": strip_credentials(_find_remote(settings)),
        "dirty": None if difference is None else bool(difference),
        "difference": difference,
        "untracked": _count_untracked(git),
    }


def _digest_difference(git: Git) -> str | None:
    """The digest of the difference between the commit and the files; empty without one, None if it is unknown."""
    if git.has_odd_filters:
        return None
    found, has_difference = sha256(), False
    try:
        for piece in git.run(*_DIFF):
            has_difference = True
            found.update(piece)
    except GitFailed:
        return None
    return f"sha256:{found.hexdigest()}" if has_difference else ""


def _count_untracked(git: Git) -> int | None:
    """How many files below the folder git neither has nor ignores; None if it is unknown."""
    excluded = f":(exclude,glob)**/{_OWN_FOLDER}/**"
    try:
        listing = git.run("ls-files", "--others", "--exclude-standard", "-z", "--", ".", excluded)
        return sum(piece.count(b"\0") for piece in listing)
    except GitFailed:
        return None


def _find_remote(settings: Iterable[tuple[str, str, str]]) -> str:
    """The address of the remote `origin`, or else of the first one."""
    addresses = {name: value for _, name, value in reversed([*settings]) if name.startswith("remote.")}
    return addresses.get("remote.origin.url") or next(reversed(addresses.values()), "")


def strip_credentials(address: str) -> str:
    """The address of a remote without its user, password, query and fragment; empty for a command (`ext::...`)."""
    scheme, mark, rest = address.partition("://")
    if "::" in scheme:
        return ""
    if not mark:
        is_path = address.startswith(("/", ".", "~")) or ":" not in address
        return (address if is_path else address.rpartition("@")[2])[:_LONGEST_NAME]
    rest = rest.rpartition("@")[2]  # a password may have any character in it
    for end in "?#":
        rest = rest.partition(end)[0]
    return f"{scheme}{mark}{rest}"[:_LONGEST_NAME]
