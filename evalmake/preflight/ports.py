"""Checks that no two servers of one build listen on the same port of one executor."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics
from evalmake.planner.placement import has_own_nodes
from evalmake.preflight.context import GraphContext
from evalmake.project.declarations import Declaration


def check_ports(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A fixed port belongs to one server, unless each job has its own network or its own nodes."""
    first: dict[tuple[str, int], Declaration] = {}
    order = list(context.project.deployments)
    for deployment in sorted(context.servers(), key=lambda one: order.index(one.name)):
        port, executor = deployment.block.port, context.project.executors[deployment.block.executor]
        capabilities = context.capabilities(executor)
        if not port or capabilities.private_network or has_own_nodes(executor):
            continue
        if deployment.block.replicas > 1:
            _report_replicas(deployment, diagnostics, _advise_on_nodes(executor))
        other = first.setdefault((executor.name, port), deployment)
        if other is not deployment:
            _report_same_port(other, deployment, diagnostics, _advise_on_nodes(executor))


def _advise_on_nodes(executor: Declaration) -> list[str]:
    """What gives each server a node of its own, where the executor has a key for that."""
    if not hasattr(executor.settings, "directives"):
        return []
    return [f'or give each server a node of its own: `directives = ["--exclusive"]` of executor {executor.name}']


def _report_replicas(deployment: Declaration, diagnostics: Diagnostics, more: list[str]) -> None:
    block, spans = deployment.block, deployment.fields.spans
    diagnostics.error(
        "same-port",
        f"the {block.replicas} servers of `{deployment.name}` have the same port {block.port}",
        spans["port",].value,
        "given to each of them",
        also=[(spans["replicas",].value, "this many servers")],
        about=f"deployment {deployment.name}",
        notes=[f"all run on executor `{block.executor}`"],
        help=["leave out `port`: then each gets its own", *more],
    )


def _report_same_port(other: Declaration, deployment: Declaration, diagnostics: Diagnostics, more: list[str]) -> None:
    is_one_declaration = other.parsed is deployment.parsed  # served with the weights of several folders
    cure = "leave out `port`: then each gets its own" if is_one_declaration else "give one of them another `port`"
    diagnostics.error(
        "same-port",
        f"deployments `{other.name}` and `{deployment.name}` have the same port {deployment.block.port}",
        deployment.fields.spans["port",].value,
        "given again here",
        also=[(other.fields.spans["port",].value, f"the port of `{other.name}`")],
        about=f"deployment {deployment.name}",
        notes=[f"both run on executor `{deployment.block.executor}`"],
        help=[cure, *more],
    )
