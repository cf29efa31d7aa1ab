"""`evalmake explain`: the page of a diagnostic code, or the list of codes."""

from __future__ import annotations

from pathlib import Path

import click

from evalmake.command_line.completion import complete_codes
from evalmake.command_line.options import declare


@declare("explain")
@click.argument("code", required=False, shell_complete=complete_codes)
def command(file: Path | None, code: str | None) -> int:
    """Print one page, or a line for each code."""
    from evalmake.terminal import explanation_pages
    from evalmake.terminal.colour_and_tty import show_page

    if code is None:
        click.echo(explanation_pages.render_code_list())
    else:
        show_page(explanation_pages.read_page(code))
    return 0
