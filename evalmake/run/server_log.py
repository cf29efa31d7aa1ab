"""The log of a model's server, which may run for days: its beginning and its end are kept.

While the server runs, the file system gets the space of the middle back: the file keeps its length, with a hole in it,
and the server, which has it open, notices nothing. Where a file system cannot do that, the log grows until the
server ends.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from evalmake.run.secrets import Secrets

_KEEP_LENGTH, _PUNCH_HOLE = 1, 2  # flags of fallocate(2)
_BLOCK = 512  # bytes in a unit of `st_blocks`
_LONGEST_LINE = 2**16  # bytes


def free_middle(path: Path, most: int) -> None:
    """Give back the space of a log's middle, where it takes more than `most` bytes of the disk."""
    with contextlib.suppress(OSError, AttributeError), _open_plain(path, os.O_RDWR) as log:
        status = os.fstat(log.fileno())
        if status.st_blocks * _BLOCK > most:
            head, tail = _find_cuts(log, status.st_size, most // 2)
            if tail > head:
                _fallocate()(log.fileno(), _KEEP_LENGTH | _PUNCH_HOLE, head, tail - head)


def copy_log(path: Path, target: Path, most: int, secrets: Secrets) -> None:
    """Copy a log without secrets; of one with more than `most` bytes, its first and its last half of that."""
    with _open_plain(path, os.O_RDONLY) as log, target.open("wb") as copy:
        size = os.fstat(log.fileno()).st_size
        head, tail = (size, size) if size <= most else _find_cuts(log, size, most // 2)
        for _, piece in secrets.redact_stream(_Part(log, 0, head)):
            copy.write(piece)
        if tail > head:
            copy.write(_describe_gap(tail - head))
        for _, piece in secrets.redact_stream(_Part(log, tail, size)):
            copy.write(piece)


def read_written(log: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield what is left of a log in pieces of `size` bytes; a note in place of a middle that was given back."""
    while True:
        before = log.tell()
        log.seek(_find_data(log.fileno(), before))
        if left_out := log.tell() - before:
            yield b"\n" + _describe_gap(left_out)
        if not (data := log.read(size)):
            return
        yield data


def _find_data(file: int, start: int) -> int:
    """The first place from `start` on that is in no hole; leaves the file's own position alone."""
    position = os.lseek(file, 0, os.SEEK_CUR)
    try:
        return os.lseek(file, start, os.SEEK_DATA)
    except OSError:  # there is nothing more, or the file system knows no holes
        return start
    finally:
        os.lseek(file, position, os.SEEK_SET)


def _describe_gap(size: int) -> bytes:
    return b"[evalmake left out %.1f MiB]\n" % (size / 2**20)


class _Part:
    """A part of a file, to read."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._left = file, end - start
        file.seek(start)

    def read(self, size: int, /) -> bytes:
        """The next bytes of it."""
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data


def _find_cuts(log: BinaryIO, size: int, half: int) -> tuple[int, int]:
    """Where the first half ends and the last one begins: at ends of lines, as half a line could show half a secret."""
    start = max(0, half - _LONGEST_LINE)
    log.seek(start)
    head = start + log.read(half - start).rfind(b"\n") + 1
    log.seek(max(head, size - half))
    log.readline(_LONGEST_LINE)
    return head, log.tell()


@contextlib.contextmanager
def _open_plain(path: Path, access: int) -> Iterator[BinaryIO]:
    """Open a regular file: its server could have put a link or a pipe in its place. OSError for those."""
    handle = os.open(path, access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as log:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is not a regular file")
        yield log


@cache
def _fallocate() -> Any:
    """The system's fallocate(2): Python has one that only makes files longer."""
    import ctypes

    function = ctypes.CDLL(None, use_errno=True).fallocate
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
    return function
