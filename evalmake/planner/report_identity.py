"""The identity of a report: the walk of everything that determines its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalmake.planner.digest import digest, walk
from evalmake.planner.graph import Node, ReportNode
from evalmake.planner.staleness import ActionHistory

METHODS = "methods"
VERSION = 3
"""Of the methods by which a report's intervals, comparisons and gates are computed from the same results."""


def report_identity(
    report: ReportNode, histories: Mapping[str, ActionHistory | None], gates: Sequence[str], keys: Sequence[str]
) -> dict[str, str]:
    """The walk of a report's results (as one digest), settings, gates, and the names of the keys that sign it."""
    block, settings = report.declaration.block, report.declaration.settings
    chosen = {k: getattr(settings, k) for k in type(settings).model_fields} if settings else {}
    whole = {
        METHODS: VERSION,
        "format": block.format,
        "rows": block.rows,
        "column": block.column,
        "settings": chosen,
        **({"compare": block.compare} if block.compare else {}),
        **{key: value for key in ("average", "pooled", "best", "sections") if (value := getattr(block, key))},
        **({"sign": list(keys)} if keys else {}),
        "results": digest((node.name, _attempt_of(node, histories.get(node.name))) for node in report.nodes),
        "gates": list(gates),
    }
    return dict(walk(whole))


def _attempt_of(node: Node, history: ActionHistory | None) -> str:
    """The attempt that a result is of. Records are never replaced, so it determines the scores."""
    if history is None or history.success is None:
        return ""
    headline = node.demands.metric
    chosen = f" {headline}" if headline not in ("", history.metric) else ""
    block = node.evaluation.benchmark.block
    chosen += "".join(f" {text}" for text in (block.scale, block.better) if text)
    return f"{history.action} {history.success}/{history.attempts} {history.finished}{chosen}"
