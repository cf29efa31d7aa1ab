"""The null build: repeat the last output when nothing that it rested on has changed.

It never decides that anything is stale. After a build whose plan was empty, `remember` keeps what
was printed, with a fingerprint of every file and variable that the verdict rested on; `recall`
compares, and returns the verdict or None. Law: whenever `recall` returns one, the full path's plan is empty.

A file is known by its size, modification time, change time and inode. Two changes within one tick of the
file system's clock leave all four alike. So no verdict is kept when a file changed after the build
began, or so shortly before that a later change could bear the same time (git calls this "racily clean").
A tick is taken to be 20 ms, or 2 s where times have no fraction. Programs cannot set change times back,
so `touch -r` and `cp -p` are noticed. Two things are not noticed: a file server whose clock
is behind by more than a tick, and bytes changed by hand inside the store's database (`evalmake verify` does).

This module runs before everything else and imports next to nothing: keep it so (`tests/test_imports.py`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence

import xxhash

from evalmake.seal import seal, unseal

_FORM = "evalmake verdict 5"
_TICK, _COARSE_TICK = 20_000_000, 2_000_000_000  # ns
_COMPLETION = "_EVALMAKE_COMPLETE"  # set by the shell's completion, which passes no words in argv


class Verdict:
    """The exit status and output of a null build. (A named tuple or dataclass would cost an import.)"""

    __slots__ = ("coloured_stderr", "status", "stderr", "stdout")

    def __init__(self, status: int, stdout: str, stderr: str = "", coloured_stderr: str = "") -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
        self.coloured_stderr = coloured_stderr


def verdict_path(argv: Sequence[str], cwd: str) -> str | None:
    """The file of this command line's verdict; None for one that is never remembered."""
    file = None
    words = iter(argv)
    for word in words:
        if word in ("-f", "--file"):
            file = next(words, "")
        elif word in ("-j", "--jobs"):
            next(words, "")
        elif word.startswith("-f") and len(word) > 2 and word[1] != "-":
            file = word[2:]
        elif word.startswith("-") and word not in ("-k", "-s", "--keep-going", "--locked", "--silent"):
            return None
    if file is None:
        file = _find_evalfile(cwd)
    if not file:
        return None
    folder = os.path.dirname(os.path.join(cwd, file))
    key = xxhash.xxh3_64_hexdigest(os.fsencode("\0".join([cwd, *argv])))
    return os.path.join(folder, ".evalmake", "verdicts", key)


def recall(argv: Sequence[str]) -> Verdict | None:
    """The last verdict on this command line, if it still holds."""
    try:
        cwd = os.getcwd()
    except OSError:
        return None
    path = verdict_path(argv, cwd)
    if path is None or _COMPLETION in os.environ:
        return None
    try:
        with open(path, "rb") as stream:
            text = (unseal(os.path.basename(path), stream.read()) or b"").decode("utf-8", "surrogateescape")
        form, fingerprint, status, store, variables, *texts_and_paths = text.split("\0")
    except (OSError, ValueError):
        return None
    names = variables.split("\n") if variables else []
    texts, paths = texts_and_paths[:3], texts_and_paths[3:]
    if form != _FORM or fingerprint != _fingerprint(paths, store, names):
        return None
    return Verdict(int(status), *texts)


def remember(
    argv: Sequence[str],
    verdict: Verdict,
    paths: Iterable[str],
    store: str,
    variables: Mapping[str, str | None],
    start: int,
) -> None:
    """Keep the verdict of a build that began at `start` (ns since the epoch).

    `paths` that do not exist are remembered as absent, folders by their time. `store` is a
    file that opening the store writes to: it need only be the same file.
    """
    path = verdict_path(argv, os.getcwd())
    files = sorted({os.path.abspath(name) for name in paths})
    if path is None or any(_may_change_unseen(name, start) for name in files):
        return
    names = sorted(variables)
    fingerprint = _fingerprint(files, store, names)
    texts = (verdict.stdout, verdict.stderr, verdict.coloured_stderr)
    data = [_FORM, fingerprint, str(verdict.status), store, "\n".join(names), *texts, *files]
    if any("\0" in item for item in data):
        return
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "wb") as stream:
            stream.write(seal(os.path.basename(path), "\0".join(data).encode("utf-8", "surrogateescape")))
        os.replace(temporary, path)
    except OSError:  # a read-only or full disk: the next build plans in full
        return


def forget(folder: str) -> None:
    """Delete every verdict of a workspace: something is about to change."""
    verdicts = os.path.join(folder, "verdicts")
    for name in os.listdir(verdicts) if os.path.isdir(verdicts) else ():
        try:
            os.unlink(os.path.join(verdicts, name))
        except OSError:
            continue


def package_folders() -> list[str]:
    """Where Python finds packages: the time of such a folder changes when one is installed, upgraded or removed.

    Two are left out, as other files come and go in them: that of the program or the current one (the first),
    and the source of an evalmake that is installed editable.
    """
    source = os.path.dirname(os.path.dirname(__file__))
    return [folder for folder in sys.path[1:] if folder != source or folder.endswith("-packages")]


def use_colour() -> bool:
    """Whether stderr is a terminal whose user has not declined colours."""
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _may_change_unseen(path: str, start: int) -> bool:
    """Whether what is at `path` has changed, or may yet change, without its times showing it."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    changed = max(found.st_ctime_ns, found.st_mtime_ns)
    return changed >= start - (_TICK if changed % 1_000_000_000 else _COARSE_TICK)


def _fingerprint(paths: Sequence[str], store: str, variables: Sequence[str]) -> str:
    """xxh3-128 over this Python, where it finds packages, the variables' values, and the status of each path."""
    hasher = xxhash.xxh3_128()
    python = (sys.executable, sys.version, __file__, *package_folders())
    hasher.update(os.fsencode("\0".join(python)))
    for name in variables:
        hasher.update(f"{name}={os.environ.get(name)!r}\0".encode())
    stat, update = os.stat, hasher.update
    for path in paths:
        try:
            found = stat(path)
        except OSError:
            update(b"-;")
        else:
            times = (found.st_mtime_ns, found.st_ctime_ns)
            update(b"%d.%d.%d.%d;" % (found.st_size, *times, found.st_ino))
    update(b"%d" % stat(store).st_ino if os.path.exists(store) else b"-")
    return hasher.hexdigest()


def _find_evalfile(cwd: str) -> str | None:
    """The nearest Evalfile in `cwd` or above it."""
    folder = cwd
    while not os.path.isfile(os.path.join(folder, "Evalfile")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return os.path.join(folder, "Evalfile")
