"""Runs the project of evidence anew, and compares its scores with those on record as reports compare rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalmake.evidence_checks.folder import EvidenceFolder
from evalmake.evidence_checks.loaded_inputs import LoadedInputs
from evalmake.evidence_checks.missing_parts import Readiness, allowing, environment_of, words_of
from evalmake.evidence_checks.project_copy import ProjectLayout
from evalmake.evidence_checks.rebuilt_store import fill_store
from evalmake.evidence_checks.records import ProvedEvaluation, describe_acceptance
from evalmake.evidence_checks.sources import open_sources
from evalmake.evidence_material import list_evaluations
from evalmake.planner.staleness import find_valid_records
from evalmake.results import collect_results, make_item_reader
from evalmake.scoring.result_set import Result, ResultSet
from evalmake.scoring.row_comparison import RowComparison, compare_rows, judge_comparisons
from evalmake.session import BuildOutcome, build
from evalmake.store.store import Store
from evalmake.workspace import Request

if TYPE_CHECKING:
    from evalmake.run.events import Emit

AGAIN, RECORDED = "again", "recorded"


@dataclass(frozen=True, slots=True)
class ItemDifference:
    """An item with another score than on record; None where one side has none."""

    id: str
    recorded: float | None
    again: float | None


@dataclass(frozen=True, slots=True)
class ComparedEvaluation:
    """The headline score of one evaluation, on record and measured again; `note` says why there is none."""

    name: str
    metric: str = ""
    recorded: float | None = None
    again: float | None = None
    comparison: RowComparison | None = None
    items: int = 0
    """How many have the same id on both sides."""
    differences: tuple[ItemDifference, ...] = ()
    note: str = ""
    accepted: str = ""
    """Who let the result on record count, and why, if it was measured by another definition."""

    @property
    def has_failed(self) -> bool:
        """Whether there is nothing to compare."""
        return self.comparison is None

    @property
    def agrees(self) -> bool:
        """Whether the two are the same within sampling error."""
        if self.comparison is None:
            return False
        if self.comparison.p_holm is None:
            return self.recorded == self.again
        return not self.comparison.significant


@dataclass(frozen=True, slots=True)
class SecondRun:
    """How the build ended, and what came of each evaluation."""

    outcome: BuildOutcome
    compared: tuple[ComparedEvaluation, ...]
    alpha: float

    @property
    def status(self) -> int:
        """0 if all agree, 1 if some differ, 2 if something failed; that of the build where it was interrupted."""
        if self.outcome.interrupted:
            return self.outcome.status
        if any(one.has_failed for one in self.compared):
            return 2
        return 0 if all(one.agrees for one in self.compared) else 1


def run_again(
    inputs: LoadedInputs, layout: ProjectLayout, ready: Readiness, overrides: Sequence[str], emit: Emit
) -> BuildOutcome:
    """Build the evaluations of the evidence in the project that was written; EvalmakeError where that cannot be."""
    words = words_of(inputs, overrides, ready.targets)
    request = Request(layout.path, words, keep_going=True, environment=environment_of(inputs), own_store=True)
    with allowing(layout.root):
        return build(request, emit, _show_nothing)


def compare_runs(
    folder: EvidenceFolder,
    report: str,
    evaluations: Sequence[ProvedEvaluation],
    rows: Mapping[str, bytes],
    outcome: BuildOutcome,
    scratch: Path,
) -> SecondRun:
    """Compare the scores of all evaluations by their names."""
    workspace, graph = open_sources(folder.path, scratch)
    nodes = list_evaluations(workspace, graph.reports[report])
    with Store.open(scratch / "store", workspace.evalfile_key) as store:
        fill_store(store, folder, evaluations, rows)
        histories = find_valid_records(nodes, store)
        read_items = make_item_reader(store.folder)
        confidence = workspace.project.settings.confidence
        recorded = collect_results(
            RECORDED, nodes, histories, frozenset(), "", confidence=confidence, read_items=read_items
        )
        again = outcome.results
        assert again is not None, "a build that ended has results"
        found = {result.name: result for result in again.results}
        accepted = {one.signed.name: describe_acceptance(one) for one in evaluations}
        compared = [
            replace(_compare(result, found.get(result.name), recorded, again), accepted=accepted.get(result.name, ""))
            for result in recorded.results
        ]
    unasked = {node.name: node.evaluation.benchmark.unasked for node in nodes}
    compared = [replace(one, note=one.note or unasked[one.name]) for one in compared]
    tested = [one.comparison for one in compared if one.comparison is not None]
    judged = iter(judge_comparisons(tested, recorded.confidence))
    final = [one if one.comparison is None else replace(one, comparison=next(judged)) for one in compared]
    return SecondRun(outcome, tuple(final), 1 - recorded.confidence)


def _show_nothing(outcome: BuildOutcome) -> None:
    """The plan is what the evidence says."""


def _compare(old: Result, new: Result | None, recorded: ResultSet, again: ResultSet) -> ComparedEvaluation:
    metric = old.metric
    value = _find_value(old, metric)
    if new is None:
        return ComparedEvaluation(old.name, metric, value, note="it has no result: see what is wrong above")
    if new.metric != metric:
        return ComparedEvaluation(old.name, metric, value, note=f"its headline is another metric now, {new.metric}")
    comparison = compare_rows(
        AGAIN,
        old.name,
        RECORDED,
        metric,
        [again.run_of(new)],
        [recorded.run_of(old)],
        recorded.confidence,
        old.kind,
    )
    common, differences = _compare_items(old, new, recorded, again)
    return ComparedEvaluation(
        old.name, metric, value, _find_value(new, metric), comparison, common, differences, comparison.note
    )


def _compare_items(
    old: Result, new: Result, recorded: ResultSet, again: ResultSet
) -> tuple[int, tuple[ItemDifference, ...]]:
    before, now = (
        {item.id: item.scores.get(old.metric) for item in results.read_items(result) or ()}
        for result, results in ((old, recorded), (new, again))
    )
    differences = [
        ItemDifference(id, before.get(id), now.get(id))
        for id in dict.fromkeys([*before, *now])
        if before.get(id) != now.get(id)
    ]
    return len(before.keys() & now.keys()), tuple(differences)


def _find_value(result: Result, metric: str) -> float | None:
    return next((score.value for score in result.scores if score.metric == metric), None)
