"""`evalmake import`: an Evalfile from another program's configuration or command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from evalmake.command_line.options import PATH, declare
from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import make_error
from evalmake.migration.programs import PROGRAMS


@declare("import")
@click.argument("words", nargs=-1, required=True, metavar="CONFIG [KEY=VALUE]... | -- PROGRAM ARGUMENT...")
@click.option("-o", "--output", type=PATH, help="Write this file instead of printing.")
@click.option("--replace", is_flag=True, help="Let -o replace a file that exists.")
@click.option("--from", "program", type=click.Choice(PROGRAMS), help="Whose it is, if its content does not say.")
def command(file: Path | None, words: Sequence[str], output: Path | None, replace: bool, program: str | None) -> int:
    """Translate a configuration; what has no place goes to stderr, line by line, and to the end of the Evalfile."""
    from evalmake.migration.programs import translate

    if output is not None and output.exists() and not replace:
        raise make_error("exists", f"`{output}` exists already", help=["`--replace` replaces it; nothing was written"])
    draft = translate(words, program)
    text = draft.write()
    for note in draft.sorted_notes():
        place = note.node.span.location if note.node and note.node.span else draft.origin
        click.echo(f"{place}: {note.path}: {note.why}", err=True)
    if output is None:
        click.echo(text, nl=False)
        return 0
    write_atomic(output, text.encode())
    click.echo(f"wrote {output}; `evalmake -f {output} -n` shows what it would run")
    return 0
