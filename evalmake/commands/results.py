"""`evalmake results`: the scores in the store as a table, and the samples behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from evalmake.command_line.evalfile import locate_evalfile
from evalmake.command_line.options import declare, json_option, words_argument
from evalmake.project.command_words import Words
from evalmake.standard_streams import print_result
from evalmake.store.store import Store
from evalmake.stored_results import StoredResult, find_stored_results
from evalmake.stored_samples import SampledResult, StoredSample, find_known_names, find_sampled_results
from evalmake.terminal.colour_and_tty import show_page, terminal_columns
from evalmake.terminal.safe_text import clean
from evalmake.terminal.table_formats import FORMATS
from evalmake.workspace import Workspace

_SHOWN = 50
"""Samples that a table on a terminal has, unless `--limit` says otherwise."""
_OF_SAMPLES = ("failed", "unscored", "where", "columns", "limit")
_OF_SCORES = ("by", "metric")


@declare("results")
@words_argument
@click.option("--by", metavar="KEY[,KEY]", help="What makes rows, and columns: model, benchmark, seed, tag, an axis.")
@click.option("--metric", multiple=True, metavar="NAME", help="Show this metric; `*` stands for any text.")
@click.option("--samples", is_flag=True, help="Show samples, a line for each.")
@click.option(
    "--failed", is_flag=True, help="List what failed alike; with --samples, only samples with less than the full score."
)
@click.option("--unscored", is_flag=True, help="Only samples without a score.")
@click.option(
    "--where", metavar="EXPRESSION", help="""Only samples of which it is true: 'score < 1 and "a" in reply'."""
)
@click.option("--columns", metavar="NAME[,NAME]...", help="Show these fields: id,score,reply,record.level.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="Show so many samples at most; 0: all.")
@click.option("--sample", metavar="ID", help="Show a sample in full, of each of the evaluations.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="How to print it (default: table).")
@json_option
def command(file: Path | None, words: Sequence[str], **options: Any) -> int:
    """Print scores or samples; status 2 if there are none on record, whatever is chosen of them."""
    form = _choose_form(options)
    _check_options(options, form)
    parsed = Words.of(words, "results")
    workspace = Workspace.open(locate_evalfile(file), parsed.overrides)
    with workspace.read_store() as store:
        stored = find_stored_results(workspace, parsed.targets, store)
        if options["sample"] is not None:
            return _print_sample(store, stored, options["sample"], form)
        if options["samples"]:
            return _print_samples(store, stored, form, options)
        if options["failed"]:
            return _print_failures(store, stored, form)
    return _print_scores(workspace, stored, form, options)


def _choose_form(options: dict[str, Any]) -> str:
    if options["as_json"] and options["form"] not in (None, "json"):
        raise click.UsageError("`--json` is `--format json`")
    return "json" if options["as_json"] else options["form"] or "table"


def _check_options(options: dict[str, Any], form: str) -> None:
    """Refuse options that would have no effect."""
    given = {
        name for name in (*_OF_SAMPLES, *_OF_SCORES) if options[name] not in (None, ()) and options[name] is not False
    }
    of_samples = [name for name in _OF_SAMPLES if name in given]
    of_scores = [name for name in _OF_SCORES if name in given]
    if options["sample"] is not None:
        if options["samples"] or given:
            other = "samples" if options["samples"] else next(iter([*of_samples, *of_scores]))
            raise click.UsageError(f"`--sample` shows one sample in full, and takes no `--{other}`")
        if form not in ("table", "json"):
            raise click.UsageError(f"a sample in full is text or JSON, not {form}")
    elif options["failed"] and not options["samples"] and len(given) == 1:
        if form not in ("table", "json"):
            raise click.UsageError(f"`--failed` without `--samples` lists failures as text or JSON, not {form}")
    elif options["failed"] and not options["samples"] and of_scores:
        raise click.UsageError(f"`--failed` lists failures, and takes no `--{of_scores[0]}`")
    elif of_samples and not options["samples"]:
        of_samples = [name for name in of_samples if name != "failed"]
        raise click.UsageError(f"`--{of_samples[0]}` is about samples: add `--samples`")
    elif of_scores and options["samples"]:
        raise click.UsageError(f"`--{of_scores[0]}` is about the table of scores, without `--samples`")


# Scores ----------------------------------------------------------------------------------------------


def _print_scores(workspace: Workspace, stored: Sequence[StoredResult], form: str, options: dict[str, Any]) -> int:
    from evalmake.stored_table import collect_table
    from evalmake.terminal.stored_scores import render_stored_scores

    keys = [key.strip() for key in options["by"].split(",")] if options["by"] is not None else []
    table = collect_table(workspace, stored, keys, options["metric"])
    text = render_stored_scores(table, form, terminal_columns())
    print_result((text if form in ("json", "csv") else clean(text)) + "\n")
    return 0 if table.cells else 2


# Failures --------------------------------------------------------------------------------------------


def _print_failures(store: Store, stored: Sequence[StoredResult], form: str) -> int:
    from evalmake.scoring.failure_classes import fold_failures
    from evalmake.stored_failures import list_failed_evaluations, list_failed_samples
    from evalmake.terminal.failure_list import failures_to_json, render_failures

    found = [fold_failures(failures(store, stored)) for failures in (list_failed_evaluations, list_failed_samples)]
    if form == "json":
        print_result(json.dumps(failures_to_json(*found), indent=2, ensure_ascii=False) + "\n")
    elif text := render_failures(*found):
        print_result(clean(text) + "\n")
    else:
        click.echo("nothing on record failed", err=True)
    return 0 if any(one.history is not None for one in stored) else 2


# Samples ---------------------------------------------------------------------------------------------


def _print_samples(store: Store, stored: Sequence[StoredResult], form: str, options: dict[str, Any]) -> int:
    from evalmake.sample_selection import SampleSelection, Where, make_conditions
    from evalmake.terminal.sample_list import choose_columns, render_samples

    results = find_sampled_results(store, stored)
    known = find_known_names(store, results)
    where = Where(options["where"], known) if options["where"] is not None else None
    columns = choose_columns(options["columns"], known, len(results) > 1)
    _tell_what_has_no_samples(stored, results)
    conditions = make_conditions(options["failed"], options["unscored"])
    selection = SampleSelection(store, results, (*conditions, *([where.holds] if where else ())), where)
    counted = _Counted(selection.find(), _find_limit(options["limit"], form))
    pieces = render_samples(counted.first(), columns, form, terminal_columns())
    for piece in pieces:
        print_result(piece if form in ("json", "csv") else clean(piece))
    if rest := counted.count_rest():
        click.echo(f"{counted.shown} of {counted.shown + rest} samples shown: `--limit 0` shows all", err=True)
    elif not counted.shown:
        click.echo("no sample is chosen", err=True)
    for column in columns if counted.shown else ():
        if message := column.explain_emptiness(known):
            click.echo(clean(message), err=True)
    return 0 if results else 2


def _find_limit(limit: int | None, form: str) -> int | None:
    """How many samples are shown at most; None for all."""
    if limit is None:
        return _SHOWN if form == "table" and terminal_columns() is not None else None
    return limit or None


def _tell_what_has_no_samples(stored: Sequence[StoredResult], results: Sequence[SampledResult]) -> None:
    from evalmake.scoring.sample_counts import SAMPLES

    having = {one.stored.name for one in results if any(output.name == SAMPLES for output in one.attempt.outputs)}
    lacking = [one.name for one in stored if one.name not in having]
    if lacking:
        rest = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        click.echo(clean(f"no samples on record: {', '.join(lacking[:3])}{rest}"), err=True)
    for one in results:
        if one.stored.label and one.stored.name in having:
            click.echo(clean(f"{one.stored.name}: {one.stored.label}"), err=True)


class _Counted:
    """Samples up to a limit, and how many more there are."""

    def __init__(self, samples: Iterator[StoredSample], limit: int | None) -> None:
        self._samples, self._limit = samples, limit
        self.shown = 0

    def first(self) -> Iterator[StoredSample]:
        """Those up to the limit."""
        for sample in islice(self._samples, self._limit):
            self.shown += 1
            yield sample

    def count_rest(self) -> int:
        """How many there are beyond it."""
        return sum(1 for _ in self._samples)


def _print_sample(store: Store, stored: Sequence[StoredResult], id: str, form: str) -> int:
    from evalmake.sample_selection import SampleSelection, make_id_condition, make_unknown_sample
    from evalmake.terminal.sample_page import render_sample, sample_to_json

    results = find_sampled_results(store, stored)
    found = list(SampleSelection(store, results, (make_id_condition(id),)).find())
    if not found:
        raise make_unknown_sample(store, results, id)
    if form == "json":
        print_result(json.dumps([sample_to_json(one) for one in found], indent=2, ensure_ascii=False) + "\n")
    else:
        show_page(clean("\n\n".join(map(render_sample, found))), is_markdown=False)
    return 0
