"""`evalmake list`: the targets of the Evalfile with their comments."""

from __future__ import annotations

from pathlib import Path

import click

from evalmake.command_line.evalfile import open_workspace
from evalmake.command_line.options import declare, json_option


@declare("list")
@json_option
def command(file: Path | None, as_json: bool) -> int:
    """Print a line, or a JSON object, for each target."""
    from evalmake.terminal import targets

    render = targets.to_json_lines if as_json else targets.to_text
    click.echo(render(open_workspace(file)))
    return 0
