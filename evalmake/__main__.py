"""The null build, or else the command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Run evalmake on `sys.argv` and exit with its status."""
    argv = sys.argv[1:]
    from evalmake import fastpath

    if (verdict := fastpath.recall(argv)) is not None:
        status, text = verdict
        sys.stdout.write(text)
        sys.exit(status)
    import gc

    gc.disable()  # until something runs: planning builds many objects and no cycles
    from evalmake.cli import run

    sys.exit(run(argv))


if __name__ == "__main__":
    main()
