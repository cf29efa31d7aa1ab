"""Tells of system messages of benchmarks that an adapter replaces, so that they are not sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evalmake.language.diagnostic import Diagnostics, Severity, make_diagnostic
from evalmake.planner.graph import Node
from evalmake.preflight.context import BuildContext, GraphContext, first_of_each
from evalmake.project.system_messages import DeclaredSystem, find_sent_system

_BOTH = 'to send both, write `system_mode = prepend` or `append` beside it: `adapter = { system = "...", ... }`'


def check_system_messages(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A benchmark whose own adapter replaces its `system` has one of the two too many."""
    for node, winner, replaced in _list_replaced(context.graph.nodes.values()):
        benchmark = node.evaluation.benchmark
        if winner.owner == f"adapter of benchmark {benchmark.name}" and replaced.origin == "own":
            diagnostics.error(
                "unused-key",
                "`system` would change nothing: the `adapter` of the benchmark replaces it",
                replaced.key,
                about=f"benchmark {benchmark.name}",
                also=[(winner.key, "this is sent")],
                help=["leave one of them out", _BOTH],
            )


def note_replaced_system_messages(context: BuildContext, diagnostics: Diagnostics) -> None:
    """The adapter of a model or an eval has the last word, and that is told."""
    for node, winner, replaced in _list_replaced(context.nodes):
        benchmark = node.evaluation.benchmark
        if winner.owner != f"adapter of benchmark {benchmark.name}":
            diagnostics.append(
                make_diagnostic(
                    "unused-key",
                    f"the `adapter` replaces the `system` of benchmark `{benchmark.name}`, which is not sent",
                    winner.span,
                    about=winner.owner.removeprefix("adapter of "),
                    also=[(replaced.span, "this is not sent")],
                    help=[_BOTH],
                    severity=Severity.WARNING,
                )
            )


def _list_replaced(nodes: Iterable[Node]) -> Iterator[tuple[Node, DeclaredSystem, DeclaredSystem]]:
    """What is sent, and what of a benchmark is not; each pair once."""
    found = []
    for node in nodes:
        sent = find_sent_system(node.evaluation) if not node.evaluation.benchmark.unasked else None
        if sent is not None and sent.replaced is not None and sent.winner.text != sent.replaced.text:
            found.append((node, sent.winner, sent.replaced))
    return first_of_each(found, lambda one: (one[1].span, one[2].span))
