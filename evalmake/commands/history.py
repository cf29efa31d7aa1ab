"""`evalmake history`: the attempts in the store, of this Evalfile and of all that share it, newest first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import click

from evalmake.command_line.completion import complete_targets
from evalmake.command_line.evalfile import open_workspace
from evalmake.command_line.options import declare, json_option, parse_duration
from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.action import ActionResult
from evalmake.project.command_words import Words
from evalmake.project.targets import matches_name
from evalmake.store.readable_attempts import read_attempts
from evalmake.terminal import history
from evalmake.terminal.colour_and_tty import terminal_columns
from evalmake.terminal.safe_text import clean
from evalmake.workspace import Workspace


@declare("history")
@click.argument("targets", nargs=-1, shell_complete=complete_targets)
@click.option("--since", metavar="AGE", callback=parse_duration, help="Only those that ended in this time: 7d, 12h.")
@json_option
def command(file: Path | None, targets: Sequence[str], since: float | None, as_json: bool) -> int:
    """Print each attempt: when, how it ended, what it took, of what, and by whom."""
    workspace = open_workspace(file)
    with workspace.read_store() as store:
        found, damaged = read_attempts(store)
    wanted = _choose(workspace, targets, found)
    oldest = time.time() - since if since is not None else 0.0
    shown = sorted(
        (one for one in found if wanted(one.name) and _moment(one) >= oldest),
        key=lambda one: (one.finished, one.attempt),
        reverse=True,
    )
    if as_json:
        click.echo(history.to_json(shown, workspace.store_folder))
    else:
        text = history.to_text(shown, workspace.store_folder, workspace.evalfile_key, terminal_columns())
        click.echo(clean(text) if shown else "no attempts")
    if damaged:
        what = "1 record is" if len(damaged) == 1 else f"{len(damaged)} records are"
        click.echo(f"{what} damaged: `evalmake verify` says more", err=True)
    return 0


def _moment(attempt: ActionResult) -> float:
    return datetime.fromisoformat(attempt.finished).timestamp()


def _choose(workspace: Workspace, targets: Sequence[str], attempts: Sequence[ActionResult]) -> Callable[[str], bool]:
    """Whether a name is meant: of a cell that these targets name, now or as it was called in an earlier Evalfile."""
    if not targets:
        return lambda name: True
    names: set[str] = set()
    for word, target in zip(targets, Words.of(targets, "history").targets, strict=True):
        known = {attempt.name for attempt in attempts if matches_name(word, attempt.name)}
        try:
            names |= known | workspace.graph([target]).nodes.keys()
        except EvalmakeError:
            if not known:
                raise
            names |= known
    return names.__contains__
