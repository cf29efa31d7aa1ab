"""Whole Evalfiles from Python: load, plan, build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from evalmake import session
from evalmake.api.build import Progress, collect_failures, collect_results, run_build
from evalmake.api.declarations import Map
from evalmake.api.errors import rendered_errors
from evalmake.api.html_table import render_table
from evalmake.api.results import Results
from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.values import format_value
from evalmake.planner.staleness import Reason
from evalmake.project.command_words import Words
from evalmake.terminal import targets as target_list
from evalmake.terminal.diagnostics import render
from evalmake.terminal.outcome import render_outcome
from evalmake.terminal.plan import render_plan, render_reasons
from evalmake.terminal.requirements import find_requirements
from evalmake.workspace import Request, Workspace

_MOST_ROWS = 100  # of a plan in a notebook


@dataclass(frozen=True, slots=True, repr=False)
class Project:
    """An Evalfile that was loaded and checked. Each plan and build reads the file again."""

    path: Path
    overrides: tuple[str, ...]  # as they are typed: "LIMIT=20"
    evals: Mapping[str, tuple[str, ...]] = field(hash=False)  # the paths of each eval's cells
    reports: tuple[str, ...]
    aliases: tuple[str, ...]
    text: str = field(compare=False)  # what `evalmake list` prints

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [("eval", name, f"{len(cells)} cells") for name, cells in self.evals.items()]
        rows += [("report", name, "") for name in self.reports]
        rows += [("alias", name, "") for name in self.aliases]
        return render_table(("kind", "name", ""), rows, [str(self.path)])


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """What a build would do; `text` is what `evalmake -n` prints."""

    digest: str
    stale: Mapping[str, tuple[Reason, ...]] = field(hash=False)  # what must run, and why
    fresh: tuple[str, ...]
    reports: tuple[str, ...]  # those to be written
    text: str
    problems: tuple[str, ...] = ()  # why a build of this plan would fail at once, and warnings

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.stale and not self.reports

    def __str__(self) -> str:
        return "\n\n".join([self.text, *self.problems])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [(name, "run", render_reasons(reasons)) for name, reasons in self.stale.items()]
        rows += [(name, "write", "") for name in self.reports]
        notes = [f"and {len(rows) - _MOST_ROWS} more"] if len(rows) > _MOST_ROWS else []
        notes.append(f"{len(self.stale)} to run, {len(self.fresh)} up to date, {len(self.reports)} reports to write")
        notes += self.problems
        return render_table(("target", "", "why"), rows[:_MOST_ROWS], notes)


def load(path: str | PathLike[str] = "Evalfile", overrides: Map | None = None) -> Project:
    """Load an Evalfile and override its UPPER_CASE variables; a text is what you would type after `NAME=`."""
    words = tuple(
        f"{name}={value if isinstance(value, str) else format_value(value)}"
        for name, value in (overrides or {}).items()
    )
    file = Path(path).absolute()
    with rendered_errors():
        parsed = Words.of(words)
        if parsed.targets:
            raise make_error("unknown-variable", f"no variable is named `{parsed.targets[0].text}`")
        workspace = Workspace.open(file, parsed.overrides)
        project = workspace.project
        return Project(
            file,
            words,
            {name: tuple(c.name for c in cells) for name, cells in workspace.cells.items()},
            tuple(project.reports),
            tuple(project.aliases),
            target_list.to_text(workspace),
        )


def plan(project: Project, targets: str | Sequence[str] = ()) -> Plan:
    """Say what `build` would do, and why; nothing runs."""
    with rendered_errors():
        request = Request(project.path, _words(project, targets), dry_run=True)
        outcome = session.build(request, lambda event: None, lambda outcome: None)
    decisions = outcome.plan.decisions.values()
    return Plan(
        outcome.plan.digest,
        {decision.name: decision.reasons for decision in decisions if decision.stale},
        tuple(decision.name for decision in decisions if not decision.stale),
        tuple(report.name for report in outcome.plan.reports.values() if report.must_write),
        render_plan(
            outcome.plan,
            outcome.estimate,
            find_requirements(outcome.workspace.project, outcome.plan, outcome.workspace.plugins),
        ),
        tuple(render([problem]) for problem in outcome.problems),
    )


def build(
    project: Project,
    targets: str | Sequence[str] = (),
    *,
    jobs: int | None = None,
    keep_going: bool = False,
    always: bool = False,
    progress: Progress = False,
) -> Results:
    """Run what is out of date and write the reports, as the command line does; EvalmakeError if anything fails.

    Evaluations that finished before the failure stay on record. `jobs`, `keep_going` and `always` are -j, -k and -B.
    """
    with rendered_errors():
        words = _words(project, targets)
        request = Request(project.path, words, jobs=jobs, keep_going=keep_going, always=always)
        outcome = run_build(request, progress)
        if failed := collect_failures(outcome):
            raise EvalmakeError(failed)
    gates = tuple(verdict.result for verdict in outcome.gates)
    return Results(collect_results(outcome), gates, tuple(outcome.written), render_outcome(outcome))


def _words(project: Project, targets: str | Sequence[str]) -> Words:
    named = [targets] if isinstance(targets, str) else targets
    return Words.of([*named, *project.overrides])
