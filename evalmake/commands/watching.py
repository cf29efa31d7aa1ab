"""Commands about jobs that are out: status, cancel."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from evalmake.commands.request import locate
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.executor import Executor, Phase
from evalmake.project.command_words import Words
from evalmake.store.journal import Journal, JournalEntry
from evalmake.workspace import Workspace

_AGAIN = 2.0  # seconds between two looks
_KINDS = {"evaluate": "evaluation", "serve": "server"}


@dataclass(frozen=True, slots=True)
class Out:
    """A job that is out."""

    entry: JournalEntry
    phase: str
    detail: str
    progress: str


def status_command(file: Path | None, directory: Path | None, follow: bool, as_json: bool) -> int:
    """A line for each job that is out."""
    workspace = Workspace.open(locate(file))
    executors = workspace.executors()
    try:
        while True:
            out = _all_out(workspace, executors)
            click.echo(_as_json(out) if as_json else _as_table(out))
            if not follow or not any(one.phase in ("queued", "running", "unreachable") for one in out):
                return 0
            time.sleep(_AGAIN)
    finally:
        for executor in executors.values():
            executor.close()


def cancel_command(file: Path | None, directory: Path | None, words: Sequence[str]) -> int:
    """End the jobs of these targets, all that are out where none is named; EvalmakeError with what is out of reach."""
    from evalmake.run.concurrency import run_concurrently
    from evalmake.store.lock import build_lock

    workspace = Workspace.open(locate(file))
    names = set(workspace.graph(Words.of(words, "cancel").targets).nodes)
    executors, journal = workspace.executors(), Journal(workspace.root / "journal")

    def cancel(entry: JournalEntry) -> str:
        try:
            executors[entry.executor].cancel(entry.id)
            executors[entry.executor].fetch(entry.id, workspace.root / "work" / entry.id)
        except OSError as error:
            return str(error)
        shutil.rmtree(workspace.root / "work" / entry.id, ignore_errors=True)
        journal.remove(entry.id)
        return ""

    try:
        with build_lock(workspace.root, lambda who: click.echo(f"waiting for {who}", err=True)):
            out = [
                entry
                for entry in sorted(journal.entries(), key=lambda one: _by_number(one.name))
                if entry.kind == "evaluate" and entry.name in names and entry.executor in executors
            ]
            failed = dict(zip(out, run_concurrently(cancel, out), strict=True))
    finally:
        for executor in executors.values():
            executor.close()
    for entry, why in failed.items():
        if not why:
            click.echo(f"cancelled {entry.name} on {entry.executor}")
    found = Diagnostics()
    for name, why in {entry.executor: why for entry, why in failed.items() if why}.items():
        found.error("executor-failed", why, workspace.project.executors[name].span)
    found.check()
    if not out:
        click.echo("none of these is out")
    return 0


def _all_out(workspace: Workspace, executors: dict[str, Executor]) -> list[Out]:
    found = []
    for entry in Journal(workspace.root / "journal").entries():
        executor = executors.get(entry.executor)
        if entry.kind not in _KINDS or executor is None:
            continue
        state = executor.poll(entry.id)
        gone = state.phase is Phase.UNKNOWN
        detail = "is not begun yet" if gone else state.detail
        found.append(Out(entry, state.phase.value, detail, _progress(workspace, entry)))
    return sorted(found, key=lambda one: _by_number(one.entry.name))


def _by_number(name: str) -> list[tuple[bool, int, str]]:
    """Names in the order of people: the ninth before the tenth."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _progress(workspace: Workspace, entry: JournalEntry) -> str:
    """How many samples are done, where a harness tells."""
    try:
        told = json.loads((workspace.root / "work" / entry.id / "progress.json").read_bytes())
        return f"{int(told['done'])}/{int(told['total'])}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _as_json(out: Sequence[Out]) -> str:
    return json.dumps(
        [
            {
                "name": one.entry.name,
                "kind": _KINDS[one.entry.kind],
                "executor": one.entry.executor,
                "job": one.entry.id,
                "state": one.phase,
                "detail": one.detail,
                "progress": one.progress,
                "since": one.entry.started,
            }
            for one in out
        ]
    )


def _as_table(out: Sequence[Out]) -> str:
    if not out:
        return "no job is out"
    now = time.time()
    rows = [
        (one.entry.name, one.entry.executor, one.phase, one.progress, _ago(now - one.entry.started), one.detail)
        for one in out
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(6)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if any(one.phase == "ended" and one.entry.kind == "evaluate" for one in out):
        lines.append("`evalmake` collects what has ended")
    return "\n".join(lines)


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.1f}h"
