"""Commands that messages suggest, with the options by which this command line finds its Evalfile: -f and -C."""

from __future__ import annotations

import re
import shlex
from contextvars import ContextVar
from pathlib import Path

_given: ContextVar[tuple[str, ...]] = ContextVar("given", default=())
_COMMANDS = (
    *("accept", "audit", "cancel", "compare", "history", "list", "logs", "outputs", "pin", "results", "show", "why"),
    *("baseline set", "baseline show", "baseline update"),
)
_ALONE = ("status", "verify", "clean")
"""Those that read an Evalfile where nothing stands behind them."""
_SUGGESTED = re.compile(
    rf"((?:`|: )evalmake(?: (?:{'|'.join(_COMMANDS)})\b| (?:{'|'.join(_ALONE)})(?=`)|(?=`)|(?= -[nB]\b| --plan )))"
    r"(?! -[fC] )"
)


def forget_options() -> None:
    """Begin another command line."""
    _given.set(())


def note_option(option: str, path: Path) -> None:
    """Note an option that suggested commands need, too."""
    _given.set((*_given.get(), option, shlex.quote(str(path))))


def complete_commands(text: str) -> str:
    """A text in which suggested commands have these options: `evalmake logs x` -> `evalmake logs -f FILE x`."""
    options = " ".join(_given.get())
    return _SUGGESTED.sub(lambda found: f"{found[1]} {options}", text) if options else text
