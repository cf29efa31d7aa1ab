"""Asks each harness whether a benchmark fits the model, parameters and gates it is paired with."""

from __future__ import annotations

import re
from collections.abc import Collection

from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.harness import ChecksEvaluation, HasShareMetrics
from evalmake.preflight.context import GraphContext, distinct_cells
from evalmake.project.matrix import Evaluation
from evalmake.scoring.gates import Requirement, describe_bound
from evalmake.scoring.headline import MetricKind, matches_metric
from evalmake.scoring.numbers import format_given


def check_cells(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A plugin's `check_cell` sees each pairing once, whatever the number of its seeds."""
    for node in distinct_cells(context.graph.nodes.values()):
        cell = node.evaluation
        harness = context.plugins.get("harnesses", cell.benchmark.plugin)
        if isinstance(harness, ChecksEvaluation):
            harness.check_cell(cell, context.project.models, diagnostics)
        _check_scale(cell, diagnostics)
        if isinstance(harness, HasShareMetrics):
            _check_bounds(cell, harness.share_metrics(cell.benchmark), diagnostics)


def _check_scale(cell: Evaluation, diagnostics: Diagnostics) -> None:
    """A bound on the headline metric fits the scale that the benchmark states of it."""
    block = cell.benchmark.block
    for gate in cell.gates:
        asked = Requirement(gate.metric, gate.op, gate.bound, None, gate.is_share, MetricKind(block.scale))
        if _is_headline(gate.metric, block.metric) and (wrong := describe_bound(asked)):
            span = cell.benchmark.fields.spans.get(("scale",))
            diagnostics.error(
                "bad-value",
                f"`{gate.metric}`: {wrong}",
                gate.span,
                about=f"eval {cell.eval}",
                also=[(span.value, "its scale")] if span else [],
            )


def _is_headline(metric: str, headline: str | None) -> bool:
    return headline is not None and matches_metric(headline, metric)


def _check_bounds(cell: Evaluation, shares: Collection[str], diagnostics: Diagnostics) -> None:
    """A share is at most 1: a bound of 70 means percent."""
    for gate in cell.gates:
        if cell.benchmark.block.scale and _is_headline(gate.metric, cell.benchmark.block.metric):
            continue
        if gate.bound > 1 and re.split(r"[.,]", gate.metric)[0] in shares:
            diagnostics.error(
                "bad-value",
                f"`{gate.metric}` is a share from 0 to 1, but {format_given(gate.bound)} is greater",
                gate.span,
                about=f"eval {cell.eval}",
                help=[f"write `{gate.op} {format_given(gate.bound)}%` or `{gate.op} {format_given(gate.bound / 100)}`"],
            )
