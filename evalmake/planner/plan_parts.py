"""The parts of a plan: walks of everything that its digest covers, for people who approve it and to say what moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evalmake.language.values import format_value
from evalmake.planner.digest import Part, digest
from evalmake.planner.execution_part import describe_execution, list_models
from evalmake.planner.graph import Graph, Node, ReportNode
from evalmake.planner.plan import Plan

REQUIRES = "requires"
"""The part of an evaluation that runs nothing: its gates, and what else is demanded of a result."""
EXECUTION = "execution"
"""The part that says where it runs: the executors of it and of its servers, and how its models are reached."""


@dataclass(frozen=True, slots=True)
class PlanParts:
    """The parts of each evaluation by their names, and the part of each report. Equal parts are one object."""

    evaluations: Mapping[str, Mapping[str, Part]]
    reports: Mapping[str, Part]

    def distinct(self) -> Iterator[Part]:
        """Each part once."""
        seen: dict[str, Part] = {}
        for parts in self.evaluations.values():
            for part in parts.values():
                seen.setdefault(part.digest, part)
        for part in self.reports.values():
            seen.setdefault(part.digest, part)
        yield from seen.values()


def find_parts_of_plan(plan: Plan) -> PlanParts:
    """Collect the parts of a plan."""
    return find_parts_of_graph(plan.graph, plan.decisions, plan.reports, plan.confidence)


def find_parts_of_graph(
    graph: Graph, evaluations: Iterable[str], reports: Iterable[str], confidence: float | None
) -> PlanParts:
    """Collect the parts of some evaluations and reports of a graph, by their names."""
    required: dict[tuple[Any, ...], Part] = {}
    executions: dict[tuple[Any, ...], Part] = {}
    found = {}
    for name in evaluations:
        node = graph.nodes[name]
        key = (node.demands, _confidence(node, confidence), tuple(_list_gates(node)))
        if key not in required:
            required[key] = _requirements(node, confidence)
        where = (node.executor, node.services, node.evaluation.benchmark.name, list_models(node))
        if where not in executions:
            executions[where] = describe_execution(graph, node)
        own = {REQUIRES: required[key], EXECUTION: executions[where]}
        found[name] = {**dict(node.action.parts), **own}
    return PlanParts(found, {name: _report(graph.reports[name], confidence) for name in reports})


def _requirements(node: Node, default: float | None) -> Part:
    demands, gates = node.demands, _list_gates(node)
    values: dict[str, Any] = {"coverage": demands.coverage, "truncated": demands.truncated}
    if demands.metric:
        values["metric"] = demands.metric
    if gates:
        values |= {"confidence": _confidence(node, default), "require": gates}
    return Part.of(values)


def _list_gates(node: Node) -> list[str]:
    return [f"{gate.subject} {gate.demand}" for gate in node.evaluation.gates]


def _confidence(node: Node, default: float | None) -> float | None:
    own: float | None = node.evaluation.variant.block.confidence
    return own or default


def _report(report: ReportNode, confidence: float | None) -> Part:
    block, settings = report.declaration.block, report.declaration.settings
    return Part.of(
        {
            "format": report.declaration.plugin,
            **{key: getattr(block, key) for key in ("path", "rows", "column", "compare", "average")},
            **{key: value for key in ("pooled", "best", "sections") if (value := getattr(block, key))},
            "sign": [format_value(key) for key in block.sign],
            "confidence": confidence,
            "settings": settings.model_dump(mode="json") if settings else {},
            "evaluations": len(report.nodes),
            "names": digest((node.name, "") for node in report.nodes),
            "results": digest((node.action.digest, "") for node in report.nodes),
        }
    )
