"""What executors would be asked to make for a plan, as far as they can tell: nothing is asked or made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evalmake.planner.graph import Graph, Node
from evalmake.plugin_api.executor import Executor, Job
from evalmake.preflight.graph_checks import image_of
from evalmake.run.gateways.host_gateways import HostGateways
from evalmake.run.job_builder import JobBuilder, split_secrets


def previews(
    job_builder: JobBuilder, executors: Mapping[str, Executor], graph: Graph, nodes: Iterable[tuple[Node, int]]
) -> Iterator[tuple[str, Any]]:
    """Deployments, then evaluations with the number of their attempt: their names and what would be made."""
    nodes = list(nodes)
    for name in dict.fromkeys(name for node, _ in nodes for name in node.services):
        digest = graph.services[name].digest
        served = job_builder.server_specs(name, digest)[0]
        preview = getattr(executors[served.executor], "preview", None)
        if preview is not None:
            yield f"deployment {name}", preview(served.job(f"{digest[-12:]}.s0"))
    gateways = HostGateways(job_builder, None, graph.sources)
    for node, attempt in nodes:
        preview = getattr(executors[node.executor], "preview", None)
        if preview is not None:
            yield node.name, preview(_evaluation(job_builder, gateways, node, attempt))


def _evaluation(job_builder: JobBuilder, gateways: HostGateways, node: Node, attempt: int) -> Job:
    """As much of an evaluation's job as can be known before its models are served."""
    id = f"{node.action.digest[7:19]}.{attempt}"
    executor = job_builder.project.executors[node.executor]
    _, names = split_secrets(executor.block.env)
    for role, model in gateways.models(node):
        names |= gateways.settings(model, role)[1]
    image = image_of(node.evaluation.benchmark, executor)
    return Job(id, node.name, (), job_builder.job_folder(id), secrets=names, image=image)
