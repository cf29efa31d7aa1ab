"""`evalmake help`: the topics of the manual, or one page of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from evalmake.command_line.completion import complete_topics
from evalmake.command_line.options import declare


@declare("help")
@click.argument("topic", nargs=-1, shell_complete=complete_topics)
def command(file: Path | None, topic: Sequence[str]) -> int:
    """Print the list of topics, or show the page of one; several words are one topic."""
    from evalmake.terminal import manual
    from evalmake.terminal.colour_and_tty import show_page

    if topic:
        page = manual.find_page(" ".join(topic))
        show_page(page.text, page.is_markdown)
    else:
        click.echo(manual.render_topics())
    return 0
