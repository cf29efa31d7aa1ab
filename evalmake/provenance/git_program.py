"""The program `git`, run in a repository that may be somebody else's work.

Nothing that its own configuration names is run: no hook, no monitor of files, no filter, no transport. It gets none of
the variables that point it elsewhere, and no secret.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

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
_TRUSTED_SCOPES = ("global", "system")
_PIECE = 1 << 16


class GitFailed(Exception):
    """git is missing, failed, or took too long."""


class Git:
    """The program `git` in a folder, until a moment."""

    def __init__(self, folder: Path, deadline: float) -> None:
        self._folder = folder
        self._deadline = deadline
        self._settings = [*_SETTINGS]
        self.has_odd_filters = False

    def read(self, *words: str) -> str:
        """What a command prints, without the end of its last line."""
        return b"".join(self.run(*words)).decode("utf-8", "replace").strip("\n")

    def read_settings(self) -> list[tuple[str, str, str]]:
        """The scope, name and value of each remote's address and each filter."""
        words = ("config", "--show-scope", "--null", "--get-regexp", r"^(filter\..*|remote\..*\.url)$")
        try:
            parts = self.read(*words).split("\0")
        except GitFailed:  # there is none
            return []
        named = zip(parts[::2], parts[1::2], strict=False)
        return [(scope, *split_setting(entry)) for scope, entry in named]

    def distrust_filters(self, settings: Iterable[tuple[str, str, str]]) -> None:
        """Run no filter that the repository itself names; those of the user's own configuration are trusted."""
        for scope, name, _ in settings:
            if not name.startswith("filter.") or scope in _TRUSTED_SCOPES:
                continue
            self.has_odd_filters |= "=" in name or "\n" in name
            self._settings.append(f"{name}={'false' if name.endswith('.required') else ''}")

    def run(self, *words: str, stdin: IO[bytes] | None = None) -> Iterator[bytes]:
        """Yield what a command prints, piece by piece; GitFailed where it fails or takes too long."""
        program = shutil.which("git")
        if program is None:
            raise GitFailed
        argv = [program, "--no-pager"]
        for setting in self._settings:
            argv += ["-c", setting]
        try:
            process = subprocess.Popen(
                [*argv, *words],
                cwd=self._folder,
                env=_pass_variables(os.environ),
                stdin=stdin or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for evalmake
            )
        except OSError:
            raise GitFailed from None
        assert process.stdout is not None
        try:
            yield from self._read_pieces(process.stdout)
            if process.wait(max(0.0, self._deadline - time.monotonic())):
                raise GitFailed
        except subprocess.TimeoutExpired:
            raise GitFailed from None
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
                raise GitFailed
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


def split_setting(entry: str) -> tuple[str, str]:
    """The name and the value of a setting as `git config --null` prints it."""
    name, _, value = entry.partition("\n")
    return name, value
