"""`evalmake accept`: keep an old result for a target whose identity has changed."""

from __future__ import annotations

from pathlib import Path

import click

from evalmake.commands.declaration import declare, target_argument
from evalmake.commands.evalfile import open_workspace
from evalmake.planning import make_plan


@declare("accept")
@target_argument
@click.option("--because", required=True, help="Why the old result still counts; kept on record.")
def command(file: Path | None, target: str, because: str) -> int:
    """Record the old result under the new identity, with the differences and the reason."""
    from evalmake import fastpath
    from evalmake.language.diagnostic import make_error
    from evalmake.project.command_words import Words
    from evalmake.terminal.staleness import find_last_success

    workspace = open_workspace(file)
    graph = workspace.graph(Words.of([target], "accept").targets)
    with workspace.store() as store:
        plan = make_plan(workspace, graph, store)
        stale = [decision for decision in plan.decisions.values() if decision.stale]
        if not stale:
            raise make_error("nothing-to-accept", f"{target} is up to date")
        earlier = {decision.name: find_last_success(store, decision.name) for decision in stale}
        without = [name for name, head in earlier.items() if head is None]
        if without:
            raise make_error("nothing-to-accept", f"{without[0]} has no earlier result")
        for decision in stale:
            head = earlier[decision.name]
            assert head is not None
            store.accept_result(decision.name, decision.action, head, because)
            moment = head.finished[:16].replace("T", " ")
            click.echo(f"{decision.name}: the result of {moment} counts, because {because}")
    fastpath.forget(str(workspace.root))
    return 0
