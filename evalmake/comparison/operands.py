"""What the words of `evalmake compare` mean: targets, models and benchmarks of the Evalfile; others by their form."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from evalmake.comparison.baseline_file import list_baselines
from evalmake.comparison.baselines import PREFIX, side_of_baseline
from evalmake.comparison.cells import Side, read_cells
from evalmake.language.diagnostic import EvalmakeError, closest_name, make_error
from evalmake.project.command_words import Word, Words
from evalmake.project.matrix import Evaluation
from evalmake.project.targets import Selection, cells_of_report, select_targets
from evalmake.store.store import Store
from evalmake.workspace import Workspace

_KINDS = ("model", "benchmark")
_NOW = "now"


def find_sides(workspace: Workspace, store: Store, words: Words) -> tuple[Side, Side]:
    """The two sides that a command line names."""
    if len(words.targets) < 2:
        only = words.targets[0]
        if baseline := _find_baseline(workspace, only):
            before = side_of_baseline(workspace.project.path, store, baseline, only.span)
            return before, _side_of_names(workspace, store, [cell.name for cell in before.cells])
        message = f"`{only.text}` is one side, and a comparison has two"
        raise make_error("nothing-to-compare", message, only.span, help=["name the other side behind it"])
    before, after = (find_side(workspace, store, word) for word in words.targets)
    return before, after


def find_side(workspace: Workspace, store: Store, word: Word) -> Side:
    """The side that a word names; EvalmakeError if it names nothing."""
    kind, colon, name = word.text.partition(":")
    if colon and kind == PREFIX:
        return side_of_baseline(workspace.project.path, store, name, word.span)
    if colon and kind in _KINDS:
        return _side_of_cells(workspace, store, word.text, _find_cells_of(workspace, kind, name, word))
    try:
        selection = select_targets(workspace.project, workspace.cells, [word])
    except EvalmakeError as error:
        if error.diagnostics[0].code != "unknown-target":
            raise
        return _side_of_declaration(workspace, store, word, error)
    return _side_of_cells(workspace, store, word.text, cells_of_selection(workspace, selection))


def side_of_targets(workspace: Workspace, store: Store, name: str, words: Sequence[Word]) -> Side:
    """What a workspace has of some targets now, of all without any."""
    selection = select_targets(workspace.project, workspace.cells, words)
    return _side_of_cells(workspace, store, name, cells_of_selection(workspace, selection))


def cells_of_selection(workspace: Workspace, selection: Selection) -> list[Evaluation]:
    """The cells of targets; a report stands for those it shows."""
    cells = dict(selection.evaluations)
    for report in selection.reports.values():
        cells |= {cell.name: cell for cell in cells_of_report(workspace.project, workspace.cells, report)}
    return list(cells.values())


def _side_of_declaration(workspace: Workspace, store: Store, word: Word, error: EvalmakeError) -> Side:
    """All cells of a model or of a benchmark, or all seeds of a cell."""
    for kind in _KINDS:
        if word.text in workspace.project.of(kind):
            return _side_of_cells(workspace, store, word.text, _find_cells_of(workspace, kind, word.text, word))
    if baseline := _find_baseline(workspace, word):
        return side_of_baseline(workspace.project.path, store, baseline, word.span)
    seeds = [cell for group in workspace.cells.values() for cell in group if cell.address == word.text]
    if seeds:
        return _side_of_cells(workspace, store, word.text, seeds)
    project = workspace.project
    meant = closest_name(word.text, [*project.models, *project.benchmarks, *list_baselines(project.folder)])
    known = error.diagnostics[0]
    if meant is None or known.help != ("`evalmake list` shows the targets",):
        raise error
    message = f"no target, model, benchmark or baseline is named `{word.text}`"
    raise make_error("unknown-target", message, word.span, help=[f"did you mean `{meant}`?"])


def _find_baseline(workspace: Workspace, word: Word) -> str:
    """The baseline that a word names, by its prefix or by its name alone; empty if it names none."""
    kind, colon, name = word.text.partition(":")
    if colon and kind == PREFIX:
        return name
    return word.text if word.text in list_baselines(workspace.project.folder) else ""


def _side_of_names(workspace: Workspace, store: Store, names: Collection[str]) -> Side:
    """Those cells of these names that there still are, as they are now."""
    cells = [cell for group in workspace.cells.values() for cell in group if cell.name in names]
    return _side_of_cells(workspace, store, _NOW, cells)


def _find_cells_of(workspace: Workspace, kind: str, name: str, word: Word) -> list[Evaluation]:
    declared = workspace.project.of(kind)
    if name not in declared:
        meant = closest_name(name, declared)
        help = (
            [f"did you mean `{kind}:{meant}`?"] if meant else [f"there are {', '.join(declared)}"] if declared else []
        )
        raise make_error("unknown-target", f"no {kind} is named `{name}`", word.span, help=help)
    every = (cell for group in workspace.cells.values() for cell in group)
    found = [cell for cell in every if getattr(cell, kind).name == name]
    if not found:
        message = f"no evaluation has the {kind} `{name}`"
        raise make_error("nothing-to-compare", message, word.span, help=["add it to an eval, and run that"])
    return found


def _side_of_cells(workspace: Workspace, store: Store, name: str, cells: Sequence[Evaluation]) -> Side:
    builder = workspace.graph_builder()
    nodes = [builder.node(cell) for cell in cells]
    targets = " ".join(dict.fromkeys(cell.eval for cell in cells))
    return Side(name, read_cells(workspace, nodes, store), advice=f"run it first: `evalmake {targets}`")
