"""`evalmake show`: a declaration or a cell, each value with the place where it is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from evalmake.command_line.completion import complete_declarations
from evalmake.command_line.evalfile import locate_evalfile
from evalmake.command_line.options import declare, json_option


@declare("show")
@click.argument("target", shell_complete=complete_declarations)
@click.argument("overrides", nargs=-1, metavar="[NAME=VALUE]...")
@json_option
def command(file: Path | None, target: str, overrides: Sequence[str], as_json: bool) -> int:
    """Print `KIND NAME`, a name, or the path of a cell."""
    from evalmake.project.command_words import Words
    from evalmake.terminal.declarations import render_declaration
    from evalmake.workspace import Workspace

    words = Words.of([target, *overrides], "show")
    if len(words.targets) != 1:
        raise click.UsageError("`show` takes one target, and NAME=VALUE words")
    workspace = Workspace.open(locate_evalfile(file), words.overrides)
    click.echo(render_declaration(workspace, words.targets[0].text, as_json))
    return 0
