"""A build inside the caller's process: signals, output and the garbage collector stay as they are."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evalmake import fastpath, session
from evalmake.api.results import Result, convert_result
from evalmake.language.diagnostic import Diagnostic, Severity
from evalmake.run.events import Emit, Event
from evalmake.run.signals import is_embedded
from evalmake.session import FAILED, BuildOutcome
from evalmake.terminal.diagnostics import render
from evalmake.terminal.outcome import collect_gate_problems
from evalmake.terminal.progress import open_view
from evalmake.workspace import Request

Progress = bool | Callable[[Event], None]


def run_build(request: Request, progress: Progress) -> BuildOutcome:
    """Build a request, and turn warnings into Python's; KeyboardInterrupt if it was interrupted."""

    def forget_verdicts(outcome: BuildOutcome) -> None:
        if not outcome.plan.is_empty:
            fastpath.forget(str(outcome.workspace.root))

    with _open_view(progress) as view:
        token = is_embedded.set(True)
        try:
            outcome = session.build(request, view, forget_verdicts)
        finally:
            is_embedded.reset(token)
    if outcome.interrupted:
        raise KeyboardInterrupt
    for problem in outcome.problems:
        if problem.severity is Severity.WARNING:
            warnings.warn(render([problem]), stacklevel=3)
    return outcome


def collect_failures(outcome: BuildOutcome) -> list[Diagnostic]:
    """Errors, and the gates that cannot be judged; empty if the build did not fail."""
    if outcome.status != FAILED:
        return []
    errors = (problem for problem in outcome.problems if problem.severity is Severity.ERROR)
    unjudged = [one for one in outcome.gates if one.result.met is None and one.result.tier == "critical"]
    return [*errors, *collect_gate_problems(unjudged)]


def collect_results(outcome: BuildOutcome) -> tuple[Result, ...]:
    """The results of a build, each with the gates that its scores count for."""
    assert outcome.results is not None
    workspace = outcome.workspace
    text = workspace.project.files.files[-1].source.text
    notes = outcome.results.collect_notes()
    results = []
    for recorded in outcome.results.results:
        cell = outcome.plan.graph.nodes[recorded.name].evaluation
        gates = tuple(g for g in outcome.results.gates if g.concerns(cell.address))
        results.append(
            convert_result(outcome.results, recorded, notes[recorded.name], gates, text, workspace.store_folder)
        )
    return tuple(results)


@contextmanager
def _open_view(progress: Progress) -> Iterator[Emit]:
    """The caller's view, or one of ours, which is closed at the end."""
    if callable(progress):
        yield progress
        return
    view = open_view(quiet=not progress, verbose=False)
    try:
        yield view
    finally:
        view.close()
