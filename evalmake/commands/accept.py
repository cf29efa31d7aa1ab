"""`evalmake accept`: keep an old result for a target whose identity has changed, or whose rerun failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalmake.command_line.evalfile import open_workspace
from evalmake.command_line.options import declare, target_argument
from evalmake.planning import make_plan

if TYPE_CHECKING:
    from evalmake.planner.staleness import ActionHistory, Decision
    from evalmake.store.store import Store


@declare("accept")
@target_argument
@click.option("--because", required=True, help="Why the old result still counts; kept on record.")
def command(file: Path | None, target: str, because: str) -> int:
    """Record the old result under the new identity, with the differences and the reason."""
    from evalmake import fastpath
    from evalmake.language.diagnostic import make_error
    from evalmake.project.command_words import Words
    from evalmake.store.acceptance import accept_result

    workspace = open_workspace(file)
    graph = workspace.graph(Words.of([target], "accept").targets)
    with workspace.store() as store:
        plan = make_plan(workspace, graph, store)
        stale = [decision for decision in plan.decisions.values() if decision.stale]
        if not stale:
            raise make_error("nothing-to-accept", f"{target} is up to date")
        earlier = [_find_earlier(decision, store) for decision in stale]
        for decision, head in zip(stale, earlier, strict=True):
            accept_result(store, decision.name, decision.action, head, because)
            moment = head.finished[:16].replace("T", " ")
            click.echo(f"{decision.name}: the result of {moment} counts, because {because}")
    fastpath.forget(str(workspace.root))
    return 0


def _find_earlier(decision: Decision, store: Store) -> ActionHistory:
    """The result to keep for a target; EvalmakeError if there is none, or if it would be stale again."""
    from evalmake.language.diagnostic import make_error
    from evalmake.terminal.plan import render_reasons
    from evalmake.terminal.staleness import find_last_success

    if decision.reasons[0].kind in ("fell-short", "too-old"):  # the copy of the result would be so, too
        raise make_error("nothing-to-accept", f"{decision.name}: {render_reasons(decision.reasons)}")
    head = decision.head if decision.awaits_rerun else find_last_success(store, decision.name)
    if head is None:
        raise make_error("nothing-to-accept", f"{decision.name} has no earlier result")
    return head
