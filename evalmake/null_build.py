"""Remembers the files that a build with nothing to do depends on, for the fast path."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from evalmake import fastpath
from evalmake.language.parser import find_grammar
from evalmake.project.boundary import ALLOW_VARIABLE
from evalmake.run.report_signatures import find_signature_file
from evalmake.session import BuildOutcome
from evalmake.store.journal import Journal
from evalmake.terminal.diagnostics import render
from evalmake.terminal.outcome import collect_problems
from evalmake.workspace import Workspace


def remember_null_build(outcome: BuildOutcome, argv: Sequence[str], stdout: str, start: int) -> None:
    """Let the fast path repeat this output until something that it depends on changes."""
    workspace = outcome.workspace
    if any(True for _ in Journal(workspace.root / "journal").entries()):
        return  # jobs are out: the next build collects them
    if any(model.block.max_age for model in workspace.project.models.values()):
        return  # a result may grow too old without any change
    variables = dict(workspace.project.external.variables_read)
    variables[ALLOW_VARIABLE] = os.environ.get(ALLOW_VARIABLE)
    files = _project_files(workspace) | _program_files()
    installed = [*workspace.project.benchmarks.values(), *workspace.project.deployments.values()]
    listings, more_variables = workspace.environments().watched_inputs(installed)
    files |= listings
    variables |= more_variables
    with workspace.read_store() as store:
        files |= store.large_files(node.action.digest for node in outcome.plan.graph.nodes.values())
    database = str(workspace.store_folder / "cache.db")
    problems = collect_problems(outcome)
    stderr = [render(problems, colour=colour) + "\n" if problems else "" for colour in (False, True)]
    verdict = fastpath.Verdict(outcome.status, stdout, *stderr)
    fastpath.remember(argv, verdict, files, database, variables, start)


def _project_files(workspace: Workspace) -> set[str]:
    """Return every file and folder that loading and planning read, and the files that they found missing."""
    files = workspace.input_paths()
    for report in workspace.project.reports.values():
        path = workspace.report_path(report)
        signature = find_signature_file(report, path, workspace.plugins)
        files |= {str(path), *([str(signature)] if signature else [])}
    files |= {str(workspace.store_folder / "generation"), str(workspace.root / "journal")}
    return files


def _program_files() -> set[str]:
    """Return the folders of packages, and every loaded module that changes in place: `git pull` upgrades those.

    A module in a folder of installed packages is not listed: an upgrade changes the time of the folder.
    """
    library = os.path.dirname(os.__file__) + os.sep
    modules = {file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    in_place = {file for file in modules if not file.startswith(library) and "-packages" + os.sep not in file}
    return in_place | {find_grammar(), *fastpath.package_folders()}
