"""Asks each harness whether a benchmark fits the model, parameters and gates it is paired with."""

from __future__ import annotations

import re
from collections.abc import Collection

from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.harness import ChecksEvaluation, HasShareMetrics
from evalmake.preflight.context import GraphContext, distinct_cells
from evalmake.project.matrix import Evaluation
from evalmake.project.requirements import HEADLINE, Gate
from evalmake.scoring.gates import Requirement, describe_bound
from evalmake.scoring.group_average import describe_unlike_kinds
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


def check_benchmarks_together(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A requirement that takes benchmarks together needs the same scale and direction of all."""
    found: dict[Gate, dict[str, MetricKind]] = {}
    for node in context.graph.nodes.values():
        block = node.evaluation.benchmark.block
        for gate in node.evaluation.gates:
            if gate.is_over_benchmarks:
                kinds = found.setdefault(gate, {})
                kinds[node.evaluation.benchmark_name] = MetricKind(block.scale, block.better)
    for gate, kinds in found.items():
        points = next((name for name, kind in kinds.items() if kind.scale == "points"), "")
        wrong = describe_unlike_kinds(kinds)
        if not wrong and points and len(kinds) > 1:
            wrong = f"{points} is in points, which are a scale of its own"
        if wrong:
            diagnostics.error(
                "bad-value",
                f"`{gate.word}` takes together what is not alike: {wrong}",
                gate.span,
                help=[f"choose the benchmarks by a condition: `when benchmark in [a, b] {{ {gate.span.text} }}`"],
            )


def _check_scale(cell: Evaluation, diagnostics: Diagnostics) -> None:
    """A bound on the headline metric fits the scale that the benchmark states of it."""
    block = cell.benchmark.block
    for gate in (one for one in cell.gates if not one.unit):
        asked = Requirement(gate.metric, gate.op, gate.bound, None, gate.is_share, MetricKind(block.scale))
        is_headline = bool(gate.word) or _is_headline(gate.metric, block.metric)
        if gate.than and block.scale == "percent":
            continue  # a margin may be less than 1 there
        if is_headline and (wrong := describe_bound(asked)):
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
    block = cell.benchmark.block
    for gate in (one for one in cell.gates if not one.unit):
        metric = (block.metric or HEADLINE) if gate.word else gate.metric
        if block.scale and (gate.word or _is_headline(metric, block.metric)):
            continue
        word = "by" if gate.than else gate.op
        if gate.bound > 1 and re.split(r"[.,]", metric)[0] in shares:
            diagnostics.error(
                "bad-value",
                f"`{gate.metric}` is a share from 0 to 1, but {format_given(gate.bound)} is greater",
                gate.span,
                about=f"eval {cell.eval}",
                help=[f"write `{word} {format_given(gate.bound)}%` or `{word} {format_given(gate.bound / 100)}`"],
            )
