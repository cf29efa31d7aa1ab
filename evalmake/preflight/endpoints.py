"""Checks that jobs reach their models: a job with its own gateway calls them from its node, not from this host."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from evalmake.language.diagnostic import Diagnostics
from evalmake.planner.graph import Node
from evalmake.preflight.context import BuildContext, GraphContext, distinct_cells, first_of_each
from evalmake.project.boundary import Boundary, allow_help
from evalmake.project.declarations import Declaration
from evalmake.project.references import find_further_models
from evalmake.run.gateways.certificates import find_outside_certificate, read_certificates


def check_loopback_endpoints(context: GraphContext, diagnostics: Diagnostics) -> None:
    """For a remote job, `localhost` is its own node, where no model listens."""
    nodes = [node for node in _with_own_gateway(context) if _is_remote(context, node.executor)]
    pairs = ((node, model) for node in nodes for model in _models(context, node))
    for node, model in first_of_each(pairs, lambda pair: (pair[0].evaluation.eval, pair[1].name)):
        if not _is_loopback(model.block.endpoint):
            continue
        executor = context.project.executors[node.executor]
        diagnostics.error(
            "executor-lacks",
            f"evaluations on `{executor.name}` ({executor.plugin}) call their models from there, "
            f"but the endpoint of `{model.name}` is on this host",
            model.fields.spans["endpoint",].value,
            about=f"eval {node.evaluation.eval}",
            help=["give the address at which other machines reach it", "or give the eval an executor that runs here"],
        )


def check_server_reach(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A server is on the job's own executor, or on one whose servers have public addresses."""
    pairs = ((node, name) for node in _with_own_gateway(context) for name in node.services)
    for node, name in first_of_each(pairs, lambda pair: (pair[0].evaluation.eval, pair[0].executor, pair[1])):
        deployment, executor = context.project.deployments[name], context.project.executors[node.executor]
        other = context.project.executors[deployment.block.executor]
        if other is executor or _is_remote(context, other.name):
            continue
        diagnostics.error(
            "executor-lacks",
            f"evaluations on `{executor.name}` ({executor.plugin}) reach only servers on it, "
            f"but deployment `{name}` is on `{other.name}` ({other.plugin})",
            deployment.span,
            about=f"eval {node.evaluation.eval}",
            help=[f"give the deployment `executor = {executor.name}`, or the eval `executor = {other.name}`"],
        )


def check_certificates(context: BuildContext, found: Diagnostics) -> None:
    """A model's `ca` may be read, can be read, and holds certificates."""
    names = {model.name: model for node in context.nodes for model in _models(context, node)}
    for model in names.values():
        if ("ca",) in model.fields.spans:
            _check_certificate(model, context.job_builder.root.parent, context.project.files.boundary, found)


def _check_certificate(model: Declaration, folder: Path, boundary: Boundary, found: Diagnostics) -> None:
    span, about = model.fields.spans["ca",].value, f"model {model.name}"
    if outside := find_outside_certificate(model, folder, boundary):
        message = f"`{outside}` is outside the project, so it is not read"
        notes = [f"the project is {boundary.root}"]
        found.error("outside-project", message, span, about=about, notes=notes, help=allow_help(outside))
        return
    try:
        read_certificates(model, folder)
    except OSError as error:
        found.error("missing-file", f"`ca` cannot be read: {error.strerror}", span, about=about)
    except ValueError as error:
        found.error("bad-value", f"`ca` is no use: {error}", span, about=about)


def _with_own_gateway(context: GraphContext) -> list[Node]:
    """The evaluations whose jobs run their own gateway, one for each pairing of eval, models and servers."""
    nodes = distinct_cells(context.graph.nodes.values())
    return [node for node in nodes if context.capabilities(context.project.executors[node.executor]).sidecar]


def _is_remote(context: GraphContext, executor: str) -> bool:
    return context.capabilities(context.project.executors[executor]).remote


def _models(context: GraphContext, node: Node) -> list[Declaration]:
    cell = node.evaluation
    return [cell.model, *find_further_models(context.project, cell.benchmark).values()]


def _is_loopback(endpoint: str | None) -> bool:
    host = urlsplit(endpoint or "").hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"
