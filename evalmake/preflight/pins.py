"""Checks under `--locked` that everything that could be pinned is."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics
from evalmake.planner.graph import Graph
from evalmake.preflight.context import GraphContext
from evalmake.project.pinned_inputs import UnpinnedInput, unpinned_inputs_of
from evalmake.project.project import Project


def check_locked_inputs(context: GraphContext, diagnostics: Diagnostics) -> None:
    """Nothing that a target uses could mean something else tomorrow."""
    if not context.locked:
        return
    for each in unpinned_inputs_in_graph(context.project, context.graph):
        diagnostics.error(
            "not-locked",
            f"{each.title} {each.is_or_are} not in {context.project.lock.path.name}",
            each.span,
            "this can change its meaning",
            about=each.about,
            help=["run `evalmake pin`, which writes its digest or commit to the lock file, and commit that file"],
        )


def unpinned_inputs_in_graph(project: Project, graph: Graph) -> list[UnpinnedInput]:
    """The images, weights, datasets and packages of a graph that could be pinned, and are not."""
    used = [project.deployments[name] for name in graph.services]
    used += [node.evaluation.benchmark for node in graph.nodes.values()]
    used += [project.executors[node.executor] for node in graph.nodes.values()]
    found = {
        each.text: each
        for declaration in {id(one): one for one in used}.values()
        for each in unpinned_inputs_of(declaration)
        if each.resolvable and each.text not in project.lock.pins
    }
    return list(found.values())
