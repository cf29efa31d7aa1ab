"""`evalmake build`: plan, run, tell; and what the next null build may repeat."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evalmake import fastpath
from evalmake.commands.request import request_of
from evalmake.session import BuildOutcome
from evalmake.session import build as build_session
from evalmake.store.journal import Journal
from evalmake.terminal import declarations
from evalmake.terminal.outcome import nothing_to_do, render_outcome
from evalmake.terminal.output import print_diagnostics
from evalmake.terminal.plan import render_needs, render_plan


def build(words: Sequence[str], flags: Mapping[str, Any], argv: Sequence[str]) -> int:
    """Plan and run; the exit status."""
    began = time.time_ns()
    request = request_of(words, flags, argv)
    from evalmake.terminal.progress import progress

    quiet = flags["silent"] or request.question
    view = progress(quiet, flags["verbose"])

    def planned(outcome: BuildOutcome) -> None:
        if request.dry_run and not request.question:
            _print_plan(outcome, request.json, flags["verbose"])
        elif not outcome.plan.is_empty:
            fastpath.forget(str(outcome.workspace.root))
            gc.freeze()  # the plan stays: it need not be looked through again and again
            gc.enable()
            if flags["verbose"]:
                click.echo(render_plan(outcome.plan), err=True)
            if not quiet:
                _print_unmet(outcome)

    try:
        outcome = build_session(request, view, planned)
    finally:
        view.close()
    if request.dry_run or request.question:
        return outcome.status
    problems = [*outcome.problems, *(gate.diagnostic for gate in outcome.gates if not gate.result.met)]
    if problems and (not outcome.plan.is_empty or flags["verbose"]):
        print_diagnostics(problems, argv)
    if request.json:
        click.echo(json.dumps(declarations.outcome_json(outcome), ensure_ascii=False))
    elif not quiet:
        click.echo(render_outcome(outcome), nl=False)
    if outcome.plan.is_empty and not outcome.ran and not request.json and not request.plan and not quiet:
        _remember(outcome, argv, began)
    return outcome.status


def _print_plan(outcome: BuildOutcome, as_json: bool, verbose: bool) -> None:
    from evalmake import __version__
    from evalmake.planner.plan import to_json

    if as_json:
        evalfile = str(outcome.workspace.project.path)
        click.echo(json.dumps(to_json(outcome.plan, evalfile, __version__)))
    else:
        from evalmake.preflight.requirements import unmet, unset

        workspace, stale = outcome.workspace, outcome.plan.stale
        names = [each.written for each in workspace.unpinned(outcome.plan.graph)]
        lacks = unmet(workspace.project, stale)
        needs = render_needs(names, unset(workspace.project, stale), lacks)
        click.echo(render_plan(outcome.plan, outcome.estimate, needs=needs))
        if verbose:
            _print_previews(outcome)


def _print_previews(outcome: BuildOutcome) -> None:
    """What executors that can tell would be asked to make."""
    from evalmake.run.job_builder import JobBuilder
    from evalmake.run.job_previews import previews

    workspace, plan = outcome.workspace, outcome.plan
    job_builder = JobBuilder(workspace.project, workspace.plugins, workspace.root)
    with workspace.store() as store:
        heads = {node.name: store.history(node.action.digest) for node in plan.stale}
    nodes = [(node, (head.attempts if (head := heads[node.name]) else 0) + 1) for node in plan.stale]
    for name, made in previews(job_builder, workspace.executors(), plan.graph, nodes):
        click.echo(f"\n{name}\n{json.dumps(made, indent=2)}")


def _print_unmet(outcome: BuildOutcome) -> None:
    """Before anything runs: what its benchmarks will probably fail for the lack of."""
    from evalmake.preflight.requirements import unmet

    for line in render_needs((), (), unmet(outcome.workspace.project, outcome.plan.stale)):
        click.echo(line, err=True)


def _remember(outcome: BuildOutcome, argv: Sequence[str], began: int) -> None:
    """Give the fast path all that this verdict rested on."""
    workspace = outcome.workspace
    project = workspace.project
    if any(True for _ in Journal(workspace.root / "journal").entries()):
        return
    if any(model.block.max_age for model in project.models.values()):
        return  # tomorrow's verdict may differ without a change
    files = {str(path) for path in project.external.hashes.seen}
    files |= {str(file.path) for file in project.files.files}
    files |= project.files.absent | {str(workspace.report_path(r)) for r in project.reports.values()}
    for root, pattern in project.external.globs | project.files.globs:
        deep = "/" in pattern or "**" in pattern
        inner = Path(root).rglob("*") if deep else ()
        files |= {str(p) for p in inner if p.is_dir() and not p.is_relative_to(workspace.root)}
        files.add(root)
    files |= {str(workspace.store_folder / "generation"), str(workspace.root / "journal")}
    files.add(str(project.path.with_suffix(".lock").absolute()))
    installed = [*project.benchmarks.values(), *project.deployments.values()]
    listings, variables = workspace.environments().watched_inputs(installed)
    files |= listings
    with workspace.store() as kept:
        files |= kept.large_files(node.action.digest for node in outcome.plan.graph.nodes.values())
    store = str(workspace.store_folder / "cache.db")
    text = nothing_to_do(outcome)
    fastpath.remember(argv, outcome.status, text, files, store, project.external.variables_read | variables, began)
