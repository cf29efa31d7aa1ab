"""Builds jobs: an evaluation's command, variables and verified inputs; the jobs of a deployment's servers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from evalmake.language.diagnostic import make_error
from evalmake.language.file_hashes import FileHashes, hash_file
from evalmake.language.file_tree import remove_tree
from evalmake.language.values import File, SecretRef
from evalmake.planner.graph import Node
from evalmake.planner.placement import attempt_timeout, job_image, shares_allocations
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.executor import Capabilities, Job
from evalmake.plugin_api.harness import HasProgram
from evalmake.project.declarations import Declaration
from evalmake.project.named_files import list_input_files
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.project import Project
from evalmake.project.references import find_further_models
from evalmake.project.schema import Resources
from evalmake.run.environments.environment import Environment
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.servers.command import assign_port, place_command
from evalmake.servers.spec import ServerSpec, replicas


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """A job's route to a model: the base URL at a gateway, and the token that admits the job."""

    url: str
    token: str


_REMOVALS = 3
"""Whoever runs a job may write its status while its folder is removed: a new file, and then that under another name."""


@dataclass(frozen=True, slots=True)
class JobBuilder:
    """Builds the jobs of a workspace. `root` is its `.evalmake`."""

    project: Project
    plugins: PluginRegistry
    root: Path
    environment_of: Callable[[Declaration], Environment | None] = lambda declaration: None
    hashes: FileHashes = field(default_factory=FileHashes)

    def job_folder(self, job_id: str) -> Path:
        """The folder of a job."""
        return self.root / "work" / job_id

    def remove_job_folder(self, job_id: str) -> None:
        """Remove the folder of a job, if there is one."""
        for _ in range(_REMOVALS):
            remove_tree(self.job_folder(job_id))
            if not self.job_folder(job_id).exists():
                return

    def slots(self, executor: str) -> int:
        """How many jobs an executor runs at a time: its `slots`, else one for each CPU."""
        slots: int | None = self.project.executors[executor].block.slots
        return slots or os.cpu_count() or 1

    # Evaluations --------------------------------------------------------------------------------

    def build_evaluation_job(self, node: Node, job_id: str, routes: Mapping[str, GatewayRoute]) -> Job:
        """The job of an evaluation; `routes` are those to the models that it asks, by role."""
        cell, block = node.evaluation, node.evaluation.variant.block
        harness = self.plugins.get("harnesses", cell.benchmark.block.harness)()
        command = harness.command(cell)
        inputs = self._copy_inputs(command.inputs, cell.benchmark)
        if node.replies is not None:
            command = harness.score_again(command, SAMPLES)
            inputs[SAMPLES] = self._input_path(node.replies.samples)
        workdir = self.job_folder(job_id)
        executor = self.project.executors[block.executor]
        plain, secrets = split_secrets({**executor.block.env, **cell.benchmark.block.env})
        env = {**command.env, **self._evaluation_variables(node, workdir, routes)}
        files, argv = dict(command.files), command.argv
        if (environment := self.environment_of(cell.benchmark)) is not None:
            files["out/packages.txt"] = environment.listing_text
            env |= environment.job_variables(plain.get("PATH"))
            if isinstance(harness, HasProgram):
                argv = tuple(str(environment.python) if w == "{python}" else w for w in argv)
        return Job(
            id=job_id,
            name=node.name,
            argv=argv,
            workdir=workdir,
            files=files,
            inputs=inputs,
            env={**plain, **env},
            secrets=secrets,
            image=job_image(cell.benchmark, executor),
            timeout=attempt_timeout(cell.variant, executor).seconds,
            host_ports=tuple(port for r in routes.values() if (port := urlsplit(r.url).port)),
            **_job_resources(block.resources),
        )

    def _evaluation_variables(self, node: Node, workdir: Path, routes: Mapping[str, GatewayRoute]) -> dict[str, str]:
        """The EVALMAKE_... variables of an evaluation's job, and those that keep proxies out."""
        cell = node.evaluation
        env = {
            "EVALMAKE_SEED": str(cell.seed),
            "EVALMAKE_LIMIT": "" if cell.limit is None else str(cell.limit),
            "EVALMAKE_PARAMS": json.dumps(cell.params),
            "EVALMAKE_OUT": str(workdir / "out"),
            "EVALMAKE_PROGRESS": str(workdir / "progress.json"),
        }
        if node.asks_model:
            env |= self.model_variables(cell.model, routes["model"], "EVALMAKE_MODEL")
            env["EVALMAKE_API_KEY"] = routes["model"].token
        elif node.replies is not None:
            env |= {"EVALMAKE_MODEL_NAME": self.model_name(cell.model), "EVALMAKE_MODEL_API": cell.model.block.api}
        if cell.model.block.concurrency:
            env["EVALMAKE_CONCURRENCY"] = str(cell.model.block.concurrency)
        for role, model in find_further_models(self.project, cell.benchmark).items():
            prefix = f"EVALMAKE_{role.upper()}"
            env |= self.model_variables(model, routes[role], prefix)
            env[f"{prefix}_API_KEY"] = routes[role].token
        hosts = {urlsplit(route.url).hostname or "" for route in routes.values()}
        return env | _no_proxy_variables(os.environ, hosts)

    def model_variables(self, model: Declaration, route: GatewayRoute, prefix: str) -> dict[str, str]:
        """The variables that tell a job where a model is, what it is called, and which API it has."""
        return {f"{prefix}_URL": route.url, f"{prefix}_NAME": self.model_name(model), f"{prefix}_API": model.block.api}

    def model_name(self, model: Declaration) -> str:
        """The name of a model in requests to it."""
        name: str = model.block.name or ""
        if not name and model.block.deployment:
            deployment = self.project.deployments[model.block.deployment]
            name = deployment.block.served_name or self.server_command(deployment).model or model.block.deployment
        return name

    # Servers ------------------------------------------------------------------------------------

    def server_specs(self, name: str, action: str) -> tuple[ServerSpec, ...]:
        """The servers of a deployment, one for each replica; `action` is the digest of what they are."""
        declaration = self.project.deployments[name]
        block = declaration.block
        command = self.server_command(declaration)
        return tuple(
            ServerSpec(
                name=replica,
                group=name,
                title=title,
                kind="serve",
                action=action,
                executor=block.executor,
                command=command,
                ready=block.ready.seconds,
                declaration=declaration,
                build_job=lambda job_id: self._build_server_job(declaration, command, job_id),
                gpus=block.resources.gpus or 0,
                key_name=self.server_key_name(block.executor),
            )
            for replica, title in replicas(declaration, self._capabilities(block.executor)).items()
        )

    def _build_server_job(self, declaration: Declaration, command: ServerCommand, job_id: str) -> Job:
        """A server's job for one start; creates the folders that it mounts to write to."""
        block = declaration.block
        executor = self.project.executors[block.executor]
        plain, secrets = split_secrets(block.env)
        executor_plain, executor_secrets = split_secrets(executor.block.env)
        env = {**executor_plain, **plain}
        if (environment := self.environment_of(declaration)) is not None:
            env |= environment.job_variables(env.get("PATH"))
        command = assign_port(command)
        for mount in command.mounts.values():
            if mount.writable:
                mount.source.mkdir(parents=True, exist_ok=True)
        return Job(
            id=job_id,
            name=declaration.name,
            argv=command.argv,
            workdir=self.job_folder(job_id),
            files=command.files,
            env={**env, **command.env},
            secrets={**executor_secrets, **secrets},
            image=block.image,
            port=command.port,
            mounts=command.mounts if block.image else {},
            replicas=block.replicas if self._capabilities(block.executor).replicas else 1,
            colocation_slots=(executor.block.slots or 0) if shares_allocations(executor) else None,
            multi_node_launcher=command.multi_node_launcher,
            **_job_resources(block.resources),
        )

    def server_command(self, deployment: Declaration) -> ServerCommand:
        """How a deployment is served on its executor."""
        block = deployment.block
        command: ServerCommand = self.plugins.get("engines", deployment.plugin)().serve(deployment)
        if block.health:
            command = replace(command, health=block.health)
        return place_command(command, bool(block.image), self._capabilities(block.executor))

    def server_key_name(self, executor: str) -> str:
        """The name of the secret that an executor's servers ask of their clients; empty where they ask for none."""
        key = getattr(self.project.executors[executor].settings, "key", None)
        return key.name if isinstance(key, SecretRef) else ""

    def _capabilities(self, executor: str) -> Capabilities:
        plugin = self.project.executors[executor].plugin
        capabilities: Capabilities = self.plugins.get("executors", plugin).capabilities
        return capabilities

    # Inputs -------------------------------------------------------------------------------------

    def _copy_inputs(self, inputs: Mapping[str, Path], benchmark: Declaration) -> dict[str, Path]:
        by_path = {file.path: file for file in list_input_files(benchmark)}
        return {name: self._copy_verified(by_path[path]) for name, path in inputs.items()}

    def _input_path(self, sha256: str) -> Path:
        return self.root / "inputs" / sha256

    def place_stored_samples(self, sha256: str, write: Callable[[str, IO[bytes]], bool]) -> bool:
        """Place the samples of an earlier attempt where jobs take their inputs from; False where they are damaged."""
        copy = self._input_path(sha256)
        if copy.exists() and self.hashes.of(copy) == sha256:
            return True
        copy.parent.mkdir(parents=True, exist_ok=True)
        temporary = copy.with_suffix(f".{os.getpid()}")
        with temporary.open("wb") as file:
            is_whole = write(sha256, file)
        if is_whole:
            temporary.chmod(0o444)
            os.replace(temporary, copy)
        else:
            temporary.unlink()
        return is_whole

    def _copy_verified(self, file: File) -> Path:
        """A copy of an input with the content that was planned, whatever happens to the original."""
        copy = self._input_path(file.sha256)
        if copy.exists() and self.hashes.of(copy) == file.sha256:
            return copy
        copy.parent.mkdir(parents=True, exist_ok=True)
        temporary = copy.with_suffix(f".{os.getpid()}")
        shutil.copyfile(file.path, temporary)
        if hash_file(temporary) != file.sha256:
            temporary.unlink()
            raise make_error(
                "input-changed",
                f"{file.path} changed while evalmake was planning",
                help=["run evalmake again: it will plan with the new content"],
            )
        temporary.chmod(0o444)
        os.replace(temporary, copy)
        return copy


def _job_resources(resources: Resources) -> dict[str, Any]:
    memory = resources.memory.bytes if resources.memory else None
    return {"cpus": resources.cpus, "memory": memory, "gpus": resources.gpus}


def _no_proxy_variables(environ: Mapping[str, str], hosts: Iterable[str]) -> dict[str, str]:
    """The variables that keep a proxy from standing between a job and its gateways, which are at `hosts`."""
    configured = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    value = ",".join(filter(None, (configured, *sorted({"127.0.0.1", "localhost", *hosts}))))
    return {"no_proxy": value, "NO_PROXY": value}


def split_secrets(env: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str]]:
    """Plain variables with their values, and secret ones with the names of their secrets."""
    plain = {k: str(v) for k, v in env.items() if not isinstance(v, SecretRef)}
    return plain, {k: v.name for k, v in env.items() if isinstance(v, SecretRef)}
