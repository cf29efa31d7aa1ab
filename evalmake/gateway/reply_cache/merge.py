"""`python -m evalmake.gateway.reply_cache.merge TARGET SOURCE...`: add the replies that jobs cached to TARGET."""

from __future__ import annotations

import sys
from pathlib import Path

from evalmake.gateway.reply_cache.maintenance import export_replies
from evalmake.language.diagnostic import EvalmakeError


def main() -> int:
    """Merge every source that can be read; returns 1 if one could not, else 0."""
    target, *sources = map(Path, sys.argv[1:])
    failed = 0
    for source in sources:
        try:
            export_replies(source, target)
        except EvalmakeError as error:
            failed += 1
            print(f"evalmake: {error.diagnostics[0].message}", file=sys.stderr)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
