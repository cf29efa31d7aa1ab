"""The entry point: the fast path for a null build, else the command line."""

from __future__ import annotations

import gc
import sys

from evalmake.interrupts import INTERRUPTED, exit_at_once, set_handlers


def main() -> None:
    """Run evalmake on `sys.argv` and exit with its status."""
    set_handlers(exit_at_once)
    status = _run(sys.argv[1:])
    if status == INTERRUPTED:
        _exit_interrupted()
    gc.freeze()  # as Python ends, it collects garbage, and would look at all that any module made
    sys.exit(status)


def _exit_interrupted() -> None:
    """Exit with the status of an interruption.

    Python would end itself by SIGINT if a KeyboardInterrupt ever passed through `exec`, even if it was handled since.
    """
    import atexit
    import os

    atexit._run_exitfuncs()
    os._exit(INTERRUPTED)


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
