"""Reports: whether one must be written again, and the writing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalmake.gate_verdicts import Histories, judge_gates
from evalmake.language.diagnostic import make_error
from evalmake.language.file_hashes import hash_file
from evalmake.planner.graph import ReportNode
from evalmake.planner.report_identity import report_identity
from evalmake.planner.staleness import Reason, find_valid_records
from evalmake.results import collect_results, make_item_reader
from evalmake.scoring.gates import GateResult
from evalmake.scoring.result_set import ResultSet
from evalmake.store.store import Store
from evalmake.workspace import Workspace

_FILE = "(file)"
"""In the record of a report: the hash of the file that was written."""


@dataclass(frozen=True, slots=True)
class ReportContent:
    """What a report is made of."""

    node: ReportNode
    histories: Histories
    gates: list[GateResult]

    @classmethod
    def of(cls, workspace: Workspace, node: ReportNode, store: Store) -> ReportContent:
        """The results on record, and the gates they meet or miss."""
        histories = find_valid_records(node.nodes, store)
        gates = [gate.result for gate in judge_gates(workspace, node.nodes, histories, store)]
        return cls(node, histories, gates)

    def identity(self) -> dict[str, str]:
        """The walk that the store keeps, to tell whether the report must be written again."""
        return report_identity(self.node, self.histories, [f"{g.address} {g.message}" for g in self.gates])


def report_reasons(workspace: Workspace, node: ReportNode, store: Store, changing: bool) -> list[Reason]:
    """Why a report must be written; empty if it need not.

    If some of its results are `changing`, it must in any case. Then only a report that is new has a reason.
    """
    report = node.declaration
    before, path = store.report_identity(workspace.report_key(report)), workspace.report_path(report)
    if before is None:
        return [Reason("never-run", "")]
    if changing:
        return []
    if not path.exists():
        return [Reason("output-missing", f"{report.block.path} is missing")]
    if before.get(_FILE) != hash_file(path):
        return [Reason("output-missing", f"{report.block.path} was changed after evalmake wrote it")]
    now = ReportContent.of(workspace, node, store).identity()
    same = {key: text for key, text in before.items() if key != _FILE} == now
    return [] if same else [Reason("changed", "its results or gates")]


def write_report(workspace: Workspace, node: ReportNode, store: Store, plan: str, ran: frozenset[str]) -> Path | None:
    """Write a report, record what it was made of, and return its path; EvalmakeError if it cannot be written.

    A report without any result is not written. One with a part of its results is, and stays stale.
    """
    content = ReportContent.of(workspace, node, store)
    results = _results(workspace, content, store, plan, ran)
    if not results.results:
        return None
    report = node.declaration
    path = workspace.report_path(report)
    try:
        workspace.plugins.get("exporters", report.plugin)().export(results, path)
    except OSError as error:
        span = report.fields.spans["path",].value
        raise make_error("report-failed", f"{report.block.path} cannot be written: {error.strerror}", span) from None
    if not results.missing:
        store.record_report(workspace.report_key(report), {**content.identity(), _FILE: hash_file(path)})
    return path


def _results(workspace: Workspace, content: ReportContent, store: Store, plan: str, ran: frozenset[str]) -> ResultSet:
    node, block = content.node, content.node.declaration.block
    results = collect_results(
        node.name,
        node.nodes,
        content.histories,
        ran,
        plan,
        content.gates,
        block.rows,
        block.column,
        workspace.project.settings.confidence,
        block.compare or "",
    )
    return results.with_comparisons(make_item_reader(store)) if block.compare else results
