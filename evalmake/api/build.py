"""A build inside somebody else's process, which it leaves as it was."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evalmake import fastpath, session
from evalmake.api.results import Result, result_of
from evalmake.language.diagnostic import Diagnostic, Severity
from evalmake.results import address_without_seed
from evalmake.run.events import Emit, Event
from evalmake.run.signals import guest
from evalmake.session import FAILED, BuildOutcome
from evalmake.terminal.diagnostics import render
from evalmake.terminal.progress import progress
from evalmake.workspace import Request

Progress = bool | Callable[[Event], None]


def run(request: Request, shown: Progress) -> BuildOutcome:
    """Build what was asked, and warn as Python does; KeyboardInterrupt if it was interrupted."""

    def planned(outcome: BuildOutcome) -> None:
        if not outcome.plan.is_empty:
            fastpath.forget(str(outcome.workspace.root))

    with _viewed(shown) as view:
        visiting = guest.set(True)
        try:
            outcome = session.build(request, view, planned)
        finally:
            guest.reset(visiting)
    if outcome.interrupted:
        raise KeyboardInterrupt
    for problem in outcome.problems:
        if problem.severity is Severity.WARNING:
            warnings.warn(render([problem]), stacklevel=3)
    return outcome


def failures(outcome: BuildOutcome) -> list[Diagnostic]:
    """What went wrong, and the requirements that cannot be judged; empty where all is well."""
    if outcome.status != FAILED:
        return []
    errors = (problem for problem in outcome.problems if problem.severity is Severity.ERROR)
    return [*errors, *(gate.diagnostic for gate in outcome.gates if gate.result.met is None)]


def results_of(outcome: BuildOutcome) -> tuple[Result, ...]:
    """The results of a build, each with the requirements that its scores count for."""
    assert outcome.results is not None
    workspace = outcome.workspace
    text = workspace.project.files.files[-1].source.text
    made = []
    for recorded in outcome.results.results:
        cell = outcome.plan.graph.nodes[recorded.name].evaluation
        confidence = cell.variant.block.confidence or outcome.results.confidence
        gates = tuple(g for g in outcome.results.gates if g.address == address_without_seed(cell))
        made.append(result_of(recorded, gates, confidence, text, workspace.store_folder))
    return tuple(made)


@contextmanager
def _viewed(shown: Progress) -> Iterator[Emit]:
    """The view that was asked for; ours is closed at the end."""
    if callable(shown):
        yield shown
        return
    view = progress(quiet=not shown, verbose=False)
    try:
        yield view
    finally:
        view.close()
