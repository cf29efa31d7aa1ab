"""The body of `evalmake build`: make a request from words and flags, build it, and print the result."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from evalmake import fastpath
from evalmake.command_line.evalfile import locate_evalfile
from evalmake.language.diagnostic import Diagnostic
from evalmake.null_build import remember_null_build
from evalmake.project.command_words import Words
from evalmake.run.descriptors import raise_descriptor_limit
from evalmake.session import BuildOutcome, build
from evalmake.standard_streams import print_result
from evalmake.terminal.annotations import print_annotations
from evalmake.terminal.colour_and_tty import print_diagnostics, terminal_columns
from evalmake.terminal.command_hints import complete_commands
from evalmake.terminal.outcome import (
    collect_problems,
    render_nothing_to_do,
    render_outcome,
    render_planned_gates,
    render_revalidated,
    render_summary,
    to_json,
)
from evalmake.terminal.plan import render_plan, render_requirements
from evalmake.terminal.progress import open_view
from evalmake.terminal.safe_text import clean
from evalmake.workspace import Request

_NOT_WITH_SMOKE = {"dry_run": "-n", "output": "-o", "question": "-q", "plan": "--plan", "detach": "--detach"}
"""Flags that run nothing here, or only what was planned: their names and how they are typed."""


def run_build(words: Sequence[str], flags: Mapping[str, Any], argv: Sequence[str], owns_process: bool) -> int:
    """Plan and run; the exit status."""
    start = time.time_ns()
    _check_flags(flags)
    request = replace(_make_request(words, flags, argv), owns_process=owns_process)
    verbose = flags["verbose"]
    quiet = flags["silent"] or request.question
    raise_descriptor_limit()
    view = open_view(quiet, verbose)
    try:
        outcome = build(request, view, _plan_printer(request, quiet, verbose))
    finally:
        view.close()
    if request.dry_run or request.question:
        if outcome.problems:
            print_diagnostics(outcome.problems, argv)
        if flags["annotations"]:
            print_annotations(outcome.problems)
        return outcome.status
    problems = collect_problems(outcome, folded=not request.json)
    if outcome.plan.stale and (warning := _notify(outcome)):
        problems.append(warning)
    if problems:
        print_diagnostics(problems, argv)
    if request.json:
        print_result(json.dumps(to_json(outcome), ensure_ascii=False) + "\n")
    elif not quiet:
        print_result(clean(complete_commands(render_outcome(outcome, verbose))))
    if flags["annotations"]:
        print_annotations(problems, outcome.results)
    told_once = request.json or request.plan or verbose or outcome.revalidated
    if outcome.plan.is_empty and not outcome.ran and not told_once:
        remember_null_build(outcome, argv, "" if quiet else clean(render_nothing_to_do(outcome)), start)
    return outcome.status


def _notify(outcome: BuildOutcome) -> Diagnostic | None:
    """Tell who wants to know how the build ended; a warning if that fails."""
    from evalmake.notification import notify_of_end

    return notify_of_end(outcome, "\n".join(render_summary(outcome)), collect_problems(outcome))


def _make_request(words: Sequence[str], flags: Mapping[str, Any], argv: Sequence[str]) -> Request:
    return Request(
        locate_evalfile(flags["file"]),
        Words.of(words),
        flags["dry_run"] or bool(flags["output"]),
        flags["output"],
        flags["plan"],
        flags["jobs"],
        flags["keep_going"],
        flags["always"],
        flags["because"] or "",
        flags["question"],
        json=flags["as_json"],
        locked=flags["locked"],
        detach=flags["detach"],
        argv=tuple(argv),
        settle=flags["settle"] or 0.0,
        sign=flags["sign"],
        keys=flags["keys"],
        smoke=flags["smoke"],
    )


def _check_flags(flags: Mapping[str, Any]) -> None:
    """Refuse flags about signatures and reasons that would have no effect: who writes them relies on them."""
    if flags["because"] is not None and not flags["always"]:
        raise click.UsageError("`--because` says why everything runs again, so it goes with `-B`")
    if flags["sign"] and not flags["output"]:
        raise click.UsageError("`--sign` signs the plan that `-n -o FILE` writes")
    if flags["require_signature"] and not (flags["plan"] and flags["keys"]):
        raise click.UsageError("`--require-signature` needs `--plan FILE` and `--key FILE`, once for each key")
    for name, word in _NOT_WITH_SMOKE.items():
        if flags["smoke"] and flags[name]:
            raise click.UsageError(f"`--smoke` asks one question of each evaluation, so it does not go with `{word}`")
    if flags["annotations"] and (flags["as_json"] or flags["question"]):
        other = "--json" if flags["as_json"] else "-q"
        raise click.UsageError(f"`--annotations` prints lines of its own to stdout, where `{other}` prints none")
    if flags["keys"] and not flags["require_signature"]:
        raise click.UsageError("`--key` is a key for `--require-signature`")


def _plan_printer(request: Request, quiet: bool, verbose: bool) -> Callable[[BuildOutcome], None]:
    """What a build calls once its plan is made, before anything runs."""

    def print_plan(outcome: BuildOutcome) -> None:
        if request.dry_run and not request.question:
            _print_dry_run(outcome, request.json, verbose)
        elif not outcome.plan.is_empty:
            fastpath.forget(str(outcome.workspace.root))
            # The plan lives until the end, so the collector need not look at it again.
            gc.freeze()
            gc.enable()
            if verbose:
                click.echo(clean(complete_commands(render_plan(outcome.plan))), err=True)
            if not quiet:
                _print_unmet_requirements(outcome)

    return print_plan


def _print_dry_run(outcome: BuildOutcome, as_json: bool, verbose: bool) -> None:
    """Print the plan and what it needs; with -v, also what executors would create."""
    from evalmake import __version__
    from evalmake.planner.saved_plan import plan_to_json
    from evalmake.terminal.requirements import find_requirements

    workspace, plan = outcome.workspace, outcome.plan
    for key_id in outcome.signed_by:
        click.echo(f"the plan is signed by {key_id}", err=True)
    if as_json:
        evalfile = str(workspace.project.path)
        click.echo(json.dumps(plan_to_json(plan, evalfile, __version__)))
        return
    requirements = find_requirements(workspace.project, plan, workspace.plugins)
    click.echo(
        clean(
            complete_commands(
                "\n".join(
                    [
                        *render_revalidated(outcome),
                        *render_planned_gates(outcome.planned_gates, terminal_columns()),
                        render_plan(plan, outcome.estimate, requirements, terminal_columns()),
                    ]
                )
            )
        )
    )
    if verbose:
        _print_previews(outcome)


def _print_previews(outcome: BuildOutcome) -> None:
    """Print what executors would create, if they can show it."""
    from evalmake.run.job_builder import JobBuilder
    from evalmake.run.job_previews import preview_jobs

    workspace, plan = outcome.workspace, outcome.plan
    job_builder = JobBuilder(workspace.project, workspace.plugins, workspace.root)
    with workspace.read_store() as store:
        heads = {node.name: store.history(node.action.digest) for node in plan.stale}
    nodes = [(node, (head.attempts if (head := heads[node.name]) else 0) + 1) for node in plan.stale]
    for name, request in preview_jobs(job_builder, workspace.executors(), plan.graph, nodes):
        click.echo(f"\n{name}\n{json.dumps(request, indent=2)}")


def _print_unmet_requirements(outcome: BuildOutcome) -> None:
    """Print what benchmarks need according to the catalog and this project lacks, and whom else they ask."""
    from evalmake.preflight.catalog_requirements import find_endpoints_past_the_gateway, missing_catalog_requirements

    unmet = missing_catalog_requirements(outcome.workspace.project, outcome.plan.stale)
    for line in render_requirements((), (), unmet, find_endpoints_past_the_gateway(outcome.plan.stale)):
        click.echo(line, err=True)
