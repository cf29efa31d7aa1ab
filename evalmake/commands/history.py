"""`evalmake history`: the attempts in the store, of this Evalfile and of all that share it, newest first."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from evalmake.command_line.job_selection import JobSelection, describe_running, select_jobs
from evalmake.command_line.options import declare, jobs_argument, json_option, parse_duration
from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.action import ActionResult
from evalmake.project.targets import matches_name
from evalmake.store.readable_attempts import read_attempts
from evalmake.terminal import history
from evalmake.terminal.colour_and_tty import terminal_columns
from evalmake.terminal.safe_text import clean


@declare("history")
@jobs_argument
@click.option("--since", metavar="AGE", callback=parse_duration, help="Only those that ended in this time: 7d, 12h.")
@json_option
def command(file: Path | None, words: Sequence[str], since: float | None, as_json: bool) -> int:
    """Print each attempt: when, how it ended, what it took, of what, by whom, and its id."""
    oldest = time.time() - since if since is not None else 0.0
    objects, texts, damaged = list[Any](), list[str](), 0
    for chosen in select_jobs(file, words, "history"):
        for job in chosen.jobs:
            click.echo(describe_running(job), err=True)
        workspace = chosen.workspace
        with workspace.read_store() as store:
            found, unreadable = read_attempts(store)
        damaged += len(unreadable)
        shown = sorted(
            (one for one in _choose(chosen, found) if _moment(one) >= oldest),
            key=lambda one: (one.finished, one.attempt),
            reverse=True,
        )
        objects += json.loads(history.to_json(shown, workspace.store_folder)) if as_json else []
        if shown and not as_json:
            texts.append(history.to_text(shown, workspace.store_folder, workspace.evalfile_key, terminal_columns()))
    click.echo(json.dumps(objects, ensure_ascii=False) if as_json else clean("\n".join(texts) or "no attempts"))
    if damaged:
        what = "1 record is" if damaged == 1 else f"{damaged} records are"
        click.echo(f"{what} damaged: `evalmake verify` says more", err=True)
    return 0


def _moment(attempt: ActionResult) -> float:
    return datetime.fromisoformat(attempt.finished).timestamp()


def _choose(chosen: JobSelection, attempts: Sequence[ActionResult]) -> list[ActionResult]:
    """The attempts that are meant: of a job by its id, and all of a cell, now or as an earlier Evalfile called it."""
    if chosen.is_everything:
        return [*attempts]
    names, ids = set[str](), {one.job for one in chosen.attempts}
    for target in chosen.targets:
        known = {attempt.name for attempt in attempts if matches_name(target.text, attempt.name)}
        try:
            names |= known | chosen.workspace.graph([target]).nodes.keys()
        except EvalmakeError:
            if not known:
                raise
            names |= known
    return [one for one in attempts if one.name in names or one.job in ids]
