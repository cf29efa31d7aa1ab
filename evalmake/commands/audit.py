"""`evalmake audit`: the story of a number, for a person who must answer for it, or who trusts nobody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from evalmake.command_line.evalfile import locate_evalfile
from evalmake.command_line.options import declare, words_argument


@declare("audit")
@words_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    help="`markdown` and `json` have the whole story of each evaluation, `text` that of one.",
)
def command(file: Path | None, words: Sequence[str], form: str) -> int:
    """Print what was asked, who answered, how it was run, what was tried, and how to find it again."""
    from evalmake.audit.collection import collect_audit
    from evalmake.project.command_words import Words
    from evalmake.terminal import audit
    from evalmake.terminal.colour_and_tty import terminal_columns
    from evalmake.terminal.safe_text import clean
    from evalmake.workspace import Workspace

    parsed = Words.of(words, "audit")
    if not parsed.targets:
        raise click.UsageError("`audit` takes targets")
    workspace = Workspace.open(locate_evalfile(file), parsed.overrides)
    graph = workspace.graph(parsed.targets)
    with workspace.read_store() as store:
        found = collect_audit(workspace, graph, store, " ".join(word.text for word in parsed.targets))
    if not found.groups:
        click.echo("these targets stand for no evaluation")
    elif form == "json":
        click.echo(audit.to_json(found))
    else:
        text = audit.to_markdown(found) if form == "markdown" else audit.to_text(found, terminal_columns())
        click.echo(clean(text), nl=False)
    return 0
