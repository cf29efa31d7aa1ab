"""Which files an Evalfile may include, and show in messages: those of its project, and those that the user allows.

An Evalfile may come from a stranger, as with a pull request that `evalmake -n` checks. Two kinds of reading differ:

- An include is read as an Evalfile: its text is shown in messages, its values in plans. So it lies in the project.
- The files of `file()` and `glob()` are hashed, wherever they are, as data often lie elsewhere. What is in them is
  shown only if they lie in the project.

The project is the repository that the Evalfile is in, or its folder where there is none. Links count by where they
lead. `--allow-path FOLDER`, and the folders in $EVALMAKE_ALLOW_PATH, count as parts of the project.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

ALLOW_VARIABLE = "EVALMAKE_ALLOW_PATH"
_FIRST_BYTES = re.compile(
    rb"(\xef\xbb\xbf)?(?:\s|#[^\r\n]*[\r\n])*"
    rb"(include\b|(settings|defaults|model|deployment|benchmark|eval|executor|report)\s|[A-Z][A-Z0-9_]*\s*=|[a-z][\w.-]*:\s|\Z)"
)
_HEAD = 1 << 20
_SYSTEM_FOLDERS = ("/etc", "/proc", "/sys", "/dev", "/root", "/var", "/run")
_REPOSITORY_MARKS = (".git", ".hg", ".jj", ".svn")


class Boundary:
    """The project of an Evalfile; `watched` has the paths on which its extent depends."""

    def __init__(self, evalfile: Path) -> None:
        self.watched: set[str] = set()
        folder = Path(os.path.realpath(evalfile.absolute().parent))
        self.root = self._find_repository(folder) or folder
        allowed = os.environ.get(ALLOW_VARIABLE, "").split(os.pathsep)
        self._folders = [self.root, *(Path(os.path.realpath(name)) for name in allowed if name)]

    def holds(self, path: Path) -> bool:
        """Whether a path leads to something in the project, or in a folder that the user allows."""
        try:
            real = Path(os.path.realpath(path))
        except (OSError, ValueError):  # a circle of links, a NUL: nothing will be read
            return True
        return any(real.is_relative_to(folder) for folder in self._folders)

    def allows(self, path: Path, data: bytes) -> bool:
        """Whether an include may be shown as an Evalfile: see `is_evalfile`."""
        return is_evalfile(path, data)

    def _find_repository(self, folder: Path) -> Path | None:
        for parent in (folder, *folder.parents):
            for mark in _REPOSITORY_MARKS:
                if (parent / mark).exists():
                    # HEAD, as the time of the folder itself changes with every command of git
                    head = parent / mark / "HEAD"
                    self.watched.add(str(head if head.exists() else parent / mark))
                    return parent
                self.watched.add(str(parent / mark))
        return None


def is_evalfile(path: Path, data: bytes) -> bool:
    """Whether a file is an Evalfile by its name or its first bytes, so that messages may show lines of it.

    A hidden file is none by its bytes: the lines of `.env` look like variables.
    """
    name = os.path.basename(os.path.realpath(path))
    by_name = name == "Evalfile" or name.endswith(".evalfile")
    return by_name or (not name.startswith(".") and _FIRST_BYTES.match(data[:_HEAD]) is not None)


def allow_help(path: Path) -> list[str]:
    """What to do about a path that lies outside. No folder of the system is offered, nor that of no regular file."""
    real = Path(os.path.realpath(path))
    folder = real.parent
    is_file = os.path.isfile(real)
    if not is_file or folder == Path("/") or any(real.is_relative_to(system) for system in _SYSTEM_FOLDERS):
        return ["it leads outside the project, and should not be read"]
    return [f"if you trust it: `evalmake --allow-path {folder}`, or `export {ALLOW_VARIABLE}={folder}`"]
