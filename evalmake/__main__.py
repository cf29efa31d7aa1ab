"""The entry point: the fast path for a null build, else the command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Run evalmake on `sys.argv` and exit with its status."""
    argv = sys.argv[1:]
    from evalmake import fastpath

    if (verdict := fastpath.recall(argv)) is not None:
        sys.stderr.write(verdict.coloured_stderr if fastpath.use_colour() else verdict.stderr)
        sys.stdout.write(verdict.stdout)
        sys.exit(verdict.status)
    import gc

    # Planning creates many objects and no cycles; a build turns the collector on again.
    gc.disable()
    from evalmake.cli import run

    sys.exit(run(argv))


if __name__ == "__main__":
    main()
