"""Asks each executor's plugin whether its settings suffice for what it is used for."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.executor import ChecksUse
from evalmake.preflight.context import GraphContext


def check_executor_use(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A plugin's `check_use` names what an executor lacks to run evaluations, or to run servers."""
    evaluations = dict.fromkeys((node.executor, False) for node in context.graph.nodes.values())
    servers = dict.fromkeys((deployment.block.executor, True) for deployment in context.servers())
    for name, serves in (*evaluations, *servers):
        executor = context.project.executors[name]
        plugin = context.plugins.get("executors", executor.plugin)
        if isinstance(plugin, ChecksUse):
            plugin.check_use(executor, serves, diagnostics)
