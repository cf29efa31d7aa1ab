"""The null build: repeat the last verdict when nothing that it rested on has changed.

It never decides that anything is stale. After a build whose plan was empty, `remember` keeps what
was printed, with a fingerprint of every file and variable that the verdict rested on; `recall`
compares, and answers or stays silent. Law: whenever `recall` answers, the full path's plan is empty.

A file is known by size, modification and change time, and inode. Two changes within one tick of the
file system's clock leave those alike, so a verdict is not kept when a file changed after the build
began, or so shortly before that a later change could bear the same time (git's "racily clean"): a
tick is taken to be 20 ms, and 2 s where times have no fraction. Change times cannot be set back by
a program, so `touch -r` and `cp -p` deceive nobody. What is not noticed: a file server whose clock
is behind by more, and bytes changed by hand inside the store's database (`evalmake verify` does).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence

import xxhash

_FORM = "evalmake verdict 2"
_TICK, _COARSE_TICK = 20_000_000, 2_000_000_000  # ns


def verdict_path(argv: Sequence[str], cwd: str) -> str | None:
    """Where the verdict on this command line would lie; None for one that is never remembered."""
    file = None
    words = iter(argv)
    for word in words:
        if word in ("-f", "--file"):
            file = next(words, "")
        elif word in ("-j", "--jobs"):
            next(words, "")
        elif word.startswith("-f") and len(word) > 2 and word[1] != "-":
            file = word[2:]
        elif word.startswith("-") and word not in ("-k", "-s", "--keep-going", "--locked"):
            return None
    if file is None:
        file = _above(cwd)
    if not file:
        return None
    folder = os.path.dirname(os.path.join(cwd, file))
    key = xxhash.xxh3_64_hexdigest(os.fsencode("\0".join([cwd, *argv])))
    return os.path.join(folder, ".evalmake", "verdicts", key)


def recall(argv: Sequence[str]) -> tuple[int, str] | None:
    """The last verdict's exit status and text, if it still holds."""
    try:
        cwd = os.getcwd()
    except OSError:
        return None
    path = verdict_path(argv, cwd)
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as stream:
            form, fingerprint, status, store, variables, text, *paths = stream.read().split("\0")
    except (OSError, ValueError):
        return None
    asked = variables.split("\n") if variables else []
    if form != _FORM or fingerprint != _fingerprint(paths, store, asked):
        return None
    return int(status), text


def remember(
    argv: Sequence[str],
    status: int,
    text: str,
    paths: Iterable[str],
    store: str,
    variables: Mapping[str, str | None],
    since: int,
) -> None:
    """Keep the verdict of a build that began at `since` (ns since the epoch).

    `paths` that do not exist are remembered as absent, folders by their time; `store` is a
    file that opening the store writes to: it need only be the same one.
    """
    path = verdict_path(argv, os.getcwd())
    names = sorted({os.path.abspath(name) for name in paths})
    if path is None or any(_young(name, since) for name in names):
        return
    asked = sorted(variables)
    fingerprint = _fingerprint(names, store, asked)
    data = [_FORM, fingerprint, str(status), store, "\n".join(asked), text, *names]
    if any("\0" in item for item in data):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as stream:
        stream.write("\0".join(data))
    os.replace(temporary, path)


def forget(folder: str) -> None:
    """Drop every verdict of a workspace: something is about to change."""
    verdicts = os.path.join(folder, "verdicts")
    for name in os.listdir(verdicts) if os.path.isdir(verdicts) else ():
        try:
            os.unlink(os.path.join(verdicts, name))
        except OSError:
            continue


def _young(path: str, since: int) -> bool:
    """Whether what is at `path` may have changed, or may yet, without its times showing it."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    changed = max(found.st_ctime_ns, found.st_mtime_ns)
    return changed >= since - (_TICK if changed % 1_000_000_000 else _COARSE_TICK)


def _fingerprint(paths: Sequence[str], store: str, variables: Sequence[str]) -> str:
    """xxh3-128 over this evalmake, the variables' values, and each path's size, times and inode.

    This evalmake is known by its place and by the folder of installed packages, whose time changes
    when a plugin is installed, upgraded or removed.
    """
    hasher = xxhash.xxh3_128()
    hasher.update(f"{sys.executable}\0{__file__}\0".encode())
    for name in variables:
        hasher.update(f"{name}={os.environ.get(name)!r}\0".encode())
    stat, update = os.stat, hasher.update
    for path in (__file__, os.path.dirname(os.path.dirname(xxhash.__file__)), *paths):
        try:
            found = stat(path)
        except OSError:
            update(b"-;")
        else:
            times = (found.st_mtime_ns, found.st_ctime_ns)
            update(b"%d.%d.%d.%d;" % (found.st_size, *times, found.st_ino))
    update(b"%d" % stat(store).st_ino if os.path.exists(store) else b"-")
    return hasher.hexdigest()


def _above(cwd: str) -> str | None:
    """The nearest Evalfile in `cwd` or above it."""
    folder = cwd
    while not os.path.isfile(os.path.join(folder, "Evalfile")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return os.path.join(folder, "Evalfile")
