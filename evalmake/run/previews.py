"""What executors would be asked to make for a plan, as far as they can tell: nothing is asked or made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evalmake.planner.checks import image_of
from evalmake.planner.graph import Graph, Node
from evalmake.planner.ports import Executor, Job
from evalmake.run.gateways import Gateways
from evalmake.run.jobs import Workshop, split_env


def previews(
    workshop: Workshop, executors: Mapping[str, Executor], graph: Graph, nodes: Iterable[tuple[Node, int]]
) -> Iterator[tuple[str, Any]]:
    """Deployments, then evaluations with the number of their attempt: their names and what would be made."""
    nodes = list(nodes)
    for name in dict.fromkeys(name for node, _ in nodes for name in node.services):
        digest = graph.services[name].digest
        served = workshop.deployment(name, digest)[0]
        preview = getattr(executors[served.executor], "preview", None)
        if preview is not None:
            yield f"deployment {name}", preview(served.job(f"{digest[-12:]}.s0"))
    gateways = Gateways(workshop, None, graph.sources)
    for node, attempt in nodes:
        preview = getattr(executors[node.executor], "preview", None)
        if preview is not None:
            yield node.name, preview(_evaluation(workshop, gateways, node, attempt))


def _evaluation(workshop: Workshop, gateways: Gateways, node: Node, attempt: int) -> Job:
    """As much of an evaluation's job as can be known before its models are served."""
    id = f"{node.action.digest[7:19]}.{attempt}"
    executor = workshop.project.executors[node.executor]
    _, names = split_env(executor.block.env)
    for role, model in gateways.models(node):
        names |= gateways.settings(model, role)[1]
    image = image_of(node.evaluation.benchmark, executor)
    return Job(id, node.name, (), workshop.folder(id), secrets=names, image=image)
