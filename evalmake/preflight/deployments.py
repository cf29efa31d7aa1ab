"""What a deployment lacks that can be known before it is started: its program, its weights."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostic, make_diagnostic
from evalmake.project.declarations import Declaration
from evalmake.run.environments.environments import Environments
from evalmake.run.job_builder import JobBuilder, split_secrets


def lacking(
    job_builder: JobBuilder, environments: Environments, deployment: Declaration, engine: object
) -> list[Diagnostic]:
    """What is not here of a server that is to run on this host; containers are not looked into."""
    executor = job_builder.project.executors[deployment.block.executor]
    if job_builder.plugins.get("executors", executor.plugin).capabilities.images:
        return []
    env = {**split_secrets(executor.block.env)[0], **split_secrets(deployment.block.env)[0]}
    program = environments.missing_program(deployment, engine, env.get("PATH"))
    return [found for found in (program, _weights(job_builder, deployment)) if found is not None]


def _weights(job_builder: JobBuilder, deployment: Declaration) -> Diagnostic | None:
    mounts = job_builder.server_command(deployment).mounts.values()
    gone = [m.source for m in mounts if not m.writable and not m.source.exists()]
    if not gone:
        return None
    return make_diagnostic(
        "missing-file",
        f"the weights of deployment {deployment.name} are not there: {gone[0]}",
        deployment.fields.spans["weights",].value,
        about=f"deployment {deployment.name}",
    )
