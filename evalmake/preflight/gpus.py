"""Checks that no evaluation needs more GPUs at once than its executor has, those of its servers included."""

from __future__ import annotations

from collections import Counter

from evalmake.language.diagnostic import Diagnostics
from evalmake.language.source import Span
from evalmake.planner.graph import Node
from evalmake.preflight.context import BuildContext, distinct_cells, first_of_each
from evalmake.project.project import Project

_SHOWN = 3  # of the others that need too many


def check_gpus(context: BuildContext, diagnostics: Diagnostics) -> None:
    """Executors that do not count their GPUs (clusters) are never short of them.

    One error for each executor says who needs the most, and names the others.
    """
    needs = (
        (node, executor, count)
        for node in distinct_cells(context.nodes)
        for executor, count in _gpus_needed(node, context.project).items()
        if count
    )
    lacking: dict[str, list[tuple[Node, int]]] = {}
    for node, executor, count in first_of_each(needs, lambda need: (need[0].services, *need[1:])):
        devices = context.executor(executor).gpus()
        if devices is not None and count > len(devices):
            lacking.setdefault(executor, []).append((node, count))
    for executor, found in lacking.items():
        _report(context, executor, found, len(context.executor(executor).gpus() or ()), diagnostics)


def _gpus_needed(node: Node, project: Project) -> Counter[str]:
    """The GPUs of an evaluation and its servers, by executor. Replicas can start one after the other."""
    blocks = [node.evaluation.variant.block]
    blocks += [project.deployments[name].block for name in node.services]
    found: Counter[str] = Counter()
    for block in blocks:
        found[block.executor] += block.resources.gpus or 0
    return found


def _report(
    context: BuildContext, executor: str, found: list[tuple[Node, int]], available: int, diagnostics: Diagnostics
) -> None:
    node, count = max(found, key=lambda one: one[1])
    rest = [(one, needed) for one, needed in found if one is not node]
    others = [f"{one.name} ({needed})" for one, needed in rest]
    labels = [label for one in [node, *(one for one, _ in rest[:_SHOWN])] for label in _users(context, one, executor)]
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    diagnostics.error(
        "executor-lacks",
        f"executor `{executor}` has {_count(available)}, and {node.name} needs {count} at once",
        context.project.executors[executor].span,
        also=[*dict.fromkeys(labels)],
        about=f"eval {node.evaluation.eval}",
        notes=[f"too few, too, for {', '.join(others[:_SHOWN])}{more}"] if others else [],
    )


def _users(context: BuildContext, node: Node, executor: str) -> list[tuple[Span, str]]:
    """The node's servers on the executor, each with the number of GPUs that it uses."""
    servers = [one for one in context.servers([node]) if one.block.executor == executor and one.block.resources.gpus]
    return [(one.fields.spans["resources",].value, f"`{one.name}` takes {one.block.resources.gpus}") for one in servers]


def _count(gpus: int) -> str:
    return f"{gpus or 'no'} GPU{'s' * (gpus != 1)}"
