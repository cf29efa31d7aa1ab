"""Asks each harness whether a benchmark fits the model, parameters and gates it is paired with."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics
from evalmake.preflight.context import GraphContext, distinct_cells


def check_cells(context: GraphContext, found: Diagnostics) -> None:
    """A plugin's `check_cell` sees each pairing once, whatever the number of its seeds."""
    for node in distinct_cells(context.graph.nodes.values()):
        cell = node.evaluation
        check = getattr(context.plugins.get("harnesses", cell.benchmark.plugin), "check_cell", None)
        if check is not None:
            check(cell, context.project.models, found)
