"""`evalmake fmt`: rewrite Evalfiles in their one layout, or show how they differ from it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from evalmake.command_line.evalfile import locate_evalfile
from evalmake.command_line.options import declare
from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import make_error
from evalmake.language.formatter import format_source
from evalmake.language.source import Source


@declare("fmt")
@click.argument("files", nargs=-1, type=click.Path(allow_dash=True))
@click.option("--check", is_flag=True, help="Change nothing; print a diff and exit with status 1 instead.")
def command(file: Path | None, files: Sequence[str], check: bool) -> int:
    """Format the nearest Evalfile, these files, or standard input (`-`)."""
    if list(files) == ["-"]:
        click.echo(format_source(Source("standard input", sys.stdin.read())), nl=False)
        return 0
    paths = [Path(name) for name in files] or [locate_evalfile(file)]
    changed = [_format(path, check) for path in paths]
    return int(check and any(changed))


def _format(path: Path, check: bool) -> bool:
    """Format a file, or print the diff. Return whether the format changed anything."""
    from difflib import unified_diff

    text = _read(path)
    formatted = format_source(Source(str(path), text))
    if formatted == text:
        return False
    if check:
        lines = unified_diff(text.splitlines(True), formatted.splitlines(True), str(path), f"{path} formatted")
        click.echo("".join(lines), nl=False)
    else:
        write_atomic(path, formatted.encode())
        click.echo(f"formatted {path}")
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise make_error("not-utf8", f"`{path}` is not UTF-8 text") from None
    except OSError as error:
        raise make_error("missing-file", f"cannot read `{path}`: {error.strerror}") from None
