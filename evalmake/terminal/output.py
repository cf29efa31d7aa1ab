"""Diagnostics to stderr in the form that was asked for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from evalmake.language.diagnostic import Diagnostic
from evalmake.terminal.diagnostics import render, short, to_json


def print_diagnostics(diagnostics: Sequence[Diagnostic], argv: Sequence[str] = ()) -> None:
    """Print to stderr: text, `--json` an object a line, `--short` a line each."""
    if "--json" in argv:
        text = "\n".join(json.dumps(to_json(d), ensure_ascii=False) for d in diagnostics)
    elif "--short" in argv:
        text = "\n".join(short(d) for d in diagnostics)
    else:
        text = render(diagnostics, colour=colour())
    print(text.rstrip("\n"), file=sys.stderr)


def colour() -> bool:
    """Whether stderr is a terminal that has not declined colours."""
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
