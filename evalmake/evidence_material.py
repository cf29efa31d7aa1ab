"""Collects from the store and the Evalfile what evidence is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from evalmake import __version__
from evalmake.evidence import layout
from evalmake.evidence.material import EvaluationMaterial, EvidenceMaterial, StoredRecord
from evalmake.evidence_checks.redacted_errors import ErrorRedaction
from evalmake.evidence_checks.sources import collect_sources
from evalmake.gate_verdicts import find_cells_judged_together
from evalmake.planner.action import Artifact
from evalmake.planner.graph import Graph, Node, ReportNode
from evalmake.planner.plan import digest_graph
from evalmake.planner.staleness import ActionHistory, find_valid_records
from evalmake.project.command_words import Words
from evalmake.scoring.result_set import ResultSet
from evalmake.signatures.keys import Signer
from evalmake.store.origin import EVALFILE
from evalmake.store.records import UnreadableRecord
from evalmake.store.secret import read_secret
from evalmake.store.store import Store
from evalmake.workspace import Workspace

TEXT_REPORTS = {layout.REPORT_TEXT: "markdown", layout.REPORT_JSON: "json"}
"""File of the evidence -> the exporter that writes it."""


def plan_of_report(workspace: Workspace, name: str) -> tuple[Graph, str]:
    """Return the graph of a report alone, and the digest of its plan, whatever else a build has as its targets."""
    graph = workspace.graph(Words.of([name]).targets)
    return graph, digest_graph(graph, workspace.project.settings.confidence)


def list_evaluations(workspace: Workspace, report: ReportNode) -> list[Node]:
    """Return the evaluations that a report shows, and the other seeds of their cells, by which gates are judged."""
    return [*report.nodes, *find_cells_judged_together(workspace, report.nodes)]


def render_reports(workspace: Workspace, results: ResultSet) -> dict[str, bytes]:
    """Return the reports of evidence, by their file."""
    with TemporaryDirectory(prefix="evalmake-evidence-") as folder:
        for name, exporter in TEXT_REPORTS.items():
            workspace.plugins.get("exporters", exporter)().export(results, Path(folder, name))
        return {name: Path(folder, name).read_bytes() for name in TEXT_REPORTS}


def collect_material(
    workspace: Workspace,
    report: ReportNode,
    results: ResultSet,
    store: Store,
    signers: Sequence[Signer],
    with_data: bool,
) -> EvidenceMaterial:
    """Return the material of a report's evidence. `results` are what the report shows, for its plan alone.

    Without the data, it has no words of errors, which may quote them; nor must `results`.
    """
    graph, plan = plan_of_report(workspace, report.name)
    sources = collect_sources(workspace, graph, with_data)
    nodes = list_evaluations(workspace, report)
    histories = find_valid_records(nodes, store)
    earlier = _find_earlier(store, {node.name for node in nodes})

    redaction = None if with_data else redact_errors(store)

    def write_output(output: Artifact, file: IO[bytes]) -> bool:
        if redaction is not None and output.sha256 in redaction.contents:
            return file.write(redaction.contents[output.sha256]) > 0
        return store.blobs.write_to(output.sha256, file)

    found = [
        _collect_evaluation(node, histories[node.name], store, earlier[node.name])
        for node in nodes
        if store.history(node.action.digest) is not None
    ]
    return EvidenceMaterial(
        report.name,
        plan,
        __version__,
        render_reports(workspace, results),
        sources.write,
        tuple(redaction.redact(one) if redaction else one for one in found),
        results.missing,
        results.gates,
        read_secret(store),
        tuple(signers),
        write_output,
    )


def redact_errors(store: Store) -> ErrorRedaction:
    """What takes the words of errors out of attempts of a store."""
    return ErrorRedaction(read_secret(store), lambda output: store.blob(output.sha256))


def _collect_evaluation(
    node: Node, valid: ActionHistory | None, store: Store, earlier: Iterable[StoredRecord]
) -> EvaluationMaterial:
    action = node.action.digest
    attempts = tuple(_read_record(store, action, number) for number in store.attempt_numbers(action))
    others = tuple(one for one in earlier if one.result.action != action)
    named = [part for one in (*attempts, *others) for part in one.result.identity.values()]
    parts = {part: dict(walk) for part in dict.fromkeys(named) if (walk := store.part(part)) is not None}
    return EvaluationMaterial(node.name, attempts, store.proved_result(valid) if valid else None, others, parts)


def _find_earlier(store: Store, names: set[str]) -> Mapping[str, list[StoredRecord]]:
    """Return all attempts on record of the cells with these names in this Evalfile, oldest first."""
    found: dict[str, list[StoredRecord]] = defaultdict(list)
    for attempt in store.all_attempts():
        if attempt.name in names and attempt.facts.get(EVALFILE, store.evalfile) == store.evalfile:
            found[attempt.name].append(_read_record(store, attempt.action, attempt.attempt))
    for records in found.values():
        records.sort(key=lambda one: (one.result.finished, one.result.action, one.result.attempt))
    return found


def _read_record(store: Store, action: str, number: int) -> StoredRecord:
    record, text = store.attempt(action, number), store.record_text(action, number)
    if record is None or text is None:
        raise UnreadableRecord(f"attempt {number} of {action[:19]} is gone")
    return StoredRecord(record, text)
