"""The cells of an Evalfile that a word names: a target, a model, a benchmark, or a cell with all its seeds."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from evalmake.comparison.cells import Side
from evalmake.comparison.stored_cells import read_cells
from evalmake.language.diagnostic import EvalmakeError, closest_name, make_error
from evalmake.project.command_words import Word
from evalmake.project.matrix import Evaluation
from evalmake.project.targets import Selection, cells_of_report, select_targets
from evalmake.store.store import Store
from evalmake.workspace import Workspace

KINDS = ("model", "benchmark")
_UNKNOWN = "unknown-target"


def find_cells(workspace: Workspace, word: Word, others: Collection[str] = ()) -> list[Evaluation]:
    """The cells that a word names; EvalmakeError if it names nothing. `others` are names that it may be meant for."""
    kind, colon, name = word.text.partition(":")
    if colon and kind in KINDS:
        return _find_cells_of(workspace, kind, name, word)
    try:
        return cells_of_targets(workspace, [word])
    except EvalmakeError as error:
        if error.diagnostics[0].code != _UNKNOWN:
            raise
        return _find_declared(workspace, word, error, others)


def names_cells(workspace: Workspace, word: Word) -> bool:
    """Whether a word names cells."""
    try:
        return bool(find_cells(workspace, word))
    except EvalmakeError as error:
        return error.diagnostics[0].code != _UNKNOWN


def cells_of_targets(workspace: Workspace, words: Sequence[Word]) -> list[Evaluation]:
    """The cells of targets, of all without any; a report stands for those it shows."""
    selection: Selection = select_targets(workspace.project, workspace.cells, words)
    cells = dict(selection.evaluations)
    for report in selection.reports.values():
        cells |= {cell.name: cell for cell in cells_of_report(workspace.project, workspace.cells, report)}
    return list(cells.values())


def side_of_cells(workspace: Workspace, store: Store, name: str, cells: Sequence[Evaluation]) -> Side:
    """A side of these cells, with their results."""
    builder = workspace.graph_builder()
    nodes = [builder.node(cell) for cell in cells]
    targets = " ".join(dict.fromkeys(cell.eval for cell in cells))
    return Side(name, read_cells(workspace, nodes, store), advice=f"run it first: `evalmake {targets}`")


def _find_declared(workspace: Workspace, word: Word, error: EvalmakeError, others: Collection[str]) -> list[Evaluation]:
    """All cells of a model or of a benchmark, or all seeds of a cell."""
    project = workspace.project
    for kind in KINDS:
        if word.text in project.of(kind):
            return _find_cells_of(workspace, kind, word.text, word)
    if seeds := [cell for group in workspace.cells.values() for cell in group if cell.address == word.text]:
        return seeds
    meant = closest_name(word.text, [*project.models, *project.benchmarks, *others])
    if meant is None or error.diagnostics[0].help != ("`evalmake list` shows the targets",):
        raise error
    message = f"no target, model, benchmark or baseline is named `{word.text}`"
    raise make_error(_UNKNOWN, message, word.span, help=[f"did you mean `{meant}`?"])


def _find_cells_of(workspace: Workspace, kind: str, name: str, word: Word) -> list[Evaluation]:
    declared = workspace.project.of(kind)
    if name not in declared:
        meant = closest_name(name, declared)
        help = (
            [f"did you mean `{kind}:{meant}`?"] if meant else [f"there are {', '.join(declared)}"] if declared else []
        )
        raise make_error(_UNKNOWN, f"no {kind} is named `{name}`", word.span, help=help)
    every = (cell for group in workspace.cells.values() for cell in group)
    found = [cell for cell in every if getattr(cell, kind).name == name]
    if not found:
        message = f"no evaluation has the {kind} `{name}`"
        raise make_error("nothing-to-compare", message, word.span, help=["add it to an eval, and run that"])
    return found
