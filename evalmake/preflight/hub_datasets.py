"""Checks that data sets of the hub which evalmake reads itself are known by their commits."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics
from evalmake.preflight.context import BuildContext
from evalmake.run.hub_data import find_selections, is_pinned


def check_hub_datasets(context: BuildContext, diagnostics: Diagnostics) -> None:
    """A branch or tag is pinned before a build: what it means later would be other data under the same identity."""
    for benchmark, selection in find_selections(context.nodes, context.plugins):
        if not is_pinned(benchmark):
            diagnostics.error(
                "unpinned-input",
                f"the data set {selection} is not pinned to a commit",
                benchmark.fields.spans["dataset",].value,
                "a branch can move; a commit cannot",
                about=f"benchmark {benchmark.name}",
                help=[f"`evalmake pin` writes its commit to {context.project.lock.path.name}"],
            )
