"""The plan: a verdict on each target, in declaration order; what `-n` prints and a reviewer signs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from evalmake.planner.graph import Graph, Node, ReportNode
from evalmake.planner.staleness import Decision, Reason, Records, decide_staleness


@dataclass(frozen=True, slots=True)
class ReportDecision:
    """Whether a report must be written: `stale` of its `total` results will change, or there are `reasons`."""

    name: str
    stale: int
    total: int
    reasons: tuple[Reason, ...]

    @property
    def must_write(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.stale or self.reasons)

    @property
    def is_new(self) -> bool:
        """Whether it was never written."""
        return bool(self.reasons) and self.reasons[0].kind == "never-run"


@dataclass(slots=True)
class Plan:
    """Decisions on evaluations and reports; `digest` covers what would run, never where."""

    graph: Graph
    decisions: dict[str, Decision]
    told: dict[str, Decision]  # cells that a report tells of without being asked for
    reports: dict[str, ReportDecision] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    @property
    def stale(self) -> list[Node]:
        """What must run."""
        return [self.graph.nodes[d.name] for d in self.decisions.values() if d.stale]

    @property
    def is_empty(self) -> bool:
        """Whether nothing must run or be written."""
        return not any(d.stale for d in self.decisions.values()) and not any(
            r.must_write for r in self.reports.values()
        )

    def decision(self, name: str) -> Decision:
        """The verdict on a cell, asked for or told of."""
        return self.decisions.get(name) or self.told[name]


def make_plan(
    graph: Graph,
    records: Records,
    age: Callable[[str], float],
    report_reasons: Callable[[ReportNode, bool], Sequence[Reason]],
    overrides: Mapping[str, str],
    forced: bool = False,
    confidence: float | None = None,
) -> Plan:
    """Judge every node; `report_reasons(report, changing)` says why a report must be written.

    With `changing`, some of the report's results will change: the one other reason is that it is new.
    `confidence` is that of gates whose eval gives none.
    """

    def judge(node: Node, insist: bool) -> Decision:
        limit = node.evaluation.model.block.max_age
        return decide_staleness(node.name, node.action, records, insist, limit.seconds if limit else None, age)

    decisions = {name: judge(node, forced) for name, node in graph.nodes.items()}
    told = {
        node.name: judge(node, False)
        for report in graph.reports.values()
        for node in report.nodes
        if node.name not in decisions
    }
    plan = Plan(graph, decisions, told, overrides=dict(overrides))
    for name, report in graph.reports.items():
        changing = sum(node.name in decisions and decisions[node.name].stale for node in report.nodes)
        reasons = tuple(report_reasons(report, changing > 0))
        plan.reports[name] = ReportDecision(name, changing, len(report.nodes), reasons)
    plan.digest = _digest(plan, confidence)
    return plan


def _digest(plan: Plan, confidence: float | None) -> str:
    hasher = sha256()
    for name, node in sorted(plan.graph.nodes.items()):
        hasher.update(f"{name}\0{node.action.digest}\n".encode())
        sure = node.evaluation.variant.block.confidence or confidence
        for gate in node.evaluation.gates:
            hasher.update(f"\t{gate.metric}{gate.op}{gate.bound.hex()} {sure}\n".encode())
    for name, report in sorted(plan.graph.reports.items()):
        cells = ",".join(node.action.digest for node in report.nodes)
        hasher.update(f"report {name}\0{report.declared.plugin}\0{cells}\n".encode())
        block, settings = report.declared.block, report.declared.settings
        told = {key: getattr(block, key) for key in ("path", "rows", "column", "compare")}
        told["sign"] = block.sign.name if block.sign else None
        told["settings"] = settings.model_dump(mode="json") if settings else {}
        hasher.update(json.dumps([told, confidence], sort_keys=True).encode())
    return f"sha256:{hasher.hexdigest()}"
