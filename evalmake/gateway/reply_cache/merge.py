"""`python -m evalmake.gateway.reply_cache.merge TARGET SOURCE...`: replies that jobs kept, added to those in TARGET."""

from __future__ import annotations

import sys
from pathlib import Path

from evalmake.gateway.reply_cache.maintenance import export
from evalmake.language.diagnostic import EvalmakeError


def main() -> int:
    """0 if all could be added; what is wrong with one keeps no other back."""
    target, *sources = map(Path, sys.argv[1:])
    wrong = 0
    for source in sources:
        try:
            export(source, target)
        except EvalmakeError as error:
            wrong += 1
            print(f"evalmake: {error.diagnostics[0].message}", file=sys.stderr)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
