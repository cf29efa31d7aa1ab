"""Checks that an eval with `until` or `precision` can stop early: its harness, its gates and its scores."""

from __future__ import annotations

from collections.abc import Iterator

from evalmake.language.diagnostic import Diagnostics
from evalmake.language.source import Span
from evalmake.plugin_api.harness import StopsEarly
from evalmake.preflight.context import GraphContext, distinct_cells
from evalmake.project.matrix import Evaluation
from evalmake.scoring.numbers import format_given

_UNFIT = {
    "cluster": "records of one cluster are not independent",
    "weight": "each record counts the same then",
}
"""Keys of a benchmark with which no interval is known that holds wherever asking stops, and why."""


def check_stop_rules(context: GraphContext, diagnostics: Diagnostics) -> None:
    """What stops early has a harness that can, gates that decide, and scores from 0 to 1."""
    for node in distinct_cells(context.graph.nodes.values()):
        cell = node.evaluation
        if cell.variant.stop_rule is None:
            continue
        key = "until" if cell.variant.block.until else "precision"
        place, about = cell.variant.fields.spans[key,].key, f"eval {cell.eval}"
        harness = context.plugins.get("harnesses", cell.benchmark.plugin)
        if not (isinstance(harness, StopsEarly) and harness.stops_early):
            diagnostics.error(
                "bad-value",
                f"`{key}` needs a harness that asks in a random order, and `{cell.benchmark.plugin}` does not",
                place,
                about=about,
                also=[(cell.benchmark.span, "this benchmark")],
                help=["set a `limit`, and raise it where more must be known: only what is new is asked"],
            )
            continue
        for message, span, cure in (*_find_unfit_gates(cell), *_find_unfit_keys(cell, key, place)):
            diagnostics.error("bad-value", message, span, about=about, help=[cure])


def _find_unfit_gates(cell: Evaluation) -> Iterator[tuple[str, Span, str]]:
    """A message for each gate that cannot be decided early, its place, and a cure."""
    if not cell.variant.block.until:
        return
    if all(gate.unit for gate in cell.gates):
        place = cell.variant.fields.spans["until",].key
        yield "`until = decided` has no gate to decide", place, "add one, such as `require accuracy >= 80%`"
    for gate in (one for one in cell.gates if not one.unit):
        if gate.is_over_benchmarks:
            message = f"`{gate.word}` takes benchmarks together, and each of them stops by itself"
            yield message, gate.span, f"write `require headline {gate.op} ...`, which each benchmark decides"
        elif gate.than is not None:
            message = "`until = decided` decides by bounds, and this gate compares two results"
            yield message, gate.span, "leave out `until`: such a gate is judged when all items are asked"
        elif gate.bound > 1:
            message = f"`until` needs scores from 0 to 1, and the bound is {format_given(gate.bound)}"
            yield message, gate.span, "leave out `until`: such a gate is judged when all items are asked"
        elif gate.op == "==" and not gate.within:
            message = "no number of items shows that a score equals a number"
            yield message, gate.span, "write how far from it will do: `within 2%`"


def _find_unfit_keys(cell: Evaluation, key: str, place: Span) -> Iterator[tuple[str, Span, str]]:
    block, settings = cell.benchmark.block, cell.benchmark.settings
    for name, why in _UNFIT.items():
        if getattr(settings, name, None) is not None:
            yield f"`{key}` cannot stand beside `{name}`: {why}", place, f"leave out `{key}`, or `{name}`"
    if block.scale in ("percent", "points"):
        message = f"`{key}` needs scores from 0 to 1, and the scale of `{cell.benchmark_name}` is `{block.scale}`"
        yield message, place, f"leave out `{key}`"
