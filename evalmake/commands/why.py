"""`evalmake why`: every reason why a target is stale, or when its result was made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from evalmake.command_line.evalfile import locate_evalfile
from evalmake.command_line.options import declare, words_argument
from evalmake.planning import make_plan


@declare("why")
@words_argument
def command(file: Path | None, words: Sequence[str]) -> int:
    """Print each target's reasons, with the value before and after."""
    from evalmake.project.command_words import Words
    from evalmake.project.targets import refuse_no_targets
    from evalmake.terminal import staleness
    from evalmake.terminal.command_hints import complete_commands
    from evalmake.workspace import Workspace

    parsed = Words.of(words, "why")
    workspace = Workspace.open(locate_evalfile(file), parsed.overrides)
    graph = workspace.graph(parsed.targets)
    refuse_no_targets(workspace.project)
    with workspace.read_store() as store:
        plan = make_plan(workspace, graph, store)
        texts = [staleness.render_decision(workspace, plan.decision(name), store) for name in graph.nodes]
    for name, decision in plan.reports.items():
        texts.append(staleness.render_report_decision(decision, str(graph.reports[name].declaration.block.path)))
    click.echo(complete_commands("\n".join(texts)))
    return 0
