"""Asks each harness whether a benchmark fits the model, parameters and gates it is paired with."""

from __future__ import annotations

import re
from collections.abc import Collection

from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.harness import ChecksEvaluation, HasShareMetrics
from evalmake.preflight.context import GraphContext, distinct_cells
from evalmake.project.matrix import Evaluation
from evalmake.scoring.numbers import format_given


def check_cells(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A plugin's `check_cell` sees each pairing once, whatever the number of its seeds."""
    for node in distinct_cells(context.graph.nodes.values()):
        cell = node.evaluation
        harness = context.plugins.get("harnesses", cell.benchmark.plugin)
        if isinstance(harness, ChecksEvaluation):
            harness.check_cell(cell, context.project.models, diagnostics)
        if isinstance(harness, HasShareMetrics):
            _check_bounds(cell, harness.share_metrics(cell.benchmark), diagnostics)


def _check_bounds(cell: Evaluation, shares: Collection[str], diagnostics: Diagnostics) -> None:
    """A share is at most 1: a bound of 70 means percent."""
    for gate in cell.gates:
        if gate.bound > 1 and re.split(r"[.,]", gate.metric)[0] in shares:
            diagnostics.error(
                "bad-value",
                f"`{gate.metric}` is a share from 0 to 1, but {format_given(gate.bound)} is greater",
                gate.span,
                about=f"eval {cell.eval}",
                help=[f"write `{gate.op} {format_given(gate.bound)}%` or `{gate.op} {format_given(gate.bound / 100)}`"],
            )
