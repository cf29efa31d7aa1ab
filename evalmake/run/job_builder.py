"""A node to a job: what the harness is told of the model, and verified copies of its inputs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evalmake.language.diagnostic import make_error
from evalmake.language.file_hashes import FileHashes, hash_file
from evalmake.language.values import File, Files, SecretRef
from evalmake.planner.graph import Node
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.executor import Capabilities, Job
from evalmake.preflight.graph_checks import image_of, shares_allocations
from evalmake.project.declarations import Declaration
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.project import Project
from evalmake.project.references import find_judge
from evalmake.project.schema import Resources
from evalmake.run.environments.environments import Environment
from evalmake.servers.command import placed, ported
from evalmake.servers.spec import ServerSpec, replicas


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """A job's way to a model: the base URL, and the token that it asks with."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class JobBuilder:
    """Where jobs stand: `root` is the workspace's `.evalmake`."""

    project: Project
    plugins: PluginRegistry
    root: Path
    environment_of: Callable[[Declaration], Environment | None] = lambda declared: None
    hashes: FileHashes = field(default_factory=FileHashes)

    def job_folder(self, id: str) -> Path:
        """A job's own folder."""
        return self.root / "work" / id

    def slots(self, executor: str) -> int:
        """How many jobs an executor has at a time."""
        declared: int | None = self.project.executors[executor].block.slots
        return declared or os.cpu_count() or 1

    def build_evaluation_job(self, node: Node, id: str, routes: Mapping[str, GatewayRoute]) -> Job:
        """The job of an evaluation; `routes` are its ways to its model and to its judge."""
        cell, block = node.evaluation, node.evaluation.variant.block
        harness = self.plugins.get("harnesses", cell.benchmark.block.harness)()
        command = harness.command(cell)
        workdir = self.job_folder(id)
        env = {**command.env, **self.model_variables(cell.model, routes["model"], "EVALMAKE_MODEL")}
        env |= {
            "EVALMAKE_SEED": str(cell.seed),
            "EVALMAKE_LIMIT": "" if cell.limit is None else str(cell.limit),
            "EVALMAKE_PARAMS": json.dumps(cell.params),
            "EVALMAKE_OUT": str(workdir / "out"),
            "EVALMAKE_PROGRESS": str(workdir / "progress.json"),
        }
        env["EVALMAKE_API_KEY"] = routes["model"].token
        if cell.model.block.concurrency:
            env["EVALMAKE_CONCURRENCY"] = str(cell.model.block.concurrency)
        if (judge := find_judge(self.project, cell.benchmark)) is not None:
            env |= self.model_variables(judge, routes["judge"], "EVALMAKE_JUDGE")
            env["EVALMAKE_JUDGE_API_KEY"] = routes["judge"].token
        hosts = {urlsplit(route.url).hostname or "" for route in routes.values()}
        env |= _past_proxies(os.environ, hosts)
        files = dict(command.files)
        executor = self.project.executors[block.executor]
        plain, hidden = split_secrets(executor.block.env)
        argv = command.argv
        if (environment := self.environment_of(cell.benchmark)) is not None:
            files["out/packages.txt"] = environment.text
            env |= environment.variables(plain.get("PATH"))
            if getattr(harness, "program", None) is not None:
                argv = tuple(str(environment.python) if w == "{python}" else w for w in argv)
        inputs = self._inputs(command.inputs, cell.benchmark)
        return Job(
            id,
            node.name,
            argv,
            workdir,
            files,
            inputs,
            {**plain, **env},
            hidden,
            image_of(cell.benchmark, executor),
            None,
            block.timeout.seconds,
            host_ports=tuple(port for r in routes.values() if (port := urlsplit(r.url).port)),
            **_room(block.resources),
        )

    def server_specs(self, name: str, action: str) -> tuple[ServerSpec, ...]:
        """The servers of a deployment, each like the others; `action` is the digest of what they are."""
        declared = self.project.deployments[name]
        block = declared.block
        service = self.server_command(declared)
        plain, hidden = split_secrets(block.env)
        capabilities, executor = self._capabilities(block.executor), self.project.executors[block.executor]
        colocation_slots = (executor.block.slots or 0) if shares_allocations(executor) else None
        of_executor = split_secrets(executor.block.env)
        env = {**of_executor[0], **plain}
        if (environment := self.environment_of(declared)) is not None:
            env |= environment.variables(env.get("PATH"))

        def job(id: str) -> Job:
            mine = ported(service)
            for mount in mine.mounts.values():
                if mount.writable:
                    mount.source.mkdir(parents=True, exist_ok=True)
            return Job(
                id,
                name,
                mine.argv,
                self.job_folder(id),
                mine.files,
                {},
                {**env, **mine.env},
                {**of_executor[1], **hidden},
                block.image,
                mine.port,
                mounts=mine.mounts if block.image else {},
                **_room(block.resources),
                replicas=block.replicas if capabilities.replicas else 1,
                colocation_slots=colocation_slots,
                multi_node_launcher=service.multi_node_launcher,
            )

        return tuple(
            ServerSpec(
                one,
                name,
                title,
                "serve",
                action,
                block.executor,
                service,
                block.ready.seconds,
                declared,
                job,
                block.resources.gpus or 0,
                self.server_key_name(block.executor),
            )
            for one, title in replicas(declared, capabilities).items()
        )

    def server_command(self, deployment: Declaration) -> ServerCommand:
        """How a deployment is served on its executor."""
        block = deployment.block
        service: ServerCommand = self.plugins.get("engines", deployment.plugin)().serve(deployment)
        if block.health:
            service = replace(service, health=block.health)
        return placed(service, bool(block.image), self._capabilities(block.executor))

    def server_key_name(self, executor: str) -> str:
        """The name of the secret that servers of an executor ask of those who use them, if they do."""
        key = getattr(self.project.executors[executor].settings, "key", None)
        return key.name if isinstance(key, SecretRef) else ""

    def _capabilities(self, executor: str) -> Capabilities:
        plugin = self.project.executors[executor].plugin
        capabilities: Capabilities = self.plugins.get("executors", plugin).capabilities
        return capabilities

    def model_variables(self, model: Declaration, route: GatewayRoute, prefix: str) -> dict[str, str]:
        """What a harness is told of a model: where it is, by what name, and its kind of API."""
        block, name = model.block, model.block.name
        if not name and block.deployment:
            name = self.server_command(self.project.deployments[block.deployment]).model or block.deployment
        return {f"{prefix}_URL": route.url, f"{prefix}_NAME": name, f"{prefix}_API": block.api}

    def _inputs(self, inputs: Mapping[str, Path], benchmark: Declaration) -> dict[str, Path]:
        known = {file.path: file for file in input_files(benchmark)}
        return {name: self._copy(known[path]) for name, path in inputs.items()}

    def _copy(self, file: File) -> Path:
        """A copy of an input that is what was planned, whatever happens to the original."""
        kept = self.root / "inputs" / file.sha256
        if kept.exists() and self.hashes.of(kept) == file.sha256:
            return kept
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_suffix(f".{os.getpid()}")
        shutil.copyfile(file.path, temporary)
        if hash_file(temporary) != file.sha256:
            temporary.unlink()
            raise make_error(
                "input-changed",
                f"{file.path} changed while evalmake was planning",
                help=["run again: the plan will follow the new content"],
            )
        temporary.chmod(0o444)
        os.replace(temporary, kept)
        return kept


def _room(resources: Resources) -> dict[str, Any]:
    """What a job may take."""
    memory = resources.memory.bytes if resources.memory else None
    return {"cpus": resources.cpus, "memory": memory, "gpus": resources.gpus}


def _past_proxies(environ: Mapping[str, str], hosts: Iterable[str]) -> dict[str, str]:
    """Gateways are at `hosts`: no proxy that a job may use stands before them."""
    told = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    here = ",".join(filter(None, (told, *sorted({"127.0.0.1", "localhost", *hosts}))))
    return {"no_proxy": here, "NO_PROXY": here}


def input_files(benchmark: Declaration) -> list[File]:
    """Every input file that a benchmark names."""
    found: list[File] = []
    for block in (benchmark.block, benchmark.settings):
        for key in type(block).model_fields if block is not None else ():
            value = getattr(block, key)
            if isinstance(value, Files):
                found += value.files
    return found


def split_secrets(env: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str]]:
    """Plain variables with their values, and secret ones with the secrets' names."""
    plain = {k: str(v) for k, v in env.items() if not isinstance(v, SecretRef)}
    return plain, {k: v.name for k, v in env.items() if isinstance(v, SecretRef)}
