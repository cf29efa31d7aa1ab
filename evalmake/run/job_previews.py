"""Previews of the jobs and servers that executors would create for a plan. Nothing is created."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evalmake.planner.graph import Graph, Node
from evalmake.planner.placement import job_image
from evalmake.plugin_api.executor import Executor, Job, SupportsPreview
from evalmake.run.gateways.host_gateways import HostGateways
from evalmake.run.job_builder import JobBuilder, split_secrets


def preview_jobs(
    job_builder: JobBuilder, executors: Mapping[str, Executor], graph: Graph, nodes: Iterable[tuple[Node, int]]
) -> Iterator[tuple[str, Any]]:
    """The names and previews of deployments, then of evaluations; `nodes` come with the number of their attempt."""
    nodes = list(nodes)
    for name in dict.fromkeys(name for node, _ in nodes for name in node.services):
        digest = graph.services[name].digest
        spec = job_builder.server_specs(name, digest)[0]
        executor = executors[spec.executor]
        if isinstance(executor, SupportsPreview):
            yield f"deployment {name}", executor.preview(spec.build_job(f"{digest[-12:]}.s0"))
    gateways = HostGateways(job_builder, None, graph.sources)
    for node, attempt in nodes:
        executor = executors[node.executor]
        if isinstance(executor, SupportsPreview):
            yield node.name, executor.preview(_preview_job(job_builder, gateways, node, attempt))


def _preview_job(job_builder: JobBuilder, gateways: HostGateways, node: Node, attempt: int) -> Job:
    """Build the job of an evaluation as far as it is known before its models are served."""
    id = f"{node.action.digest[7:19]}.{attempt}"
    executor = job_builder.project.executors[node.executor]
    _, secrets = split_secrets({**executor.block.env, **node.evaluation.benchmark.block.env})
    for role, model in gateways.models_of(node):
        secrets |= gateways.gateway_settings(model, role)[1]
    image = job_image(node.evaluation.benchmark, executor)
    return Job(id, node.name, (), job_builder.job_folder(id), secrets=secrets, image=image)
