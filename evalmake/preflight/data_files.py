"""Asks each harness whether the data files of a benchmark fit its prompt, target and choices.

A content that passed is not read again: a mark in the workspace's cache says so.
"""

from __future__ import annotations

from pathlib import Path

from evalmake import __version__
from evalmake.language.diagnostic import Diagnostics
from evalmake.planner.graph import Node
from evalmake.plugin_api.harness import ChecksData, DataError
from evalmake.preflight.context import BuildContext, first_of_each
from evalmake.project.declarations import Declaration

_LARGEST = 64 * 1024**2  # bytes of a benchmark's files; the run reports the errors of more, as `-n` must be fast
_SHOWN = 5


def check_data_files(context: BuildContext, found: Diagnostics) -> None:
    """A plugin's `check_data` reads the files of each benchmark that would run."""
    for node in first_of_each(context.nodes, lambda n: (n.evaluation.benchmark.name, n.evaluation.model.block.api)):
        benchmark = node.evaluation.benchmark
        harness = context.plugins.get("harnesses", benchmark.plugin)
        if not isinstance(harness, ChecksData) or _size(benchmark) > _LARGEST:
            continue
        mark = _mark(context, node)
        if mark.exists():
            continue
        if errors := harness.check_data(node.evaluation):
            _report(benchmark, errors, found)
        else:
            _set(mark)


def _size(benchmark: Declaration) -> int:
    files = benchmark.block.files
    return sum(file.path.stat().st_size for file in files.files if file.path.exists()) if files else 0


def _mark(context: BuildContext, node: Node) -> Path:
    """The file that exists once this benchmark passed: its part of the identity has the hashes of its files."""
    digest = dict(node.action.parts)["benchmark"].digest.partition(":")[2]
    return context.cache / "checked-data" / f"{digest}-{node.evaluation.model.block.api}-{__version__}"


def _set(mark: Path) -> None:
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError:
        return  # a folder that cannot be written to costs time, no more


def _report(benchmark: Declaration, errors: list[DataError], found: Diagnostics) -> None:
    """One error for each key: a prompt that fits no record is one mistake, however many records there are."""
    for key in dict.fromkeys(error.key for error in errors):
        messages = [error.message for error in errors if error.key == key]
        helps = [error.help for error in errors if error.key == key and error.help]
        place = benchmark.fields.spans.get((key,))
        rest = len(messages) - _SHOWN
        found.error(
            "bad-data",
            messages[0],
            place.value if place else benchmark.span,
            about=f"benchmark {benchmark.name}",
            notes=[*messages[1:_SHOWN], *([f"and {rest} more errors of this kind"] if rest > 0 else [])],
            help=helps[:1],
        )
