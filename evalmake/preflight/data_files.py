"""Asks each harness whether the data files of a benchmark fit its prompt, target and choices.

A content that passed is not read again: a mark in the workspace's cache says so, and keeps the notes on it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

from evalmake import __version__
from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import Diagnostics, Severity, make_diagnostic
from evalmake.language.text_place import find_in_text
from evalmake.planner.graph import Node
from evalmake.plugin_api.harness import ChecksData, DataError, DataNote
from evalmake.preflight.context import BuildContext, first_of_each
from evalmake.project.boundary import allow_help
from evalmake.project.declarations import Declaration
from evalmake.project.matrix import Evaluation
from evalmake.project.named_files import list_data_files, list_input_files
from evalmake.run.hub_data import awaits_data
from evalmake.seal import seal, unseal

_LARGEST = 64 * 1024**2  # bytes of a benchmark's files; the run reports the errors of more, as `-n` must be fast
_SHOWN = 5


def check_data_files(context: BuildContext, diagnostics: Diagnostics) -> None:
    """A plugin's `check_data` reads the files of each benchmark that would run."""
    for node in first_of_each(context.nodes, _distinguish):
        benchmark = node.evaluation.benchmark
        harness = context.plugins.get("harnesses", benchmark.plugin)
        if not isinstance(harness, ChecksData) or _size(benchmark) > _LARGEST or awaits_data(benchmark, harness):
            continue
        mark = _mark(context, node)
        notes = _read_notes(mark)
        outside = _find_outside(context, benchmark)
        if notes is None:
            results = harness.check_data(node.evaluation)
            notes = [one for one in results if isinstance(one, DataNote)]
            if errors := [one for one in results if isinstance(one, DataError)]:
                _report(benchmark, _hide_content(errors, outside), diagnostics)
            else:
                _write_notes(mark, notes)
        for note in _hide_notes(notes, outside):
            _report_note(node.evaluation, note, diagnostics)


def _distinguish(node: Node) -> Hashable:
    """What a check of data depends on, besides the content of the files."""
    cell = node.evaluation
    return cell.benchmark.name, cell.model.block.api, cell.limit


def _find_outside(context: BuildContext, benchmark: Declaration) -> Path | None:
    """A file of the benchmark that is outside the project, so that what is in it is not shown.

    Those that evalmake has downloaded are its own.
    """
    boundary = context.project.files.boundary
    named = list_input_files(replace(benchmark, fetched=None))
    return next((file.path for file in named if not boundary.holds(file.path)), None)


def _hide_content(errors: list[DataError], outside: Path | None) -> list[DataError]:
    """One error without any content in place of errors of data from outside the project."""
    if outside is None:
        return errors
    message = f"the data do not fit, and {outside} is outside the project, so the reason is not shown"
    return [DataError(errors[0].key, message, allow_help(outside)[0])]


def _hide_notes(notes: list[DataNote], outside: Path | None) -> list[DataNote]:
    """One note without any content in place of notes on data from outside the project."""
    if outside is None or not notes:
        return notes
    message = f"the data look doubtful, and {outside} is outside the project, so the reason is not shown"
    return [DataNote(notes[0].key, f"{message}: {allow_help(outside)[0]}")]


def _size(benchmark: Declaration) -> int:
    return sum(file.path.stat().st_size for file in list_data_files(benchmark) if file.path.exists())


def _mark(context: BuildContext, node: Node) -> Path:
    """The file that exists once this benchmark passed: its part of the identity has the hashes of its files."""
    digest = dict(node.action.parts)["benchmark"].digest.partition(":")[2]
    cell = node.evaluation
    return context.cache / "checked-data" / f"{digest}-{cell.model.block.api}-{cell.limit}-{__version__}"


def _read_notes(mark: Path) -> list[DataNote] | None:
    """The notes on a content that passed; None if it was not checked."""
    try:
        content = unseal(mark.name, mark.read_bytes())
        return [DataNote(*note) for note in json.loads(content)] if content is not None else None
    except (OSError, ValueError, TypeError):
        return None


def _write_notes(mark: Path, notes: list[DataNote]) -> None:
    with contextlib.suppress(OSError):  # a folder that cannot be written to costs time, no more
        mark.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(mark, seal(mark.name, json.dumps(notes).encode()))


def _report_note(cell: Evaluation, note: DataNote, diagnostics: Diagnostics) -> None:
    """A warning at the key of the benchmark, or else of the eval, that the note is on."""
    about, span = f"benchmark {cell.benchmark.name}", cell.benchmark.span
    for owner, fields in ((f"eval {cell.eval}", cell.variant.fields), (about, cell.benchmark.fields)):
        if place := fields.spans.get((note.key,)):
            about, span = owner, place.value
    diagnostics.append(make_diagnostic("doubtful-data", note.message, span, about=about, severity=Severity.WARNING))


def _report(benchmark: Declaration, errors: list[DataError], diagnostics: Diagnostics) -> None:
    """One error for each key: a prompt that fits no record is one mistake, however many records there are."""
    for key in dict.fromkeys(error.key for error in errors):
        messages = [error.message for error in errors if error.key == key]
        helps = [error.help for error in errors if error.key == key and error.help]
        place = benchmark.fields.spans.get((key,))
        span = place.value if place else benchmark.span
        inner = next((error.place for error in errors if error.key == key), None)
        if inner is not None:
            span = find_in_text(span, str(getattr(benchmark.settings, key, "")), *inner)
        rest = len(messages) - _SHOWN
        diagnostics.error(
            "bad-data",
            messages[0],
            span,
            about=f"benchmark {benchmark.name}",
            notes=[*messages[1:_SHOWN], *([f"and {rest} more errors of this kind"] if rest > 0 else [])],
            help=helps[:1],
        )
