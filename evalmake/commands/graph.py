"""`evalmake graph`: servers, evaluations and reports as Graphviz or Mermaid text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from evalmake.command_line.evalfile import locate_evalfile
from evalmake.command_line.options import declare, words_argument


@declare("graph")
@words_argument
@click.option("--format", "format", type=click.Choice(["dot", "mermaid"]), default="dot", help="The format.")
def command(file: Path | None, words: Sequence[str], format: str) -> int:
    """Print the graph of the targets."""
    from evalmake.project.command_words import Words
    from evalmake.terminal.graph_drawing import draw_graph
    from evalmake.workspace import Workspace

    parsed = Words.of(words, "graph")
    workspace = Workspace.open(locate_evalfile(file), parsed.overrides)
    click.echo(draw_graph(workspace.graph(parsed.targets), format))
    return 0
