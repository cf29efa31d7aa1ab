"""`evalmake baseline`: keep results in a small file beside the Evalfile, to compare with later."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalmake.command_line.completion import complete_baseline
from evalmake.command_line.evalfile import locate_evalfile
from evalmake.command_line.options import declare, json_option
from evalmake.workspace import Workspace

if TYPE_CHECKING:
    from evalmake.project.command_words import Words

_USAGE = (
    "write `evalmake baseline set NAME [TARGET]...`, `baseline show [NAME]` or `baseline update NAME --because TEXT`"
)


@declare("baseline")
@click.argument(
    "words",
    nargs=-1,
    metavar="[set NAME [TARGET]... | show [NAME] | update NAME]",
    shell_complete=complete_baseline,
)
@click.option("--because", default="", metavar="TEXT", help="Why the baseline changes; the file keeps it.")
@json_option
def command(file: Path | None, words: Sequence[str], because: str, as_json: bool) -> int:
    """Do what the first word says."""
    from evalmake.project.command_words import Words

    parsed = Words.of(words, "baseline")
    action, *rest = [word.text for word in parsed.targets] or [""]
    if as_json and action != "show":
        raise click.UsageError("`--json` goes with `baseline show`")
    evalfile = locate_evalfile(file)
    match (action, *rest):
        case ("set", _, *_):
            _set(Workspace.open(evalfile, parsed.overrides), parsed, because)
        case ("show",):
            _list(Workspace.open(evalfile, parsed.overrides), as_json)
        case ("show", name):
            _show(Workspace.open(evalfile, parsed.overrides), name, parsed, as_json)
        case ("update", _) if because.strip():
            _update(Workspace.open(evalfile, parsed.overrides), parsed, because)
        case ("update", name):
            raise click.UsageError(f'say why: `evalmake baseline update {name} --because "..."`')
        case _:
            raise click.UsageError(_USAGE)
    return 0


def _set(workspace: Workspace, words: Words, because: str) -> None:
    """Write a new baseline of the results of some targets, of all without any."""
    from evalmake.comparison.baseline_file import check_name, write_baseline
    from evalmake.comparison.baselines import describe_reason, make_baseline
    from evalmake.comparison.named_cells import cells_of_targets, side_of_cells
    from evalmake.language.diagnostic import make_error
    from evalmake.project.baseline_path import find_path
    from evalmake.terminal.display_path import display_path

    _, (name, span), *targets = words.targets
    check_name(name, span)
    path = find_path(workspace.project.folder, name)
    if path.exists():
        help = [f'`evalmake baseline update {name} --because "..."` replaces it; nothing was written']
        raise make_error("exists", f"`{display_path(path)}` exists already", span, help=help)
    with workspace.read_store() as store:
        side = side_of_cells(workspace, store, name, cells_of_targets(workspace, targets))
        reason = describe_reason(because or "set")
        made = make_baseline(name, [word.text for word in targets], [reason], side)
    write_baseline(workspace.project.path, made)
    count = len(made.results)
    click.echo(f"wrote {display_path(path)}: {count} result{'s' * (count != 1)}; check it in")


def _list(workspace: Workspace, as_json: bool) -> None:
    from evalmake.comparison.baseline_file import read_baseline
    from evalmake.project.baseline_path import list_baselines
    from evalmake.terminal.baselines import list_to_json, render_list

    names = list_baselines(workspace.project.folder)
    found = [read_baseline(workspace.project.path, name) for name in names]
    click.echo(json.dumps(list_to_json(found), ensure_ascii=False) if as_json else render_list(found))


def _show(workspace: Workspace, name: str, words: Words, as_json: bool) -> None:
    from evalmake.comparison.baseline_file import read_baseline
    from evalmake.comparison.baselines import side_of_baseline
    from evalmake.terminal.baselines import baseline_to_json, render_baseline
    from evalmake.terminal.colour_and_tty import terminal_columns

    span = words.targets[1].span
    baseline = read_baseline(workspace.project.path, name, span)
    with workspace.read_store() as store:
        side = side_of_baseline(workspace.project.path, store, name, span)
    if as_json:
        click.echo(json.dumps(baseline_to_json(baseline, side), ensure_ascii=False))
    else:
        click.echo(render_baseline(baseline, side, terminal_columns()))


def _update(workspace: Workspace, words: Words, because: str) -> None:
    """Show what changes, and write the baseline with the results that its targets have now."""
    from evalmake.comparison.baseline_file import has_same_results, read_baseline, write_baseline
    from evalmake.comparison.baselines import describe_reason, make_baseline, side_of_baseline
    from evalmake.comparison.compare import compare_sides
    from evalmake.comparison.named_cells import cells_of_targets, side_of_cells
    from evalmake.language.diagnostic import EvalmakeError
    from evalmake.project.command_words import Words
    from evalmake.terminal.colour_and_tty import terminal_columns
    from evalmake.terminal.comparison import render_comparison
    from evalmake.terminal.display_path import display_path

    name, span = words.targets[1]
    old = read_baseline(workspace.project.path, name, span)
    targets = Words.of(old.targets, f"baseline update {name}: its targets").targets
    with workspace.read_store() as store:
        before = side_of_baseline(workspace.project.path, store, name, span)
        after = side_of_cells(workspace, store, "now", cells_of_targets(workspace, targets))
        made = make_baseline(name, old.targets, [*old.because, describe_reason(because)], after)
        if has_same_results(made, old):
            click.echo(f"nothing has changed: the baseline {name} is of the results that there are")
            return
        try:
            found = compare_sides(before, after, workspace.project.settings.confidence or 0.95)
            click.echo(render_comparison(found, terminal_columns()))
        except EvalmakeError as error:
            if error.diagnostics[0].code != "nothing-to-compare":
                raise
            click.echo("the new results have nothing in common with those of the baseline")
    click.echo(f"\nwrote {display_path(write_baseline(workspace.project.path, made))}: check it in")
