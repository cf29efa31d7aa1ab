"""`evalmake outputs`: list what the last attempts of targets left, and copy it out of the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from evalmake.command_line.evalfile import locate_evalfile
from evalmake.command_line.options import PATH, declare, json_option, words_argument
from evalmake.planner.action import ActionResult
from evalmake.project.command_words import Words
from evalmake.store.output_copy import OutputCopy, copy_outputs
from evalmake.terminal.safe_text import clean
from evalmake.terminal.staleness import find_attempt_to_show
from evalmake.terminal.tables import align_columns
from evalmake.workspace import Workspace


@declare("outputs")
@words_argument
@click.option("--copy", "folder", type=PATH, metavar="FOLDER", help="Copy the outputs to this folder, TARGET/NAME.")
@json_option
def command(file: Path | None, words: Sequence[str], folder: Path | None, as_json: bool) -> int:
    """Print the size and name of each output; status 2 if a target has not run."""
    parsed = Words.of(words, "outputs")
    if not parsed.targets:
        raise click.UsageError("`outputs` takes targets")
    workspace = Workspace.open(locate_evalfile(file), parsed.overrides)
    nodes = workspace.graph(parsed.targets).nodes
    with workspace.read_store() as store:
        found = {name: find_attempt_to_show(store, node) for name, node in nodes.items()}
        attempts = {name: attempt for name, attempt in found.items() if attempt is not None}
        copies = [OutputCopy(one, f"{name}/{one.name}") for name, it in attempts.items() for one in it.outputs]
        new = copy_outputs(store, copies, folder) if folder is not None else 0
    if as_json:
        click.echo(json.dumps([_to_json(name, attempt, folder) for name, attempt in attempts.items()]))
    else:
        click.echo(clean("\n".join(line for name, attempt in found.items() for line in _to_lines(name, attempt))))
        if folder is not None:
            same = f", {len(copies) - new} were there" if new < len(copies) else ""
            click.echo(f"{new} files copied to {folder}{same}")
    return 0 if len(attempts) == len(found) else 2


def _to_lines(name: str, attempt: ActionResult | None) -> list[str]:
    """The attempt of a target, and a line for each of its outputs."""
    if attempt is None:
        return [f"{name} has not run"]
    moment = attempt.finished[:16].replace("T", " ")
    rows = [(f"{output.size:>14,}", " ".join(output.name.splitlines())) for output in attempt.outputs]
    return [f"{name}: attempt {attempt.attempt}, {attempt.status} {moment}", *(align_columns(rows) if rows else ())]


def _to_json(name: str, attempt: ActionResult, folder: Path | None) -> dict[str, Any]:
    return {
        "target": name,
        "attempt": attempt.attempt,
        "status": attempt.status,
        "finished": attempt.finished,
        "outputs": [
            {"name": one.name, "bytes": one.size, "sha256": one.sha256}
            | ({"path": str(folder / name / one.name)} if folder is not None else {})
            for one in attempt.outputs
        ],
    }
