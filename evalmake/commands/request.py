"""Words and flags as a request, and the Evalfile that is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evalmake.language.diagnostic import make_error
from evalmake.project.command_words import Words
from evalmake.workspace import Request, Workspace, find_evalfile


def request_of(words: Sequence[str], flags: Mapping[str, Any], argv: Sequence[str] = ()) -> Request:
    """Words and flags as one request."""
    return Request(
        locate(flags.get("file")),
        Words.of(words),
        flags.get("dry_run", False) or bool(flags.get("output")),
        flags.get("output"),
        flags.get("plan"),
        flags.get("jobs"),
        flags.get("keep_going", False),
        flags.get("always", False),
        flags.get("question", False),
        json=flags.get("as_json", False),
        locked=flags.get("locked", False),
        detach=flags.get("detach", False),
        argv=tuple(argv),
    )


def locate(file: Path | None) -> Path:
    """The Evalfile that was named, or the nearest one; says so when it lies above."""
    if file is not None:
        return file
    found = find_evalfile(Path.cwd())
    if found is None:
        raise make_error(
            "missing-file",
            "there is no `Evalfile` here or in a folder above",
            help=["name one with -f, or begin with `evalmake init`"],
        )
    if found.parent != Path.cwd():
        click.echo(f"using {found}", err=True)
        return found
    return Path("Evalfile")


def complete(params: Mapping[str, Any], incomplete: str) -> list[str]:
    """Targets that begin with what was typed."""
    try:
        workspace = Workspace.open(locate(params.get("file")))
    except Exception:
        return []
    project = workspace.project
    names = [*project.evals, *project.reports, *project.aliases]
    names += [cell.name for group in workspace.cells.values() for cell in group]
    return [name for name in names if name.startswith(incomplete)][:200]
