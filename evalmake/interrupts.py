"""What INT, TERM and HUP do: they end evalmake, and first what it started.

A signal that was ignored when evalmake started stays ignored, as `nohup` and the shell's `&` want it.

This module runs before everything else and imports next to nothing: keep it so (`tests/test_imports.py`). Hence
`_signal`, the part of Python's `signal` that is always loaded: the rest of that module loads `enum` and `re`.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import os
import sys
import time
from collections.abc import Callable, Mapping

_Handler = Callable[[int, object], object]
_Previous = _Handler | int | None
INTERRUPTED = 130
"""The exit status of everything that a signal ended."""
_NUMBERS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)
_SHOW_CURSOR = b"\x1b[?25h"  # a live table hides it


def set_handlers(handler: _Handler) -> dict[int, _Previous]:
    """Let INT, TERM and HUP call `handler`, unless they are ignored; return the handlers before, by signal."""
    previous: dict[int, _Previous] = {}
    for number in _NUMBERS:
        if (before := _signal.getsignal(number)) == _signal.SIG_IGN:
            continue
        try:
            _signal.signal(number, handler)
        except ValueError:  # not in the main thread: the caller's handlers stay
            break
        previous[number] = before
    return previous


def restore_handlers(previous: Mapping[int, _Previous]) -> None:
    """Undo `set_handlers`."""
    for number, handler in previous.items():
        _signal.signal(number, handler)


class RaisedInterrupts:
    """Within it, the first signal raises KeyboardInterrupt, so that what was started is ended; the next exits.

    Libraries turn KeyboardInterrupt into errors of their own: `count` tells whether there was a signal. Python drops
    it where it is raised in a destructor or a callback: then the signal is sent once more.
    """

    count = 0

    def __enter__(self) -> None:
        self._previous = set_handlers(self._handle)
        self._hook, sys.unraisablehook = sys.unraisablehook, self._raise_again

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook = self._hook
        restore_handlers(self._previous)

    def _handle(self, number: int, frame: object) -> None:
        self.count += 1
        if self.count > 1:
            exit_at_once(number)
        self._number = number
        raise KeyboardInterrupt

    def _raise_again(self, dropped: sys.UnraisableHookArgs) -> None:
        if self.count != 1 or dropped.exc_type is not KeyboardInterrupt:
            self._hook(dropped)
            return
        self.count = 0
        _thread.start_new_thread(_send_soon, (self._number,))


def _send_soon(number: int) -> None:
    """Send this process a signal when it has left what it is in."""
    time.sleep(0.01)
    os.kill(os.getpid(), number)


def exit_at_once(number: int = 0, frame: object = None) -> None:
    """Exit now, with no traceback: nothing was started, or everything is killed already."""
    exit_with_message("interrupted")


def exit_with_message(message: str) -> None:
    """Exit now, with this last line on stderr."""
    try:
        # On a terminal, ^C or a live table stands on the last line.
        os.write(2, (_SHOW_CURSOR + b"\n" if os.isatty(2) else b"") + os.fsencode(message) + b"\n")
    finally:
        os._exit(INTERRUPTED)
