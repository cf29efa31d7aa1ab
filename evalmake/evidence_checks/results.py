"""Checks the plan and the printed numbers: plans again from the sources, and writes the reports again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalmake import __version__
from evalmake.evidence import layout
from evalmake.evidence_checks.findings import Findings, count
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder, SignedStatement
from evalmake.evidence_checks.rebuilt_store import fill_store
from evalmake.evidence_checks.records import ProvedEvaluation
from evalmake.evidence_checks.sources import open_sources
from evalmake.evidence_material import list_evaluations, render_reports
from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.graph import Node, ReportNode
from evalmake.planner.plan import digest_graph
from evalmake.reports import ReportContent, collect_report_results
from evalmake.result_verification import find_contradictions
from evalmake.scoring.result_set import ResultSet
from evalmake.store.store import Store
from evalmake.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PlannedAgain:
    """The Evalfile of evidence, loaded again: the report, what it shows, and the digest of its plan."""

    workspace: Workspace
    report: ReportNode
    nodes: Sequence[Node]
    plan: str


def plan_again(folder: EvidenceFolder, build: SignedStatement, scratch: Path) -> PlannedAgain:
    """Load the Evalfile of evidence; EvalmakeError where it does not load here, KeyError without the report."""
    workspace, graph = open_sources(folder.path, scratch)
    report = graph.reports[str(build.predicate["buildDefinition"]["externalParameters"]["report"])]
    plan = digest_graph(graph, workspace.project.settings.confidence)
    return PlannedAgain(workspace, report, list_evaluations(workspace, report), plan)


def check_results(
    folder: EvidenceFolder,
    build: SignedStatement,
    evaluations: Sequence[ProvedEvaluation],
    rows: Mapping[str, bytes],
    scratch: Path,
    findings: Findings,
) -> ResultSet | None:
    """Plan the Evalfile again, and write the reports again by the records of the evidence. Return what they show."""
    try:
        planned = plan_again(folder, build, scratch)
    except EvalmakeError as error:
        first = error.diagnostics[0]
        findings.skip("plan", f"the Evalfile does not plan here: {first.message}", *first.help)
        return None
    except (KeyError, TypeError, OSError) as error:
        findings.fail("plan", f"the Evalfile has no such report: {error}")
        return None
    wrong = _compare_plans(planned, build, evaluations)
    if wrong and (version := _find_version(build)) != __version__:
        message = f"evalmake {version} planned it, and {__version__} plans otherwise"
        findings.skip("plan", message, *wrong, f"install evalmake {version} to compare plans")
        return None
    findings.judge("plan", wrong, f"planned again: {planned.plan}")
    with Store.open(scratch / "store", planned.workspace.evalfile_key) as store:
        fill_store(store, folder, evaluations, rows)
        _check_outputs(planned, evaluations, store, findings)
        return _check_reports(folder, planned, build, store, findings)


def _compare_plans(planned: PlannedAgain, build: SignedStatement, evaluations: Sequence[ProvedEvaluation]) -> list[str]:
    """What the Evalfile declares otherwise than what ran."""
    ran = {one.signed.name: one.action.digest for one in evaluations}
    wrong = []
    for node in planned.nodes:
        action = ran.pop(node.name, None)
        if action is not None and action != node.action.digest:
            wrong.append(f"{node.name}: what ran is not what the Evalfile declares")
    wrong += [f"{name}: the Evalfile declares no such evaluation" for name in ran]
    signed = build.predicate["buildDefinition"].get("internalParameters", {}).get("plan")
    if not wrong and signed != planned.plan:
        wrong.append(f"its plan is {planned.plan}, and {signed} was signed")
    return wrong


def _check_outputs(
    planned: PlannedAgain, evaluations: Sequence[ProvedEvaluation], store: Store, findings: Findings
) -> None:
    """Let harnesses read the outputs again, where all of them are there."""
    whole = {one.action.digest for one in evaluations if not one.signed.statement.predicate["runDetails"]["byproducts"]}
    nodes = [node for node in planned.nodes if node.action.digest in whole]
    if nodes:
        wrong = list(find_contradictions(planned.workspace, nodes, store))
        findings.judge("outputs", wrong, f"{count(len(nodes), 'evaluation')}: the harness reads the same scores again")
    if kept := len({one.action.digest for one in evaluations} - whole):
        findings.leave_out("outputs", f"{count(kept, 'evaluation')} without the harness's own files")


def _check_reports(
    folder: EvidenceFolder, planned: PlannedAgain, build: SignedStatement, store: Store, findings: Findings
) -> ResultSet:
    content = ReportContent.of(planned.workspace, planned.report, store)
    results = collect_report_results(planned.workspace, content, store, planned.plan, frozenset())
    wrong = [
        f"{name} is not what evalmake writes of these records"
        for name, data in render_reports(planned.workspace, results).items()
        if not folder.has(name) or folder.read(name) != data
    ]
    if wrong and (version := _find_version(build)) != __version__:
        message = f"evalmake {version} wrote the reports, and {__version__} writes them otherwise"
        findings.skip("report", message, *wrong, f"install evalmake {version} to compare their bytes")
        wrong = compare_numbers(folder, results)
    signed = [(gate["address"], gate["met"]) for gate in build.predicate.get("gates") or []]
    if [(gate.address, gate.met) for gate in results.gates] != signed:
        wrong.append("its gates, judged again, are not those that were signed")
    if list(results.missing) != build.predicate.get("missing"):
        wrong.append("the evaluations without a result are not those that were signed")
    same = "the same numbers" if any(one.subject == "report" for one in findings.checks) else "the same bytes"
    findings.judge("report", wrong, f"{' and '.join(layout.REPORTS)} written again: {same}")
    if results.missing:
        findings.leave_out("results", f"{count(len(results.missing), 'evaluation')} without one: {results.missing[0]}")
    return results


def compare_numbers(folder: EvidenceFolder, results: ResultSet) -> list[str]:
    """Return the scores in `report.json` that are not those of the records, whatever else it says."""
    try:
        told = {
            (one["name"], score["metric"]): score["value"]
            for one in folder.read_json(layout.REPORT_JSON)["results"]
            for score in one["scores"]
        }
    except (BadEvidence, TypeError, KeyError):
        return [f"{layout.REPORT_JSON} is no report"]
    made = {(one.name, score.metric): score.value for one in results.results for score in one.scores}
    return [
        f"{' '.join(key)} is {told.get(key)} in {layout.REPORT_JSON}, and {made.get(key)} on record"
        for key in sorted({*told, *made})
        if told.get(key) != made.get(key)
    ]


def _find_version(build: SignedStatement) -> str:
    try:
        return str(build.predicate["runDetails"]["builder"]["version"]["evalmake"])
    except (KeyError, TypeError):
        return "unknown"
