"""The null build: repeat the last verdict when nothing that it rested on has changed.

It never decides that anything is stale. After a build whose plan was empty, `remember` keeps what
was printed, with a fingerprint of every file and variable that the verdict rested on; `recall`
compares, and answers or stays silent. Law: whenever `recall` answers, the full path's plan is empty.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence

import xxhash

_FORM = "evalmake verdict 1"


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
        elif word.startswith("-") and word not in ("-k", "-s", "--keep-going"):
            return None
    if file is None:
        file = _above(cwd)
    if not file:
        return None
    folder = os.path.dirname(os.path.join(cwd, file))
    key = xxhash.xxh3_64_hexdigest("\0".join([cwd, *argv]).encode())
    return os.path.join(folder, ".evalmake", "verdicts", key)


def recall(argv: Sequence[str]) -> tuple[int, str] | None:
    """The last verdict's exit status and text, if it still holds."""
    cwd = os.getcwd()
    path = verdict_path(argv, cwd)
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as stream:
            form, fingerprint, status, variables, text, *paths = stream.read().split("\0")
    except (OSError, ValueError):
        return None
    if form != _FORM or fingerprint != _fingerprint(paths, variables.split("\n") if variables else []):
        return None
    return int(status), text


def remember(
    argv: Sequence[str],
    status: int,
    text: str,
    paths: Iterable[str],
    variables: Mapping[str, str | None],
) -> None:
    """Keep a verdict; `paths` that do not exist are remembered as absent, folders by their time."""
    path = verdict_path(argv, os.getcwd())
    if path is None:
        return
    names = sorted({os.path.abspath(name) for name in paths})
    asked = sorted(variables)
    data = [_FORM, _fingerprint(names, asked), str(status), "\n".join(asked), text, *names]
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


def _fingerprint(paths: Sequence[str], variables: Sequence[str]) -> str:
    """xxh3-128 over this evalmake, the variables' values, and each path's size, time and inode."""
    hasher = xxhash.xxh3_128()
    hasher.update(f"{sys.executable}\0{__file__}\0".encode())
    for name in variables:
        hasher.update(f"{name}={os.environ.get(name)!r}\0".encode())
    stat, update = os.stat, hasher.update
    for path in paths:
        try:
            found = stat(path)
        except OSError:
            update(b"-;")
        else:
            update(b"%d.%d.%d;" % (found.st_size, found.st_mtime_ns, found.st_ino))
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
