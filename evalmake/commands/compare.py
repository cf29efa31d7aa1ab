"""`evalmake compare`: two sides of stored results, benchmark by benchmark, with a verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalmake.command_line.completion import complete_compared
from evalmake.command_line.evalfile import locate_evalfile
from evalmake.command_line.options import declare, json_option, parse_confidence, parse_margin

if TYPE_CHECKING:
    from evalmake.scoring.verdict import Margin

REGRESSED, UNDECIDED = 1, 3
FORMATS = ("table", "json", "markdown")


@declare("compare")
@click.argument("words", nargs=-1, metavar="A [B] [NAME=VALUE]...", shell_complete=complete_compared)
@click.option("--flips", is_flag=True, help="List the items that scored otherwise, the worse ones first.")
@click.option("--most", type=click.IntRange(0), default=20, metavar="N", help="Flips of a benchmark (20; 0: all).")
@click.option("--metric", default="", help="Compare this metric (default: the headline of each benchmark).")
@click.option("--margin", metavar="M", callback=parse_margin, help="By how much B may be worse: `1%`, or a number.")
@click.option("--confidence", metavar="C", callback=parse_confidence, help="Of intervals and verdicts: `99%`.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", help="table, json, or markdown.")
@click.option("--strict", is_flag=True, help="End with status 3 where the verdict is INCONCLUSIVE.")
@json_option
def command(
    file: Path | None,
    words: Sequence[str],
    flips: bool,
    most: int,
    metric: str,
    margin: Margin,
    confidence: float | None,
    form: str,
    strict: bool,
    as_json: bool,
) -> int:
    """Print the comparison; status 1 at a regression."""
    from evalmake.comparison.compare import compare_sides
    from evalmake.comparison.operands import find_sides
    from evalmake.project.command_words import Words
    from evalmake.scoring.verdict import Verdict
    from evalmake.terminal import comparison_formats
    from evalmake.terminal.colour_and_tty import terminal_columns
    from evalmake.terminal.comparison import render_comparison
    from evalmake.workspace import Workspace

    parsed = Words.of(words, "compare")
    if not 1 <= len(parsed.targets) <= 2:
        raise click.UsageError("`compare` takes two sides: targets, models, benchmarks, baselines, plans or revisions")
    workspace = Workspace.open(locate_evalfile(file), parsed.overrides)
    level = confidence or workspace.project.settings.confidence or 0.95
    with workspace.read_store() as store:
        before, after = find_sides(workspace, store, parsed)
        found = compare_sides(before, after, level, margin, metric, flips)
    verdict = found.found.verdict
    status = REGRESSED if verdict is Verdict.REGRESSION else 0
    if strict and verdict is Verdict.INCONCLUSIVE:
        status = UNDECIDED
    if as_json or form == "json":
        click.echo(json.dumps(comparison_formats.to_json(found, status), ensure_ascii=False))
    elif form == "markdown":
        click.echo(comparison_formats.to_markdown(found, most))
    else:
        click.echo(render_comparison(found, terminal_columns(), most))
    return status
