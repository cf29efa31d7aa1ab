"""The entry point: the fast path for a null build, else the command line."""

from __future__ import annotations

import gc
import os
import sys

from evalmake.interrupts import exit_at_once, set_handlers

TYPE_CHECKING = False
if TYPE_CHECKING:  # loading `typing` takes long for a null build
    from typing import TextIO


def main() -> None:
    """Run evalmake on `sys.argv` and exit with its status."""
    set_handlers(exit_at_once)
    _exit(_run(sys.argv[1:]))


def _exit(status: int) -> None:
    """Exit with a status, as Python does, but without its last steps.

    In these, a signal would end Python itself, with a status that says nothing of a build that is over. They also
    free every object, which the system does sooner.
    """
    import atexit

    if threading := sys.modules.get("threading"):
        threading._shutdown()
    atexit._run_exitfuncs()
    _flush(sys.stdout)
    _flush(sys.stderr)
    os._exit(status)


def _flush(stream: TextIO) -> None:
    try:
        stream.flush()
    except Exception:  # nobody reads it, or it is closed
        return


def _run(argv: list[str]) -> int:
    from evalmake import fastpath
    from evalmake.standard_streams import OutputFailed, open_standard_streams, print_result

    open_standard_streams()
    if (verdict := fastpath.recall(argv)) is not None:
        sys.stderr.write(verdict.coloured_stderr if fastpath.use_colour() else verdict.stderr)
        try:
            print_result(verdict.stdout)
            return verdict.status
        except OutputFailed:
            pass  # the command line says why
    # Planning creates many objects and no cycles; a build turns the collector on again.
    gc.disable()
    from evalmake.cli import run

    return run(argv, owns_process=True)


if __name__ == "__main__":
    main()
