"""Checks that a server which starts on this host finds its program and its weights here."""

from __future__ import annotations

import os

from evalmake.language.diagnostic import Diagnostics
from evalmake.preflight.context import BuildContext
from evalmake.project.declarations import Declaration
from evalmake.run.job_builder import split_secrets


def check_server_programs(context: BuildContext, diagnostics: Diagnostics) -> None:
    """An engine's program must be on the server's PATH, or among its packages."""
    for deployment in _servers_on_this_host(context):
        executor = context.project.executors[deployment.block.executor]
        env = {**split_secrets(executor.block.env)[0], **split_secrets(deployment.block.env)[0]}
        engine = context.plugins.get("engines", deployment.plugin)
        missing = context.environments.missing_program(deployment, engine, env.get("PATH"))
        if missing is not None:
            diagnostics.append(missing)


def check_weights(context: BuildContext, diagnostics: Diagnostics) -> None:
    """The folder or file of the weights must exist."""
    for deployment in _servers_on_this_host(context):
        if context.plugins.get("engines", deployment.plugin).needs:
            continue
        mounts = context.job_builder.server_command(deployment).mounts.values()
        missing = [m.source for m in mounts if not m.writable and not os.path.exists(m.source)]
        if missing:
            diagnostics.error(
                "missing-file",
                f"the weights of deployment {deployment.name} do not exist: {missing[0]}",
                deployment.fields.spans["weights",].value,
                about=f"deployment {deployment.name}",
            )


def _servers_on_this_host(context: BuildContext) -> list[Declaration]:
    """Those that run in no container, of which nothing can be known before it starts."""
    executors = context.project.executors
    return [
        one for one in context.servers(context.nodes) if not context.capabilities(executors[one.block.executor]).images
    ]
