"""The plan: what must run and why. `-n` prints it, and a reviewer approves its digest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from evalmake.language.values import Files, SecretRef
from evalmake.planner.graph import Graph, Node, ReportNode
from evalmake.planner.staleness import Decision, Reason, Records, decide_staleness
from evalmake.planner.stored_replies import StoredReplies
from evalmake.scoring.demands import Demands

SCORED_AGAIN = ("changed", "never-run", "cancelled", "failed")
"""The kinds of reasons that let a run score stored replies again; all others want new ones."""


@dataclass(frozen=True, slots=True)
class ReportDecision:
    """Whether a report must be written: because `stale` of its `total` results will change, or for other `reasons`."""

    name: str
    stale: int
    total: int
    reasons: tuple[Reason, ...]

    @property
    def must_write(self) -> bool:
        """Whether the build will write the report."""
        return bool(self.stale or self.reasons)

    @property
    def is_new(self) -> bool:
        """Whether the report was never written before."""
        return bool(self.reasons) and self.reasons[0].kind == "never-run"


@dataclass(slots=True)
class Plan:
    """The decisions on evaluations and reports. `digest` covers what will run, not where it will run."""

    graph: Graph
    decisions: dict[str, Decision]
    shown_only: dict[str, Decision]  # evaluations that a report shows, but that are not selected to run
    reports: dict[str, ReportDecision] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)
    confidence: float | None = None  # that of `settings`, for evals that have none
    digest: str = ""

    @property
    def stale(self) -> list[Node]:
        """The evaluations that must run."""
        return [replace(self.graph.nodes[d.name], replies=d.replies) for d in self.decisions.values() if d.stale]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to run and no report to write."""
        return not any(d.stale for d in self.decisions.values()) and not any(
            r.must_write for r in self.reports.values()
        )

    def decision(self, name: str) -> Decision:
        """Return the decision on an evaluation that is selected, or that a report shows."""
        return self.decisions.get(name) or self.shown_only[name]


def make_plan(
    graph: Graph,
    records: Records,
    age: Callable[[str], float],
    report_reasons: Callable[[ReportNode, bool], Sequence[Reason]],
    overrides: Mapping[str, str],
    forced: bool = False,
    confidence: float | None = None,
    find_replies: Callable[[Node], tuple[StoredReplies | None, str]] = lambda node: (None, ""),
) -> Plan:
    """Decide for every node of `graph` whether it must run.

    `report_reasons(report, changing)` returns why a report must be written. `changing` says that some of its
    results will change; the only reason to add is then that the report is new.
    `confidence` is the default for gates whose eval sets none. `find_replies` gives the replies that a run would score
    again, or why there are none.
    """

    def judge(node: Node, insist: bool) -> Decision:
        limit = node.evaluation.model.block.max_age
        seconds = limit.seconds if limit else None
        return decide_staleness(node.name, node.action, records, insist, seconds, age, node.demands)

    def add_replies(node: Node, decision: Decision) -> Decision:
        if not decision.stale or decision.reasons[0].kind not in SCORED_AGAIN:
            return decision
        replies, why_not = find_replies(node)
        return replace(decision, replies=replies, asks=why_not)

    decisions = {name: add_replies(node, judge(node, forced)) for name, node in graph.nodes.items()}
    shown_only = {
        node.name: judge(node, False)
        for report in graph.reports.values()
        for node in report.nodes
        if node.name not in decisions
    }
    plan = Plan(graph, decisions, shown_only, overrides=dict(overrides), confidence=confidence)
    for name, report in graph.reports.items():
        changing = sum(node.name in decisions and decisions[node.name].stale for node in report.nodes)
        reasons = tuple(report_reasons(report, changing > 0))
        plan.reports[name] = ReportDecision(name, changing, len(report.nodes), reasons)
    plan.digest = digest_graph(graph, confidence)
    return plan


def digest_graph(graph: Graph, confidence: float | None) -> str:
    """Return the digest of what a graph's evaluations are, what is demanded of them, and of its reports."""
    hasher = sha256()
    for name, node in sorted(graph.nodes.items()):
        hasher.update(f"{name}\0{node.action.digest}\n".encode())
        if node.demands != Demands(metric=node.demands.metric):
            hasher.update(f"\tcoverage {node.demands.coverage} truncated {node.demands.truncated}\n".encode())
        gate_confidence = node.evaluation.variant.block.confidence or confidence
        for gate in node.evaluation.gates:
            within = f" within {gate.within.hex()}" if gate.within else ""
            demand = f" {gate.demand}" if gate.than else f"{gate.op}{gate.bound.hex()}{within}"
            ending = "" if gate.than else gate.ending  # which the demand of others has
            hasher.update(f"\t{gate.subject}{demand}{ending} {gate_confidence}\n".encode())
    for name, report in sorted(graph.reports.items()):
        cells = ",".join(node.action.digest for node in report.nodes)
        hasher.update(f"report {name}\0{report.declaration.plugin}\0{cells}\n".encode())
        block, settings = report.declaration.block, report.declaration.settings
        keys = {key: getattr(block, key) for key in ("path", "rows", "column", "compare")}
        keys |= {key: value for key in ("average", "pooled", "best") if isinstance(value := getattr(block, key), dict)}
        keys |= {"sections": list(block.sections.items())} if block.sections else {}
        keys |= {key: True for key in ("pooled", "best") if getattr(block, key) is True}
        keys["sign"] = _spell_signers(block.sign)
        keys["settings"] = settings.model_dump(mode="json") if settings else {}
        hasher.update(json.dumps([keys, confidence], sort_keys=True).encode())
    return f"sha256:{hasher.hexdigest()}"


def _spell_signers(keys: Sequence[SecretRef | Files]) -> object:
    """The keys of `sign` by their names: the name of a single secret alone, as earlier versions had no other."""
    if not keys:
        return None
    names = [key.name if isinstance(key, SecretRef) else [key.files[0].name] for key in keys]
    return names[0] if len(names) == 1 and isinstance(names[0], str) else names
