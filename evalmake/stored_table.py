"""The table of stored scores: a cell for each pair of a row and a column, those that are not valid apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalmake.language.diagnostic import EvalmakeError, closest_name, make_error
from evalmake.scoring.headline import matches_metric
from evalmake.scoring.result import FIELDS
from evalmake.scoring.result_set import Result, ResultSet, TableCell
from evalmake.scoring.tagged_results import TAG
from evalmake.stored_results import StoredResult, collect_stored_scores
from evalmake.workspace import Workspace

DEFAULT_KEYS = ("model", "benchmark")


@dataclass(frozen=True, slots=True)
class ScoredCell:
    """A cell of the table. `label` says why its results are not valid; it is empty if they are."""

    cell: TableCell
    label: str


@dataclass(frozen=True, slots=True)
class StoredTable:
    """The scores of stored results. What is not valid is never averaged with what is."""

    rows: str
    column: str
    confidence: float
    cells: tuple[ScoredCell, ...]
    parts: tuple[tuple[str, ResultSet], ...]  # the results of each label
    stored: tuple[StoredResult, ...]

    @property
    def missing(self) -> list[StoredResult]:
        """The evaluations without a result."""
        return [one for one in self.stored if not one.has_scores]

    @property
    def doubtful(self) -> list[StoredResult]:
        """The evaluations whose result is not valid."""
        return [one for one in self.stored if one.has_scores and one.label]


def collect_table(
    workspace: Workspace, stored: Sequence[StoredResult], keys: Sequence[str] = (), metrics: Sequence[str] = ()
) -> StoredTable:
    """The table with these keys as row and column; of these metrics (`*` is any text), else of the headline ones."""
    rows, column = choose_keys(keys, stored)
    groups: dict[tuple[str, str], list[StoredResult]] = {}
    for one in stored:
        if one.has_scores:
            groups.setdefault((one.label, one.definition), []).append(one)
    parts = [
        (label, collect_stored_scores(workspace, found, "results", rows, column))
        for (label, _), found in sorted(groups.items(), key=lambda group: bool(group[0][0]))
    ]
    cells = [ScoredCell(cell, label) for label, results in parts for cell in _choose_cells(results, metrics)]
    if metrics and parts:
        _check_metrics(metrics, [result for _, results in parts for result in results.results])
    confidence = parts[0][1].confidence if parts else workspace.project.settings.confidence or 0.95
    return StoredTable(rows, column, confidence, tuple(cells), tuple(parts), tuple(stored))


def choose_keys(keys: Sequence[str], stored: Iterable[StoredResult]) -> tuple[str, str]:
    """What makes the rows and the columns; EvalmakeError for a key that no evaluation has."""
    known = dict.fromkeys([*FIELDS, "seed", TAG])
    for one in stored:
        known.update(dict.fromkeys(name for name, _ in one.node.evaluation.axes))
    for key in keys:
        if key not in known:
            raise _unknown_key(key, known)
    if len(keys) > 2 or len(set(keys)) < len(keys):
        message = "`--by` takes one key or two different ones: what makes rows, and what makes columns"
        raise make_error("unknown-field", message, help=["write `--by model,benchmark`"])
    if len(keys) == 2:
        return keys[0], keys[1]
    row = keys[0] if keys else DEFAULT_KEYS[0]
    return row, DEFAULT_KEYS[0] if row == DEFAULT_KEYS[1] else DEFAULT_KEYS[1]


def _unknown_key(key: str, known: Iterable[str]) -> EvalmakeError:
    meant = closest_name(key, known)
    help = f"did you mean `{meant}`?" if meant else f"there are {', '.join(f'`{name}`' for name in known)}"
    return make_error("unknown-field", f"no evaluation has an axis `{key}`", help=[help])


def _choose_cells(results: ResultSet, metrics: Sequence[str]) -> list[TableCell]:
    """The headline cells; or those of the metrics that are asked for, each row's together."""
    table = results.table()
    if not metrics:
        return list(table.cells.values())
    cells = [*table.cells.values(), *table.others]
    places = {place: number for number, place in enumerate(table.cells)}
    chosen = [cell for cell in cells if any(matches_metric(one, cell.metric) for one in metrics)]
    return sorted(chosen, key=lambda cell: places[cell.row, cell.column])


def _check_metrics(metrics: Sequence[str], results: Sequence[Result]) -> None:
    known = dict.fromkeys(score.metric for result in results for score in result.scores)
    for metric in metrics:
        if not any(matches_metric(metric, name) for name in known):
            meant = closest_name(metric, known)
            names = ", ".join(f"`{name}`" for name in list(known)[:8])
            help = f"did you mean `{meant}`?" if meant else f"the metrics are {names}"
            raise make_error("unknown-field", f"no result has a metric `{metric}`", help=[help])
