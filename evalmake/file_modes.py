"""Who may read and write what evalmake creates.

While evalmake works, nothing that it creates can be written by others, whatever the user's umask; by the group only
where `settings { shared = group }` says so. What jobs create has the umask of the user.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_user_umask = -1  # until it is narrowed; `subprocess` takes this for "as it is"


@contextlib.contextmanager
def narrow_umask() -> Iterator[None]:
    """Keep others from writing to what is created meanwhile."""
    global _user_umask
    before, outer = os.umask(0o077), _user_umask
    _user_umask = before if outer == -1 else outer
    os.umask(before | 0o022)
    try:
        yield
    finally:
        os.umask(before)
        _user_umask = outer


def user_umask() -> int:
    """The umask for jobs: the one that the user has set."""
    return _user_umask


def share_with_group(folder: Path) -> None:
    """Let the group write to a folder and what is in it, from now on, too; create it if it is missing.

    New files take the group of the folder (setgid). What another user owns is that user's to share.
    """
    os.umask(os.umask(0o077) & ~0o070 | 0o002)
    with contextlib.suppress(OSError):  # whoever opens the store says what is wrong with it
        folder.mkdir(parents=True, exist_ok=True)
        if not _is_shared(folder):
            for path in (folder, *folder.rglob("*")):
                _share(path)


def _is_shared(folder: Path) -> bool:
    """Whether a folder and the files in it that every build uses are shared already."""
    files = (folder, folder / "lock", folder / "cache.db", folder / "replies", folder / "replies" / "cache.db")
    return all(path.stat().st_mode & 0o020 for path in files if os.path.exists(path))


def _share(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_symlink() or path.stat().st_uid != os.geteuid():
            return
        mode = path.stat().st_mode & 0o7777
        group = mode >> 3 & 0o070  # what its owner may do
        path.chmod(mode | group | (0o2000 if path.is_dir() else 0))
