"""The outputs of a job that is over: which files they are, how large they may be, and without secrets.

A program that is not trusted wrote them. So only plain files below the job's own folder count, and no file is read
as a whole.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from evalmake.language.file_tree import list_entries, list_plain_files
from evalmake.language.values import Size
from evalmake.project.settings_schema import Settings
from evalmake.run.gateways.sessions import USAGE_FOLDERS
from evalmake.run.secrets import Secrets

LOG, OUT = "log", "out"
_MASK_CHUNK, _MASK_CONTEXT = 2**20, 256  # bytes


class OutputsRefused(Exception):
    """Outputs that are not stored; the text says why."""


def find_outputs(folder: Path) -> list[tuple[str, Path]]:
    """Return the outputs of a job by relative name: log, files below `out/`, and the usage that gateways counted."""
    found = [(LOG, folder / LOG)] if is_plain(folder / LOG) else []
    found += _list_files(folder / OUT)
    for name in USAGE_FOLDERS.values():
        found += [(f"{name}/{file}", path) for file, path in _list_files(folder / name)]
    return [(name, path) for name, path in found if os.access(path, os.R_OK)]


def check_outputs(folder: Path, settings: Settings) -> None:
    """Remove links and special files from the outputs, then check that the rest is no larger than `settings` allow.

    OutputsRefused where it is, or where `out` is not the folder any more that evalmake made.
    """
    out = folder / OUT
    if out.is_symlink():
        target = os.readlink(out)
        out.unlink()
        raise OutputsRefused(f"it replaced its output folder by a link to {target}; write into $EVALMAKE_OUT itself")
    _remove_odd_entries(out)
    size = sum(status.st_size for _, status in list_plain_files(out))
    if size > settings.outputs.bytes:
        raise OutputsRefused(_describe_excess("outputs have", size, settings.outputs, "outputs"))
    check_log(folder, settings)


def check_log(folder: Path, settings: Settings) -> None:
    """Check that the log of a job, which may still run, is no larger than `settings` allow; OutputsRefused if it is."""
    try:
        size = os.lstat(folder / LOG).st_size
    except OSError:
        return
    if size > settings.log.bytes:
        raise OutputsRefused(_describe_excess("log has", size, settings.log, "log"))


def mask_log(folder: Path, secrets: Secrets, masked: tuple[int, int]) -> tuple[int, int]:
    """Write over the secrets in the log of a running job, which only grows.

    `masked` is the file and up to where it is masked already; return the same for the next call. An executor may
    replace the file by a longer one.
    """
    if not secrets.longest:
        return masked
    try:
        handle = os.open(folder / LOG, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return masked
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return masked
        until = masked[1] if masked[0] == status.st_ino else 0
        while until < status.st_size:
            start = max(0, until - secrets.longest - _MASK_CONTEXT)
            data = os.pread(handle, _MASK_CHUNK, start)
            if (without := secrets.mask(data)) != data:
                os.pwrite(handle, without, start)
            until = max(until + 1, start + len(data))
        return status.st_ino, until
    except OSError:
        return masked
    finally:
        os.close(handle)


def cut_log(folder: Path, most: int) -> None:
    """Keep the last `most` bytes of a log that is too large: they say what the job did."""
    path = folder / LOG
    if not is_plain(path) or path.stat().st_size <= most:
        return
    with path.open("rb") as file:
        file.seek(-most, os.SEEK_END)
        file.readline()
        end = file.read()
    _replace(path, [b"[evalmake left out the beginning]\n", end])


def redact_outputs(folder: Path, secrets: Secrets, tokens: tuple[str, ...]) -> None:
    """Redact secrets in all outputs, before anything reads or stores them."""
    for _, path in find_outputs(folder):
        with path.open("rb") as file:
            has_secret = any(after != before for before, after in secrets.redact_stream(file, tokens))
            file.seek(0)
            if has_secret:
                _replace(path, (after for _, after in secrets.redact_stream(file, tokens)))


def is_plain(path: Path) -> bool:
    """Whether a path is a file itself, and no link, pipe or folder that a job put there."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    """Replace a file, which may be read-only and have a second name elsewhere."""
    new = path.with_name(f".{os.getpid()}.redacted")
    new.unlink(missing_ok=True)
    with open(new, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.writelines(pieces)
    os.replace(new, path)


def _describe_excess(what: str, size: int, most: Size, key: str) -> str:
    return f"its {what} {size / 2**20:,.0f}MiB, and {most} is allowed: see `settings {{ {key} = ... }}`"


def _list_files(folder: Path) -> list[tuple[str, Path]]:
    return [(name.encode("utf-8", "backslashreplace").decode(), folder / name) for name, _ in list_plain_files(folder)]


def _remove_odd_entries(out: Path) -> None:
    """Remove FIFOs, sockets, and links, except those to plain files of the outputs: a harness may read what is left."""
    root = os.path.realpath(out)
    for name, status in list_entries(out):
        path = out / name
        if stat.S_ISREG(status.st_mode) or (
            is_plain(real := Path(os.path.realpath(path))) and real.is_relative_to(root)
        ):
            continue
        path.unlink()
