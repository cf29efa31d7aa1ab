"""What a report shows, and whether it must be written again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from evalmake.gate_verdicts import judge_gates
from evalmake.language.file_hashes import hash_file
from evalmake.language.file_tree import list_plain_files
from evalmake.planner.graph import ReportNode
from evalmake.planner.report_identity import METHODS, report_identity
from evalmake.planner.staleness import ActionHistory, Histories, Reason, find_valid_records
from evalmake.project.report_rows import find_baseline, find_groups, find_sections
from evalmake.results import collect_results, make_fact_reader, make_item_reader
from evalmake.run.report_signatures import SIGNATURE_ENDING, find_signature_file
from evalmake.run.signers import describe_key
from evalmake.scoring.gates import GateResult
from evalmake.scoring.result_set import ResultSet
from evalmake.store.store import Store
from evalmake.workspace import Workspace

FILE, SIGNATURE = "(file)", "(signature)"
"""In the record of a report: the hashes of the files that were written."""


@dataclass(frozen=True, slots=True)
class ReportContent:
    """What a report shows: results, and the gates that they meet or miss."""

    node: ReportNode
    histories: Histories
    gates: list[GateResult]

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        node: ReportNode,
        store: Store,
        hide: Callable[[ActionHistory], ActionHistory] = lambda head: head,
    ) -> ReportContent:
        """Collect the content of a report from the store; `hide` takes out what may not be told of an error."""
        histories = find_valid_records(node.nodes, store)
        only = _find_comparable(workspace, node)
        gates = [gate.result for gate in judge_gates(workspace, node.nodes, histories, store, only, hide)]
        return cls(node, histories, gates)

    def identity(self) -> dict[str, str]:
        """Return the walk that the store keeps. A later build compares with it."""
        gates = [f"{g.address} {g.message}" for g in self.gates]
        keys = [describe_key(key) for key in self.node.declaration.block.sign]
        return report_identity(self.node, self.histories, gates, keys)


def _find_comparable(workspace: Workspace, node: ReportNode) -> frozenset[str] | None:
    """The actions that gates of a report may be compared with: in evidence its own, as who checks it has no others."""
    if not any(gate.than for one in node.nodes for gate in one.evaluation.gates):
        return None
    from evalmake.evidence.material import ExportsEvidence

    exporter = workspace.plugins.get("exporters", node.declaration.plugin)()
    return frozenset(one.action.digest for one in node.nodes) if isinstance(exporter, ExportsEvidence) else None


def report_reasons(workspace: Workspace, node: ReportNode, store: Store, changing: bool) -> list[Reason]:
    """Return why a report must be written; empty if it need not be.

    If some of its results are `changing`, it must be written anyway. Then only a new report has a reason.
    """
    report = node.declaration
    before, path = store.report_identity(workspace.report_key(report)), workspace.report_path(report)
    if before is None:
        return [Reason("never-run", "")]
    if changing:
        return []
    if not os.path.exists(path):
        return [Reason("output-missing", f"{report.block.path} is missing")]
    if before.get(FILE) != hash_written(path):
        return [Reason("output-missing", f"{report.block.path} was changed after evalmake wrote it")]
    signature = find_signature_file(report, path, workspace.plugins)
    if signature is not None and before.get(SIGNATURE) != _hash_if_there(signature):
        what = "was changed after evalmake wrote it" if signature.exists() else "is missing"
        return [Reason("output-missing", f"{report.block.path}{SIGNATURE_ENDING} {what}")]
    now = ReportContent.of(workspace, node, store).identity()
    if before.get(METHODS) != now[METHODS]:
        return [Reason("changed", "the methods by which evalmake computes intervals, comparisons and gates")]
    same = {key: text for key, text in before.items() if key not in (FILE, SIGNATURE)} == now
    return [] if same else [Reason("changed", "its results or gates")]


def _hash_if_there(path: Path) -> str | None:
    return hash_file(path) if os.path.exists(path) else None


def hash_written(path: Path) -> str:
    """Return the sha256 of a report's file; of a folder, that of the names and hashes of all files in it."""
    if not path.is_dir():
        return hash_file(path)
    found = sorted((name, hash_file(path / name)) for name, _ in list_plain_files(path))
    return sha256(json.dumps(found).encode()).hexdigest()


def collect_report_results(
    workspace: Workspace, content: ReportContent, store: Store, plan: str, ran: frozenset[str]
) -> ResultSet:
    """Return what a report shows of the results on record."""
    node, block = content.node, content.node.declaration.block
    evals = workspace.project.evals.values()
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
        find_baseline(block, evals),
        make_item_reader(store.folder),
        make_fact_reader(store),
    )
    results = replace(results, groups=find_groups(block, evals), sections=find_sections(block, evals))
    return results.with_comparisons() if block.compare else results
