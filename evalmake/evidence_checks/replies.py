"""Checks that samples have the answers and scores that their own replies give, by evalmake's own scorers.

A scorer that is a program is somebody else's, and verifying runs nothing of theirs: `reproduce --replay` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from evalmake import __version__
from evalmake.evidence_checks.findings import Findings, count
from evalmake.evidence_checks.folder import EvidenceFolder, SignedStatement
from evalmake.evidence_checks.records import ProvedEvaluation
from evalmake.evidence_checks.replay import Disagreement, ReplayedEvaluation, is_native, replay_nodes
from evalmake.evidence_checks.statements import find_version
from evalmake.planner.graph import Node
from evalmake.store.acceptance import ACCEPTED_FROM
from evalmake.workspace import Workspace

_SHOWN = 10
"""Differences of one evaluation that are told."""


def check_replies(
    folder: EvidenceFolder,
    workspace: Workspace,
    nodes: Mapping[str, Node],
    build: SignedStatement,
    evaluations: Sequence[ProvedEvaluation],
    scratch: Path,
    findings: Findings,
) -> None:
    """Score recorded replies again. `nodes` are those of the plan by name."""
    scored = [one for one in evaluations if _is_scored_here(one, nodes)]
    if not scored:
        return
    if findings.has_failed:
        findings.skip("replies", "not scored again, as something else fails already")
        return
    own = [one for one in scored if not _has_program(nodes[one.signed.name])]
    replayed = replay_nodes(folder, workspace, nodes, own, False, scratch)
    _judge([one for one in replayed if not one.why_not], build, findings)
    if obstacles := [one for one in replayed if one.why_not]:
        told = f"{obstacles[0].name}: {obstacles[0].why_not}"
        findings.leave_out("replies", f"{count(len(obstacles), 'evaluation')} not scored again: {told}")
    if others := len(scored) - len(own):
        programs = f"{count(others, 'evaluation')} scored by a program of the evidence"
        findings.leave_out("replies", f"{programs}: `evalmake reproduce {folder.path.name} --replay` runs it")


def _judge(replayed: Sequence[ReplayedEvaluation], build: SignedStatement, findings: Findings) -> None:
    """Tell what is otherwise; of what another version of evalmake scored, nobody can tell here that it is wrong."""
    wrong = [text for one in replayed for text in _describe(one)]
    version = find_version(build)
    if wrong and version != __version__:
        message = f"evalmake {version} scored the replies, and {__version__} scores them otherwise"
        findings.skip("replies", message, *wrong, f"install evalmake {version} to compare them")
    elif replayed:
        samples = count(sum(one.samples for one in replayed), "sample")
        told = f"{samples} of {count(len(replayed), 'evaluation')} scored again by their replies: the same"
        findings.judge("replies", wrong, told)


def _describe(one: ReplayedEvaluation) -> list[str]:
    more = [f"{one.name}: and {len(one.differences) - _SHOWN} more"] if len(one.differences) > _SHOWN else []
    return [*(f"{one.name}: {_describe_difference(each)}" for each in one.differences[:_SHOWN]), *more]


def _describe_difference(one: Disagreement) -> str:
    where = f"sample {one.id}: " if one.id else ""
    return f"{where}{one.what} is {one.recorded} on record, and {one.found} by its reply"


def _is_scored_here(one: ProvedEvaluation, nodes: Mapping[str, Node]) -> bool:
    node = nodes.get(one.signed.name)
    is_own = one.counting is not None and ACCEPTED_FROM not in one.counting.facts
    return is_own and node is not None and is_native(node)


def _has_program(node: Node) -> bool:
    return getattr(node.evaluation.benchmark.settings, "scorer_file", None) is not None
