"""Output that depends on the terminal: colours, the pager, the form of diagnostics."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence

from evalmake.fastpath import use_colour
from evalmake.language.diagnostic import Diagnostic
from evalmake.terminal.diagnostics import render, render_short, to_json

_PAGE_WIDTH = 100


def print_diagnostics(diagnostics: Sequence[Diagnostic], argv: Sequence[str] = ()) -> None:
    """Print to stderr: text, or an object a line (`--json`), or one line each (`--short`)."""
    if "--json" in argv:
        text = "\n".join(json.dumps(to_json(diagnostic), ensure_ascii=False) for diagnostic in diagnostics)
    elif "--short" in argv:
        text = "\n".join(render_short(diagnostic) for diagnostic in diagnostics)
    else:
        text = render(diagnostics, colour=use_colour())
    print(text.rstrip("\n"), file=sys.stderr)


def terminal_columns() -> int | None:
    """The width of the terminal that stdout is; None if it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def show_page(text: str, is_markdown: bool = True) -> None:
    """Show a page: rendered and in the pager on a terminal, as it is in a pipe."""
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.text import Text

    # Lines as wide as a book's are read more easily than lines as wide as a screen.
    console = Console(width=min(_PAGE_WIDTH, shutil.get_terminal_size().columns))
    # -F: a page that fits the screen is printed; -R: colours; -X: it stays on the screen.
    os.environ.setdefault("LESS", "-FRX")
    with console.pager(styles="NO_COLOR" not in os.environ):
        console.print(Markdown(text) if is_markdown else Text(text))
