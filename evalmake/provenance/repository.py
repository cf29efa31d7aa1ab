"""The git repository that an Evalfile lies in: its commit, and how the files on the disk differ from it.

The repository may be somebody else's work, so nothing that its own configuration names is run: no hook, no monitor of
files, no filter, no transport. Whatever goes wrong, from a missing `git` to one that hangs, is an unknown and no error.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import IO

_SECONDS = 5.0  # for all that is asked
_PASSED_VARIABLES = ("PATH", "HOME", "XDG_CONFIG_HOME", "SUDO_UID")
_VARIABLES = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}
_SETTINGS = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.quotePath=true",
    "diff.autoRefreshIndex=false",
    "diff.orderFile=/dev/null",
    "diff.interHunkContext=0",
    "diff.suppressBlankEmpty=false",
    "diff.submodule=short",
)
"""What nobody's configuration changes: what git runs, and the text of a difference."""
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
_TRUSTED_SCOPES = ("global", "system")
_PIECE = 1 << 16
_LONGEST_NAME = 500  # characters


class _Failed(Exception):
    """git is missing, failed, or took too long."""


def describe_repository(folder: Path, seconds: float = _SECONDS) -> dict[str, object] | None:
    """The commit of the repository that `folder` is in, and how its files differ from that; None if none is known.

    `difference` is the sha256 of what `git diff HEAD` prints of the whole repository, binary files included; empty
    where there is none. `untracked` counts the files below `folder` that git neither has nor ignores. What takes longer
    than `seconds` in all is None.
    """
    if not any(os.path.exists(parent / ".git") for parent in (folder, *folder.parents)):
        return None
    git = _Git(folder, time.monotonic() + seconds)
    try:
        commit, branch = git.read("rev-parse", "HEAD", "--abbrev-ref", "HEAD").split("\n")[:2]
        settings = git.read_settings()
    except (_Failed, ValueError):
        return None
    git.distrust_filters(settings)
    difference = git.digest_difference()
    return {
        "commit": commit,
        "branch": "" if branch == "HEAD" else branch[:_LONGEST_NAME],
        "remote": strip_credentials(_find_remote(settings)),
        "dirty": None if difference is None else bool(difference),
        "difference": difference,
        "untracked": git.count_untracked(),
    }


class _Git:
    """The program `git` in a folder, until a moment."""

    def __init__(self, folder: Path, deadline: float) -> None:
        self._folder = folder
        self._deadline = deadline
        self._settings = [*_SETTINGS]
        self._has_odd_filters = False

    def read(self, *words: str) -> str:
        """What a command prints, without the end of its last line."""
        return b"".join(self._run(*words)).decode("utf-8", "replace").strip("\n")

    def read_settings(self) -> list[tuple[str, str, str]]:
        """The scope, name and value of each remote's address and each filter."""
        words = ("config", "--show-scope", "--null", "--get-regexp", r"^(filter\..*|remote\..*\.url)$")
        try:
            parts = self.read(*words).split("\0")
        except _Failed:  # there is none
            return []
        named = zip(parts[::2], parts[1::2], strict=False)
        return [(scope, *_split(entry)) for scope, entry in named]

    def distrust_filters(self, settings: Iterable[tuple[str, str, str]]) -> None:
        """Run no filter that the repository itself names; those of the user's own configuration are trusted."""
        for scope, name, _ in settings:
            if not name.startswith("filter.") or scope in _TRUSTED_SCOPES:
                continue
            self._has_odd_filters |= "=" in name or "\n" in name
            self._settings.append(f"{name}={'false' if name.endswith('.required') else ''}")

    def digest_difference(self) -> str | None:
        """The digest of the difference between the commit and the files; empty without one, None if it is unknown."""
        if self._has_odd_filters:
            return None
        found, has_difference = sha256(), False
        try:
            for piece in self._run(*_DIFF):
                has_difference = True
                found.update(piece)
        except _Failed:
            return None
        return f"sha256:{found.hexdigest()}" if has_difference else ""

    def count_untracked(self) -> int | None:
        """How many files below the folder git neither has nor ignores; None if it is unknown."""
        excluded = f":(exclude,glob)**/{_OWN_FOLDER}/**"
        try:
            listing = self._run("ls-files", "--others", "--exclude-standard", "-z", "--", ".", excluded)
            return sum(piece.count(b"\0") for piece in listing)
        except _Failed:
            return None

    def _run(self, *words: str) -> Iterator[bytes]:
        """Yield what a command prints, piece by piece; _Failed where it fails or takes too long."""
        program = shutil.which("git")
        if program is None:
            raise _Failed
        argv = [program, "--no-pager"]
        for setting in self._settings:
            argv += ["-c", setting]
        try:
            process = subprocess.Popen(
                [*argv, *words],
                cwd=self._folder,
                env=_pass_variables(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for evalmake
            )
        except OSError:
            raise _Failed from None
        assert process.stdout is not None
        try:
            yield from self._read_pieces(process.stdout)
            if process.wait(max(0.0, self._deadline - time.monotonic())):
                raise _Failed
        except subprocess.TimeoutExpired:
            raise _Failed from None
        finally:
            process.stdout.close()
            _end(process)

    def _read_pieces(self, stream: IO[bytes]) -> Iterator[bytes]:
        """Yield what comes, until the end or the deadline."""
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise _Failed
            if not (piece := os.read(stream.fileno(), _PIECE)):
                return
            yield piece


def _pass_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of git: none that points it at another repository, and no secret."""
    return {name: environ[name] for name in _PASSED_VARIABLES if name in environ} | _VARIABLES


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that may have ended; one that cannot be killed is left alone."""
    if process.poll() is None:
        process.kill()
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            return


def _split(entry: str) -> tuple[str, str]:
    """The name and the value of a setting as `git config --null` prints it."""
    name, _, value = entry.partition("\n")
    return name, value


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
