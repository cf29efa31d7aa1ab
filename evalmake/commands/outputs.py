"""`evalmake outputs`: list what the last attempts of targets left, and copy it out of the store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evalmake.command_line.job_selection import JobSelection, describe_running, select_jobs
from evalmake.command_line.options import PATH, declare, jobs_argument, json_option
from evalmake.planner.action import ActionResult
from evalmake.store.output_copy import OutputCopy, copy_outputs
from evalmake.store.store import Store
from evalmake.terminal.safe_text import clean
from evalmake.terminal.staleness import find_attempt_to_show
from evalmake.terminal.tables import align_columns


@declare("outputs")
@jobs_argument
@click.option("--copy", "folder", type=PATH, metavar="FOLDER", help="Copy the outputs to this folder, TARGET/NAME.")
@json_option
def command(file: Path | None, words: Sequence[str], folder: Path | None, as_json: bool) -> int:
    """Print the size and name of each output; status 2 if a target has not run."""
    selections = select_jobs(file, words, "outputs")
    if any(chosen.is_everything for chosen in selections):
        raise click.UsageError("`outputs` takes targets, or ids of jobs")
    found: dict[str, ActionResult | None] = {}
    copied = new = 0
    running = [job for chosen in selections for job in chosen.jobs]
    for job in running:
        click.echo(describe_running(job), err=True)
    for chosen in selections:
        with chosen.workspace.read_store() as store:
            here = _name_apart(found, _find_attempts(chosen, store))
            copies = [OutputCopy(one, f"{name}/{one.name}") for name, it in here.items() if it for one in it.outputs]
            copied += len(copies)
            new += copy_outputs(store, copies, folder) if folder is not None else 0
        found |= here
    attempts = {name: attempt for name, attempt in found.items() if attempt is not None}
    if as_json:
        click.echo(json.dumps([_to_json(name, attempt, folder) for name, attempt in attempts.items()]))
    else:
        click.echo(clean("\n".join(line for name, attempt in found.items() for line in _to_lines(name, attempt))))
        if folder is not None:
            same = f", {copied - new} were there" if new < copied else ""
            click.echo(f"{new} files copied to {folder}{same}")
    return 2 if running or len(attempts) < len(found) else 0


def _find_attempts(chosen: JobSelection, store: Store) -> dict[str, ActionResult | None]:
    """By target: the attempt of a job that is named by its id, or the last of a target."""
    found: dict[str, ActionResult | None] = {}
    for one in chosen.attempts:
        found |= _name_apart(found, {one.name: one})
    nodes = chosen.workspace.graph(chosen.targets).nodes if chosen.targets else {}
    return found | {name: find_attempt_to_show(store, node) for name, node in nodes.items()}


def _name_apart(
    found: Mapping[str, ActionResult | None], more: Mapping[str, ActionResult | None]
) -> dict[str, ActionResult | None]:
    """Further attempts by target; that of a target which is in `found` already has the id of its job."""
    return {one.job if one and name in found and found[name] != one else name: one for name, one in more.items()}


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
