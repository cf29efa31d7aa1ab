"""Shell completion: targets, commands, topics and codes. What fails completes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from evalmake.command_registry import COMMAND_NAMES

DEFAULT_COMMAND = "evalmake.default_command"
"""Set in `ctx.meta` where no command was typed, so that the next word may still be one."""
_MOST = 200


def complete_targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Targets that begin with `incomplete`, and commands where one may stand."""
    first = ctx.meta.get(DEFAULT_COMMAND, False) and not ctx.params.get("words")
    commands = COMMAND_NAMES if first else ()
    return _matching([*commands, *_targets(ctx)], incomplete)


def complete_declarations(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Targets and declared names that begin with `incomplete`."""
    return _matching(_targets(ctx, ("model", "deployment", "benchmark", "executor")), incomplete)


def complete_compared(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """What can be compared: targets, models, benchmarks and baselines."""
    return _matching([*_targets(ctx, ("model", "benchmark")), *_baselines(ctx)], incomplete)


def complete_baseline(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """What `baseline` does, then names of baselines, then targets."""
    words = ctx.params.get("words") or ()
    if not words:
        return _matching(("set", "show", "update"), incomplete)
    return _matching(_targets(ctx) if words[0] == "set" and len(words) > 1 else _baselines(ctx), incomplete)


def _baselines(ctx: click.Context) -> list[str]:
    from evalmake.project.baseline_path import list_baselines
    from evalmake.workspace import find_evalfile

    evalfile = ctx.params.get("file") or find_evalfile(Path.cwd()) or Path("Evalfile")
    return list_baselines(Path(evalfile).absolute().parent)


def complete_logs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """What has a log: evaluations and deployments."""
    return _matching(_targets(ctx, ("deployment",)), incomplete)


def complete_codes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Diagnostic codes that begin with `incomplete`."""
    from evalmake.terminal.explanation_pages import list_codes

    return _matching(list_codes(), incomplete)


def complete_topics(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Topics of the manual that begin with `incomplete`."""
    from evalmake.terminal.manual import list_key_topics, list_topics

    return _matching([*list_topics(), *list_key_topics()], incomplete)


def complete_benchmarks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Benchmarks of the catalog that begin with `incomplete`; `show` as the first word."""
    from evalmake.project.catalog import read_entries

    return _matching([*(() if ctx.params.get("words") else ("show",)), *read_entries()], incomplete)


def complete_key(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What `key` does, then the names of files."""
    if ctx.params.get("words"):
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(word) for word in _matching(("new", "show", "sign"), incomplete)]


def _targets(ctx: click.Context, kinds: Iterable[str] = ()) -> list[str]:
    """The targets of the Evalfile that the command line means, then the declarations of `kinds`."""
    from evalmake.workspace import Workspace, find_evalfile

    try:
        workspace = Workspace.open(ctx.params.get("file") or find_evalfile(Path.cwd()) or Path("Evalfile"))
    except Exception:  # an Evalfile with a mistake, or none: there is nothing to offer
        return []
    project = workspace.project
    names = [*project.evals, *project.reports, *project.aliases]
    names += [cell.name for cells in workspace.cells.values() for cell in cells]
    return names + [name for kind in kinds for name in project.of(kind)]


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)][:_MOST]
