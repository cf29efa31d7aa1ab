"""Checks the plan and the printed numbers: plans again from the sources, and writes the reports again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalmake import __version__
from evalmake.evidence import layout
from evalmake.evidence.writer import find_expiry
from evalmake.evidence_checks.agreed_plan import check_agreed_graph
from evalmake.evidence_checks.counts import check_counts
from evalmake.evidence_checks.data import check_data
from evalmake.evidence_checks.findings import Findings, count
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder, SignedStatement
from evalmake.evidence_checks.rebuilt_store import fill_store
from evalmake.evidence_checks.records import ProvedEvaluation
from evalmake.evidence_checks.replies import check_replies
from evalmake.evidence_checks.source_files import contradict_sources
from evalmake.evidence_checks.sources import list_unread_sources, open_sources
from evalmake.evidence_checks.statements import find_version, material_of
from evalmake.evidence_material import list_evaluations, render_reports
from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.graph import Graph, Node, ReportNode
from evalmake.planner.plan import digest_graph
from evalmake.planner.saved_plan import SavedPlan
from evalmake.report_content import ReportContent, collect_report_results
from evalmake.result_verification import find_contradictions
from evalmake.scoring.result_set import ResultSet
from evalmake.store.store import Store
from evalmake.workspace import Workspace

_NEED_A_PLAN = {
    "data": "the samples are not compared with the data",
    "outputs": "no harness reads its outputs again",
    "counts": "usage, errors and models are not counted again",
    "replies": "no recorded reply is scored again",
    "report": f"{' and '.join(layout.REPORTS)}, gates and what is missing are not made again",
}


@dataclass(frozen=True, slots=True)
class PlannedAgain:
    """The Evalfile of evidence, loaded again: the report, what it shows, and the digest of its plan."""

    workspace: Workspace
    report: ReportNode
    graph: Graph
    nodes: Sequence[Node]
    plan: str


def plan_again(folder: EvidenceFolder, build: SignedStatement, scratch: Path) -> PlannedAgain:
    """Load the Evalfile of evidence; EvalmakeError where it does not load here, KeyError without the report."""
    workspace, graph = open_sources(folder.path, scratch)
    report = graph.reports[str(build.predicate["buildDefinition"]["externalParameters"]["report"])]
    plan = digest_graph(graph, workspace.project.settings.confidence)
    return PlannedAgain(workspace, report, graph, list_evaluations(workspace, report), plan)


def check_results(
    folder: EvidenceFolder,
    build: SignedStatement,
    evaluations: Sequence[ProvedEvaluation],
    rows: Mapping[str, bytes],
    scratch: Path,
    findings: Findings,
    agreed: SavedPlan | None = None,
    scores_replies: bool = True,
) -> ResultSet | None:
    """Plan the Evalfile again, and write the reports again by the records of the evidence. Return what they show."""
    if contradictions := list(contradict_sources(folder)):
        findings.fail("sources", *contradictions)
    try:
        planned = plan_again(folder, build, scratch)
    except EvalmakeError as error:
        first = error.diagnostics[0]
        findings.skip("plan", f"the Evalfile does not plan here: {first.message}", *first.help)
        _skip_what_needs_a_plan(agreed, findings)
        return None
    except (KeyError, TypeError, OSError) as error:
        findings.fail("plan", f"the Evalfile has no such report: {error}")
        return None
    wrong = _compare_plans(planned, build, evaluations)
    if wrong and (version := find_version(build)) != __version__:
        message = f"evalmake {version} planned it, and {__version__} plans otherwise"
        findings.skip("plan", message, *wrong, f"install evalmake {version} to compare plans")
        _skip_what_needs_a_plan(agreed, findings)
        return None
    findings.judge("plan", wrong, f"planned again: {planned.plan}")
    if unread := list_unread_sources(planned.workspace):
        findings.fail(
            "sources", *(f"{layout.SOURCES}/ has {name}, which its Evalfile does not read" for name in unread)
        )
    nodes = {node.name: node for node in planned.nodes}
    if agreed is not None:
        confidence = planned.workspace.project.settings.confidence
        check_agreed_graph(agreed, planned.graph, planned.report.name, confidence, findings)
    check_data(planned.workspace, nodes, build, evaluations, rows, findings)
    with Store.open(scratch / "store", planned.workspace.evalfile_key) as store:
        fill_store(store, folder, evaluations, rows)
        _check_outputs(planned, evaluations, store, findings)
        check_counts(folder, planned.workspace, nodes, evaluations, rows, store, findings)
        results = _check_reports(folder, planned, build, store, findings)
    _check_declared(planned, build, evaluations, findings)
    if scores_replies:
        check_replies(folder, planned.workspace, nodes, build, evaluations, scratch, findings)
    return results


def _skip_what_needs_a_plan(agreed: SavedPlan | None, findings: Findings) -> None:
    needy = {"agreement": "gates and the report are not compared with those that were agreed on"} if agreed else {}
    for subject, what in {**needy, **_NEED_A_PLAN}.items():
        findings.skip(subject, f"{what}, as there is no plan here to do it by")


def _check_declared(
    planned: PlannedAgain, build: SignedStatement, evaluations: Sequence[ProvedEvaluation], findings: Findings
) -> None:
    """What is left out, and until when the evidence counts, is what its report declares."""
    settings = planned.report.declaration.settings
    redact, valid = getattr(settings, "redact", ()), getattr(settings, "valid", None)
    expires = find_expiry([material_of(one) for one in evaluations], valid.seconds if valid else None)
    wrong = []
    for key, told, declared in (
        ("redacted", list(build.predicate.get("redacted") or ()), list(redact)),
        ("expires", build.predicate.get("expires"), expires),
    ):
        if told != declared:
            wrong.append(f"{key} is {told} by {layout.BUILD}, and the report of the Evalfile declares {declared}")
    if wrong:
        findings.fail("statements", *wrong)


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
    with_outputs = [one for one in evaluations if one.counting]
    byproducts = {one.action.digest: one.signed.statement.predicate["runDetails"]["byproducts"] for one in with_outputs}
    whole = {action for action, left_out in byproducts.items() if not left_out}
    nodes = [node for node in planned.nodes if node.action.digest in whole]
    if nodes:
        wrong = list(find_contradictions(planned.workspace, nodes, store))
        findings.judge("outputs", wrong, f"{count(len(nodes), 'evaluation')}: the harness reads the same scores again")
    if kept := len(byproducts.keys() - whole):
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
    if wrong and (version := find_version(build)) != __version__:
        message = f"evalmake {version} wrote the reports, and {__version__} writes them otherwise"
        words = "the words and intervals in them are not checked"
        findings.skip("report", f"{message}: {words}", *wrong, f"install evalmake {version} to compare their bytes")
        wrong = compare_numbers(folder, results)
    signed = [(gate["address"], gate["met"]) for gate in build.predicate.get("gates") or []]
    if [(gate.address, gate.met) for gate in results.gates] != signed:
        wrong.append("its gates, judged again, are not those that were signed")
    elif [gate.message for gate in results.gates] != [gate["message"] for gate in build.predicate.get("gates") or []]:
        wrong.append("the messages of its gates, judged again, are not those that were signed")
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
