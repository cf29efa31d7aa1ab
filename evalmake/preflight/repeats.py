"""Checks that an eval with `repeats` can take several samples of each item: its harness, its requests and its rule."""

from __future__ import annotations

from collections.abc import Iterator

from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.harness import AsksRepeatedly
from evalmake.preflight.context import GraphContext, distinct_cells
from evalmake.project.matrix import Evaluation


def check_repeats(context: GraphContext, diagnostics: Diagnostics) -> None:
    """What takes several samples has a harness that can, a model that draws them at random, and no rule to stop."""
    for node in distinct_cells(context.graph.nodes.values()):
        cell = node.evaluation
        if cell.variant.block.repeats == 1:
            continue
        harness = context.plugins.get("harnesses", cell.benchmark.plugin)
        place, about = cell.variant.fields.spans["repeats",].key, f"eval {cell.eval}"
        if not (isinstance(harness, AsksRepeatedly) and harness.asks_repeatedly):
            diagnostics.error(
                "bad-value",
                f"`repeats` needs a harness that takes several samples of an item, and `{cell.benchmark.plugin}` does"
                " not by this key",
                place,
                about=about,
                also=[(cell.benchmark.span, "this benchmark")],
                help=["add seeds, `seed in 1..3`, or set what this harness has for it in the benchmark"],
            )
            continue
        for message, cure in _find_unfit(cell):
            diagnostics.error("bad-value", message, place, about=about, help=[cure])


def _find_unfit(cell: Evaluation) -> Iterator[tuple[str, str]]:
    """A message for each reason why several samples are of no use, and a cure."""
    if cell.benchmark.unasked:
        yield "`repeats` asks a model again, and this benchmark asks none", "leave out `repeats`"
    elif cell.params.get("temperature") == 0:
        message = "`repeats` has no use with `temperature = 0`: all samples of an item would be the same"
        yield message, "leave out `repeats`, or set a temperature: `params = { temperature = 0.7 }`"
    for key in ("until", "precision"):
        if getattr(cell.variant.block, key) is not None:
            message = f"`repeats` cannot stand beside `{key}`: samples of one item are not independent"
            yield message, f"leave out one of them: `{key}` asks each item once"
