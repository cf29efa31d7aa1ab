"""Checks deployments: what their engine knows to be wrong, a port that must be known, servers on several nodes."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.engine import ChecksDeployment, ServerCommand
from evalmake.preflight.context import GraphContext
from evalmake.project.declarations import Declaration


def check_servers(context: GraphContext, diagnostics: Diagnostics) -> None:
    """The engine's own checks first; a command that can be written is then checked, too."""
    for deployment in context.servers():
        engine = context.plugins.get("engines", deployment.plugin)
        before = len(diagnostics)
        if isinstance(engine, ChecksDeployment):
            engine.check_deployment(deployment, diagnostics)
        if len(diagnostics) == before and not engine.needs:
            command = engine().serve(deployment)
            _check_port_is_known(context, deployment, command, diagnostics)
            _check_nodes(context, deployment, command, diagnostics)


def _check_port_is_known(
    context: GraphContext, deployment: Declaration, command: ServerCommand, diagnostics: Diagnostics
) -> None:
    """A server in a container is reached only by a port that is known before it starts."""
    capabilities = context.capabilities(context.project.executors[deployment.block.executor])
    knows_port = bool(command.port) or "{port}" in (*command.argv, *command.env.values())
    if knows_port or not capabilities.private_network or not (deployment.block.image or capabilities.without_image):
        return
    diagnostics.error(
        "missing-key",
        f"deployment `{deployment.name}` needs `port`",
        deployment.span,
        about=f"deployment {deployment.name}",
        notes=["the port of a server in a container must be known before it starts"],
        help=["add its port, such as `port = 8000`; the server must listen there on 0.0.0.0"],
    )


def _check_nodes(
    context: GraphContext, deployment: Declaration, command: ServerCommand, diagnostics: Diagnostics
) -> None:
    """An engine that serves on one node must not be given several."""
    executor = context.project.executors[deployment.block.executor]
    nodes = getattr(executor.settings, "nodes", None) or 1
    if nodes > 1 and command.multi_node_launcher is None:
        diagnostics.error(
            "executor-lacks",
            f"executor `{executor.name}` gives {nodes} nodes, but the `{deployment.plugin}` engine uses only one",
            deployment.span,
            about=f"deployment {deployment.name}",
            help=["use an executor without `nodes`, or an engine that supports several: `vllm`, `sglang`, `command`"],
        )
