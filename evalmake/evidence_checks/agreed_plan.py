"""Compares evidence with a saved plan that was agreed on before anything ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalmake.evidence_checks.findings import Findings, count
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder
from evalmake.evidence_checks.records import ProvedEvaluation
from evalmake.planner.digest import Part, describe_change, find_changes
from evalmake.planner.graph import Graph
from evalmake.planner.plan_changes import CELLS, RESULTS, fold_changes
from evalmake.planner.plan_parts import EXECUTION, REQUIRES, find_parts_of_graph
from evalmake.planner.saved_plan import SavedPlan
from evalmake.provenance.build import BUILD


def check_agreed_plan(
    saved: SavedPlan, folder: EvidenceFolder, evaluations: Sequence[ProvedEvaluation], findings: Findings
) -> None:
    """Each evaluation of the plan is in the evidence, and is what was agreed."""
    ran = {one.signed.name: one for one in evaluations}
    wrong = [f"{name} was agreed on, and is not in the evidence" for name in saved.evaluations if name not in ran]
    wrong += fold_changes(
        line
        for name, planned in saved.evaluations.items()
        if name in ran and ran[name].action.digest != planned.action
        for line in _describe_moved(saved, name, ran[name])
    )
    agreed = [one for name, one in ran.items() if name in saved.evaluations]
    by_it = sum(_find_plan(folder, one) == saved.digest for one in agreed)
    findings.judge(
        "agreement", wrong, f"{count(len(agreed), 'evaluation')} as agreed on, {by_it} of them run by that plan"
    )
    if more := [name for name in ran if name not in saved.evaluations]:
        findings.leave_out("agreement", f"{count(len(more), 'evaluation')} that the plan does not have: {more[0]}")


def check_agreed_graph(
    saved: SavedPlan, graph: Graph, report: str, confidence: float | None, findings: Findings
) -> None:
    """What runs nothing is as agreed, too: gates, what else is demanded of results, and the report.

    Executors may differ, unless somebody has signed the plan: they are named.
    """
    if saved.walks is None:
        findings.skip("agreement", f"{saved.name} is a plan of version 1: it tells neither gates nor reports")
        return
    names = [name for name in graph.nodes if name in saved.evaluations]
    parts = find_parts_of_graph(graph, names, [report], confidence)
    wrong, moved = [], []
    for name in names:
        planned, now = saved.evaluations[name].parts, parts.evaluations[name]
        wrong += [f"{name}: {text}" for _, text in _compare(saved, planned[REQUIRES], now[REQUIRES])]
        if EXECUTION in planned:
            moved += [f"{name}: {text}" for _, text in _compare(saved, planned[EXECUTION], now[EXECUTION])[:1]]
    wrong = fold_changes(wrong)
    if report in saved.reports:
        for path, text in _compare(saved, saved.reports[report], parts.reports[report]):
            if path != RESULTS:
                wrong.append(f"report {report}: {CELLS.get(path, text)}")
    findings.judge("agreement", wrong, "gates, and what a result and its report must have, are as agreed on")
    if report not in saved.reports:
        findings.leave_out("agreement", f"the plan does not have the report {report}")
    if moved:
        others = count(len(moved), "evaluation")
        findings.leave_out("agreement", f"the plan has other executors for {others}, which it allows: {moved[0]}")


def _describe_moved(saved: SavedPlan, name: str, ran: ProvedEvaluation) -> Iterator[str]:
    """What of an evaluation that ran is not what was agreed on, key by key where the plan has the keys."""
    planned = saved.evaluations[name].parts
    own = dict(ran.action.parts)
    lines = [
        f"{name}: {text}"
        for part in sorted(own)
        if saved.walks is not None
        for _, text in _compare(saved, planned.get(part, ""), own[part])
    ]
    yield from lines or [f"{name}: what ran is not what was agreed on"]


def _compare(saved: SavedPlan, planned: str, now: Part) -> list[tuple[str, str]]:
    """The paths of a part that differ from those of the plan's, each with what it was agreed to be and what it is."""
    walks = saved.walks or {}
    changes = find_changes(walks.get(planned, {}), dict(now.pairs))
    return [(one.path, ": ".join(describe_change(one.path, one.before, one.now))) for one in changes]


def _find_plan(folder: EvidenceFolder, one: ProvedEvaluation) -> str:
    """The digest of the plan that the attempt that counts says to be run by; empty where it says none."""
    paths = {output.name: path for path, output in one.list_kept(one.counting).items()} if one.counting else {}
    if BUILD not in paths or not folder.has(paths[BUILD]):
        return ""
    try:
        said = folder.read_json(paths[BUILD])
    except BadEvidence:
        return ""
    return str(said.get("plan")) if isinstance(said, dict) else ""
