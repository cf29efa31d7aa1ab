"""Compares evidence with a saved plan that was agreed on before anything ran."""

from __future__ import annotations

from collections.abc import Sequence

from evalmake.evidence_checks.findings import Findings, count
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder
from evalmake.evidence_checks.records import ProvedEvaluation
from evalmake.planner.digest import describe_change, find_changes
from evalmake.planner.execution_part import describe_execution
from evalmake.planner.graph import Graph, Node
from evalmake.planner.plan_parts import EXECUTION
from evalmake.planner.saved_plan import SavedPlan
from evalmake.provenance.build import BUILD


def check_agreed_plan(
    saved: SavedPlan, folder: EvidenceFolder, evaluations: Sequence[ProvedEvaluation], findings: Findings
) -> None:
    """Each evaluation of the plan is in the evidence, and is what was agreed."""
    ran = {one.signed.name: one for one in evaluations}
    wrong = [f"{name} was agreed on, and is not in the evidence" for name in saved.evaluations if name not in ran]
    wrong += [
        f"{name}: what ran is not what was agreed on"
        for name, planned in saved.evaluations.items()
        if name in ran and ran[name].action.digest != planned.action
    ]
    agreed = [one for name, one in ran.items() if name in saved.evaluations]
    by_it = sum(_find_plan(folder, one) == saved.digest for one in agreed)
    findings.judge(
        "agreement", wrong, f"{count(len(agreed), 'evaluation')} as agreed on, {by_it} of them run by that plan"
    )
    if more := [name for name in ran if name not in saved.evaluations]:
        findings.leave_out("agreement", f"{count(len(more), 'evaluation')} that the plan does not have: {more[0]}")


def check_agreed_executors(saved: SavedPlan, graph: Graph, nodes: Sequence[Node], findings: Findings) -> None:
    """Name executors that the Evalfile of the evidence declares otherwise; a plan that nobody signed allows that."""
    moved = []
    for node in nodes:
        planned = saved.evaluations.get(node.name)
        if planned is None or saved.walks is None or EXECUTION not in planned.parts:
            continue
        part = describe_execution(graph, node)
        changes = find_changes(saved.walks[planned.parts[EXECUTION]], dict(part.pairs))
        moved += [f"{node.name}: {': '.join(describe_change(c.path, c.before, c.now))}" for c in changes[:1]]
    if moved:
        others = count(len(moved), "evaluation")
        findings.leave_out("agreement", f"the plan has other executors for {others}, which it allows: {moved[0]}")


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
