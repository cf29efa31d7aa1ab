"""`evalmake clean`: stop jobs and servers that killed builds left running, and delete their files."""

from __future__ import annotations

from pathlib import Path

import click

from evalmake.command_line.evalfile import exclusive, open_workspace
from evalmake.command_line.options import declare
from evalmake.language.file_tree import remove_tree


@declare("clean")
def command(file: Path | None) -> int:
    """Stop and remove all that is left of jobs and servers; EvalmakeError names executors that do not answer."""
    from evalmake.language.diagnostic import Diagnostics
    from evalmake.store.journal import Journal

    workspace, problems, count = open_workspace(file), Diagnostics(), 0
    journal = Journal(workspace.root / "journal")
    with exclusive(workspace.root):
        names = {entry.id: entry.name for entry in journal.entries()}
        for executor_name, executor in workspace.executors().items():
            try:
                removed = executor.sweep()
                executor.close()
            except OSError as error:
                problems.error("executor-failed", str(error), workspace.project.executors[executor_name].span)
                continue
            for id, description in removed:
                click.echo(f"removed {description}" + (f" of {names[id]}" if id in names else ""))
            count += len(removed)
            for entry in [entry for entry in journal.entries() if entry.executor == executor_name]:
                remove_tree(workspace.root / "work" / entry.id)
                journal.remove(entry.id)
        journal.forget_builds()
    problems.check()
    click.echo(f"{count} removed" if count else "nothing to clean")
    return 0
