"""Gateways on this host: one for each model, shared by all jobs that send requests to it.

A model's key is in its gateway's memory and nowhere else: not in an environment, which all of a user's processes may
read.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from evalmake.gateway.secret_input import NONCE_HEADER, PROOF_HEADER, SECRETS_PATH, prove_secrets
from evalmake.gateway.settings import CLOSED, GatewaySettings, SessionSettings
from evalmake.planner.digest import Part
from evalmake.planner.graph import Node
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.executor import Executor, Job
from evalmake.project.declarations import Declaration
from evalmake.run.gateways.certificates import read_certificates
from evalmake.run.gateways.sessions import (
    USAGE_FOLDERS,
    SessionBuilder,
    models_of,
    read_tokens,
    session_key,
    stable_port,
    write_session,
)
from evalmake.run.job_builder import GatewayRoute, JobBuilder, split_secrets
from evalmake.servers.addresses import ServerAddresses
from evalmake.servers.spec import GATEWAYS, ServerSpec

_VARIABLES = "EVALMAKE_GATEWAY_"
_START_TIMEOUT = 60.0  # seconds
_PROOF_TIMEOUT = 20.0
_CLOSE_TIMEOUT = 90.0  # seconds: a busy gateway that counts as dead costs a whole evaluation


@dataclass(frozen=True, slots=True)
class ReplyCacheSettings:
    """The reply cache: its folder, its limit in bytes, and caches that are only read."""

    folder: Path
    size: int
    read_only_caches: tuple[str, ...] = ()
    shared: bool = False


class HostGateways:
    """The gateways of a build."""

    def __init__(
        self,
        job_builder: JobBuilder,
        cache: ReplyCacheSettings | None,
        model_digests: Mapping[str, str],
        oldest_replies: Mapping[str, float] = MappingProxyType({}),
        hosts: Iterable[str] = ("127.0.0.1",),
    ) -> None:
        """`model_digests` and `oldest_replies`: see `SessionBuilder`. `hosts`: this host's addresses for jobs."""
        self.job_builder = job_builder
        self.cache = cache
        self.sessions = SessionBuilder(job_builder, model_digests, oldest_replies)
        self._hosts = sorted({"127.0.0.1", *hosts})
        self._specs: dict[str, ServerSpec] = {}

    def specs_for(self, node: Node) -> tuple[ServerSpec, ...]:
        """The gateways that an evaluation needs, its model's first."""
        return tuple(dict.fromkeys(self._spec(model) for _, model in self.models_of(node)))

    def models_of(self, node: Node) -> list[tuple[str, Declaration]]:
        """The models that an evaluation sends requests to, by role."""
        return models_of(self.job_builder.project, node)

    # Sessions -----------------------------------------------------------------------------------

    def open_sessions(self, node: Node, job_id: str, addresses: ServerAddresses, host: str) -> dict[str, GatewayRoute]:
        """Admit a job to its models; by role, the route. OSError where a session cannot be written.

        `host` is the address by which the job reaches this host.
        """
        if host not in self._hosts:
            raise OSError(f"gateways do not listen on {host}, which was not known when they started")
        routes = {}
        for role, model in self.models_of(node):
            [gateway] = addresses[self._spec(model).name]
            key, token = session_key(node, role), secrets.token_urlsafe(24)
            session = self.sessions.build_session(node, job_id, role, model, addresses, token)
            write_session(self._session_file(gateway.job_id, key), session.to_json())
            routes[role] = GatewayRoute(f"http://{host}:{urlsplit(gateway.url).port}/t/{key}/v1", token)
        return routes

    def update_addresses(self, node: Node, job_id: str, addresses: ServerAddresses) -> None:
        """Tell the gateways of a running job where its models are now."""
        for role, model in self.models_of(node):
            [gateway] = addresses[self._spec(model).name]
            path = self._session_file(gateway.job_id, session_key(node, role))
            with contextlib.suppress(OSError, ValueError, TypeError):
                token = SessionSettings.read(path).token
                session = self.sessions.build_session(node, job_id, role, model, addresses, token)
                write_session(path, session.to_json())

    def close_sessions(self, node: Node, job_id: str, server_jobs: Mapping[str, str]) -> bool:
        """End a job's sessions: its tokens are worthless then, and its usage is on disk.

        `server_jobs` has the job of each gateway. False where a gateway died before it wrote the usage. A build that
        was killed may have closed them already.
        """
        complete = True
        folder = self.job_builder.job_folder(job_id)
        for role, path in self._session_files(node, server_jobs).items():
            usage = folder / USAGE_FOLDERS[role]
            if usage.exists():  # the job has sent a request
                complete &= self._close_session(path) or (usage / CLOSED).exists()
            path.unlink(missing_ok=True)
        return complete

    def _close_session(self, path: Path) -> bool:
        gateway_folder = path.parent.parent
        try:
            token = SessionSettings.read(path).token
            port = int((gateway_folder / "port").read_text())
            headers = {"Authorization": f"Bearer {token}"}
            return _request("POST", port, f"/t/{path.stem}/close", headers, _CLOSE_TIMEOUT) == 200
        except (OSError, ValueError, TypeError, http.client.HTTPException):
            return False

    def can_recover(self, node: Node, server_jobs: Mapping[str, str]) -> bool:
        """Whether a job of an earlier build may use the same replies as one of this build."""
        return self.sessions.match(node, self._session_files(node, server_jobs).values())

    def session_tokens(self, node: Node, server_jobs: Mapping[str, str]) -> tuple[str, ...]:
        """The tokens of a job that an earlier build submitted."""
        return read_tokens(list(self._session_files(node, server_jobs).values()))

    def _session_files(self, node: Node, server_jobs: Mapping[str, str]) -> dict[str, Path]:
        return {
            role: self._session_file(server_jobs.get(self._spec(model).name, ""), session_key(node, role))
            for role, model in self.models_of(node)
        }

    def _session_file(self, gateway_job: str, key: str) -> Path:
        return self.job_builder.job_folder(gateway_job) / "sessions" / f"{key}.json"

    # The gateway of a model ---------------------------------------------------------------------

    def gateway_settings(self, model: Declaration, role: str = "model") -> tuple[GatewaySettings, dict[str, str]]:
        """The settings of a model's gateway, without its sessions; and by variable, the names of its secrets."""
        block, cache = model.block, self.cache
        prefix = _VARIABLES if role == "model" else f"{_VARIABLES}{role.upper()}_"
        plain, secret = split_secrets(block.headers)
        header_variables = {name: f"{prefix}HEADER_{number}" for number, name in enumerate(secret, 1)}
        variables = {header_variables[name]: secret_name for name, secret_name in secret.items()}
        key_name = self._key_name(model)
        if key_name:
            variables[f"{prefix}KEY"] = key_name
        settings = GatewaySettings(
            sessions="",
            cache=str(cache.folder.absolute()) if cache else None,
            cache_size=cache.size if cache else 0,
            cache_shared=cache.shared if cache else False,
            read_only_caches=list(cache.read_only_caches) if cache else [],
            rate=block.rate,
            concurrency=block.concurrency,
            ca=read_certificates(model, self.job_builder.root.parent),
            verify=block.verify,
            own_servers=bool(block.deployment),
            key_variable=f"{prefix}KEY" if key_name else None,
            headers=plain,
            secret_headers=header_variables,
        )
        return settings, variables

    def _key_name(self, model: Declaration) -> str:
        """The name of the secret that the model's server asks for; empty where it asks for none."""
        if model.block.api_key:
            name: str = model.block.api_key.name
            return name
        if not model.block.deployment:
            return ""
        deployment = self.job_builder.project.deployments[model.block.deployment]
        return self.job_builder.server_key_name(deployment.block.executor)

    def _spec(self, model: Declaration) -> ServerSpec:
        if model.name not in self._specs:
            self._specs[model.name] = self._build_spec(model)
        return self._specs[model.name]

    def _build_spec(self, model: Declaration) -> ServerSpec:
        settings, variables = self.gateway_settings(model)
        port = stable_port(f"{self.job_builder.root.absolute()}\0{model.name}".encode())
        argv = ["{python}", "-P", "-m", "evalmake.gateway", "--secrets-from-input", "--port-file", "port"]
        argv += ["--port", str(port), *(word for host in self._hosts for word in ("--host", host))]
        command = ServerCommand(tuple(argv), base="")

        def build_job(id: str) -> Job:
            folder = self.job_builder.job_folder(id)
            with_sessions = replace(settings, sessions=str(folder / "sessions"))
            files = {"settings.json": with_sessions.to_json(), "sessions/.keep": ""}
            words = (*command.argv, os.path.realpath(folder / "settings.json"))  # where the process executor looks
            name = f"gateway of {model.name}"
            return Job(id, name, words, folder, files, secrets=variables, secrets_from_input=True)

        identity = {"settings": json.loads(settings.to_json()), "secrets": variables, "argv": argv}
        name = f"gateway {model.name}"
        return ServerSpec(
            name=name,
            group=name,
            title=f"the gateway of model {model.name}",
            kind="gateway",
            action=Part.of(identity).digest,
            executor=GATEWAYS,
            command=command,
            ready=_START_TIMEOUT,
            declaration=model,
            build_job=build_job,
        )


def has_secrets(gateway_folder: Path, values: Mapping[str, str]) -> bool:
    """Whether the gateway that runs in a folder has just these secrets."""
    nonce = secrets.token_hex(16)
    headers = {NONCE_HEADER: nonce, PROOF_HEADER: prove_secrets(values, nonce)}
    try:
        port = int((gateway_folder / "port").read_text())
        return _request("GET", port, SECRETS_PATH, headers, _PROOF_TIMEOUT) == 204
    except (OSError, ValueError, http.client.HTTPException):
        return False


def host_addresses(executors: Iterable[Executor]) -> set[str]:
    """The addresses by which jobs reach this host; an executor that is unreachable adds none."""
    found = set()
    for executor in executors:
        with contextlib.suppress(OSError):
            found.add(executor.host_address())
    return found


def _request(method: str, port: int, path: str, headers: Mapping[str, str], timeout: float) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, headers=dict(headers))
        reply = connection.getresponse()
        reply.read()
        return reply.status
    finally:
        connection.close()
