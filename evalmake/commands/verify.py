"""`evalmake verify`: check every record and blob of the store, environments, and the reply cache."""

from __future__ import annotations

from pathlib import Path

import click

from evalmake.command_line.evalfile import exclusive, open_workspace
from evalmake.command_line.options import declare
from evalmake.language.diagnostic import EvalmakeError
from evalmake.store.store import Store
from evalmake.workspace import Workspace


@declare("verify")
def command(file: Path | None) -> int:
    """Hash everything again; status 2 when something does not match."""
    from evalmake.gateway.reply_cache import maintenance
    from evalmake.store.verification import check_table, verify_store

    workspace = open_workspace(file)
    with exclusive(workspace.store_folder):
        with workspace.read_store() as store:
            check_table(store)
        with workspace.store() as store:
            found = verify_store(store)
            problems = found.wrong + _judge_results_again(workspace, store)
            store.mark_changed()
    project = workspace.project
    installed = [*project.benchmarks.values(), *project.deployments.values()]
    problems += workspace.environments().verify(installed)
    if damage := maintenance.check_integrity(workspace.reply_cache_folder):
        problems.append(f"the reply cache, which evaluations do without: {damage}")
    for problem in problems:
        click.echo(problem)
    if found.unsealed:
        click.echo(_describe_unsealed(found.unsealed))
    click.echo(f"{found.count} entries verified, " + (f"{len(problems)} do not match" if problems else "all match"))
    return 2 if problems else 0


def _judge_results_again(workspace: Workspace, store: Store) -> list[str]:
    """The results that count whose scores their stored outputs contradict."""
    from evalmake.result_verification import find_contradictions

    try:
        graph = workspace.graph(())
    except EvalmakeError as error:
        click.echo(f"results were not judged again, as the Evalfile does not plan: {error.diagnostics[0].message}")
        return []
    return list(find_contradictions(workspace, list(graph.nodes.values()), store))


def _describe_unsealed(count: int) -> str:
    records = "1 record was" if count == 1 else f"{count} records were"
    return f"{records} written by evalmake 0.1, which kept no digest of them: an earlier change of them is not noticed"
