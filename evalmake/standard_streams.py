"""Standard streams for a program that must finish its work even if nobody reads what it says.

Progress and messages go to stderr. What cannot be written there is dropped: a reader that went away, a full disk
or a closed descriptor must not end a build. What goes to stdout is a result, so a disk that refuses it is an error.

This module runs before everything else and imports next to nothing: keep it so (`tests/test_imports.py`).
"""

from __future__ import annotations

import codecs
import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper

TYPE_CHECKING = False
if TYPE_CHECKING:  # loading `typing` takes as long as a null build of a hundred evaluations
    from typing import Any

_ESCAPES = "evalmake-escapes"
READER_GONE = 141
"""The exit status of a command whose output nobody reads any more: that of a program which SIGPIPE ended."""


class ReaderGone(Exception):
    """Nobody reads standard output. No OSError: click takes a broken pipe, whatever it led to, for status 1."""


class OutputFailed(OSError):
    """Standard output cannot be written, for another reason than a reader that went away."""


class _MessageFile(FileIO):
    """A file that drops what it cannot write."""

    def write(self, data: Any, /) -> int:
        size = memoryview(data).nbytes
        try:
            return super().write(data) or size  # None: the descriptor does not block, and is full
        except OSError:
            return size


class _ResultFile(FileIO):
    """A file whose errors can be told from those of other files."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise ReaderGone from None
        except OSError as error:
            raise OutputFailed(error.errno, error.strerror) from None


def open_standard_streams() -> None:
    """Make stdout and stderr as this module says, and open /dev/null for those that are closed.

    Without the latter, the next file that is opened, such as the store, would take the place of stderr.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    codecs.register_error(_ESCAPES, _escape)
    sys.stdout = _wrap(_ResultFile(1, "w", closefd=False), sys.stdout)
    sys.stderr = _wrap(_MessageFile(2, "w", closefd=False), sys.stderr)


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """The bytes of a file name as they are, as Python writes them in the locale C, and any other half as text."""
    assert isinstance(error, UnicodeEncodeError)
    is_of_bytes = all("\udc80" <= char <= "\udcff" for char in error.object[error.start : error.end])
    return codecs.lookup_error("surrogateescape" if is_of_bytes else "backslashreplace")(error)


def _wrap(file: FileIO, before: object) -> TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "utf-8"
    errors = getattr(before, "errors", None) or "strict"
    # Half of a character in somebody else's text is no reason to say nothing; in JSON, `\ud800` is how it is written.
    errors = {"strict": "backslashreplace", "surrogateescape": _ESCAPES}.get(errors, errors)
    line_buffering = file.isatty() or file.fileno() == 2
    return TextIOWrapper(BufferedWriter(file), encoding, errors, line_buffering=line_buffering)


def print_result(text: str) -> None:
    """Print the result of a build. A reader that went away does not matter: the result is in the store."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (ReaderGone, BrokenPipeError):
        drop_output()


def drop_output() -> None:
    """Send what is still to be written to stdout nowhere, so that nothing fails while Python exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
