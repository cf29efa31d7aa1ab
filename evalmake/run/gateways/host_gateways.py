"""The way of every evaluation to its models: a gateway for each, and a session for each evaluation.

A session is a file beside its gateway: the token that admits the evaluation's job, where its
model is served, and what is done to requests and replies. What the gateway read_usage of the evaluation
lies in the job's folder, and so comes into the record. The key is in the gateway's environment
and nowhere else.
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
from typing import Any
from urllib.parse import urlsplit

from xxhash import xxh3_64_intdigest

from evalmake.gateway.settings import GatewaySettings, SessionSettings
from evalmake.language.values import Duration
from evalmake.planner.digest import Part
from evalmake.planner.graph import Node
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.executor import Executor, Job
from evalmake.project.declarations import Declaration
from evalmake.project.references import find_judge
from evalmake.project.schema import merge_adapters
from evalmake.run.job_builder import GatewayRoute, JobBuilder, split_secrets
from evalmake.servers.spec import GATEWAYS, ServerSpec

USAGE_FOLDERS = {"model": "gateway", "judge": "gateway-judge"}
"""In a job's folder: what was read_usage of its requests, by whom they were for."""
_UNASKED = ("headers", "drop_headers", "plugins")  # of an adapter: they may change headers
_OWN = "EVALMAKE_GATEWAY_"


@dataclass(frozen=True, slots=True)
class Place:
    """A server: its job, its URL from this host, and that from jobs of its executor."""

    id: str
    url: str
    inside: str = ""


At = Mapping[str, list[Place]]
"""Where servers are, by the name of what they serve."""
_PATIENCE = 90.0  # seconds: to take a busy gateway for dead costs a whole evaluation
_PORTS = range(20_000, 30_000)  # below those that kernels give to anybody


@dataclass(frozen=True, slots=True)
class ReplyCacheSettings:
    """Where replies are kept: the folder, its limit in bytes, and caches that are only read."""

    folder: Path
    size: int
    read_only_caches: tuple[str, ...] = ()


class HostGateways:
    """The gateways of a build. `sources` are digests of what answers for each model."""

    def __init__(
        self,
        job_builder: JobBuilder,
        replies: ReplyCacheSettings | None,
        sources: Mapping[str, str],
        not_before: float = 0.0,
        hosts: Iterable[str] = ("127.0.0.1",),
    ) -> None:
        """ReplyCacheSettings from before `not_before`, in seconds since the epoch, are not used.

        `hosts` are this host's host_addresses by which jobs reach it.
        """
        self.hosts = sorted({"127.0.0.1", *hosts})
        self.job_builder = job_builder
        self.replies = replies
        self.sources = sources
        self.not_before = not_before
        self._served: dict[str, ServerSpec] = {}

    def of(self, node: Node) -> tuple[ServerSpec, ...]:
        """The gateways that an evaluation needs, its model's first."""
        return tuple(dict.fromkeys(self._gateway(model) for _, model in self.models(node)))

    def open(self, node: Node, id: str, at: At, host: str) -> dict[str, GatewayRoute]:
        """Let the job `id` ask its models: whom -> its route; OSError where that cannot be written.

        `host` is where the job finds this host.
        """
        if host not in self.hosts:
            raise OSError(f"gateways do not listen on {host}, which was not known as they began")
        routes = {}
        for role, model in self.models(node):
            [place] = at[self._gateway(model).name]
            key, token = session_key(node, role), secrets.token_urlsafe(24)
            session = self.session(node, id, role, model, at, token)
            write_session(self._file(place.id, key), session.to_json())
            routes[role] = GatewayRoute(f"http://{host}:{urlsplit(place.url).port}/t/{key}/v1", token)
        return routes

    def move(self, node: Node, id: str, at: At) -> None:
        """Tell the gateways of the running job `id` where its models are served now."""
        for role, model in self.models(node):
            [place] = at[self._gateway(model).name]
            path = self._file(place.id, session_key(node, role))
            with contextlib.suppress(OSError, ValueError, TypeError):
                token = SessionSettings.read(path).token
                write_session(path, self.session(node, id, role, model, at, token).to_json())

    def session(
        self,
        node: Node,
        id: str,
        role: str,
        model: Declaration,
        at: At,
        token: str,
        inside: bool = False,
    ) -> SessionSettings:
        """An evaluation's use of a model, which its gateway reaches from `inside` an executor or from here."""
        cell, age = node.evaluation, model.block.max_age
        server = model.block.deployment
        ready = self.job_builder.project.deployments[server].block.ready if server else None
        adapters = [model.block.adapter]
        if role == "model":
            adapters += [cell.benchmark.block.adapter, cell.variant.block.adapter]
        adapter = {name: _plain(value) for name, value in merge_adapters(*adapters).items()}
        return SessionSettings(
            token=token,
            upstreams=[one.inside if inside else one.url for one in at[server]] if server else [model.block.endpoint],
            folder=str(self.job_builder.job_folder(id) / USAGE_FOLDERS[role]),
            model=_source(self.sources[model.name], adapter),
            restart_timeout=ready.seconds if ready else 0.0,
            seed=str(cell.seed),
            not_before=self.not_before,
            max_age=age.seconds if age else None,
            adapter=adapter,
        )

    def close(self, node: Node, id: str, jobs: Mapping[str, str]) -> bool:
        """The job `id` is over: its tokens are worth nothing, and all that was read_usage is on disk.

        `jobs` has the job of each server by name. False where a gateway did not live to tell all.
        """
        whole = True
        for role, model in self.models(node):
            gateway = jobs.get(self._gateway(model).name, "")
            path = self._file(gateway, session_key(node, role))
            if (self.job_builder.job_folder(id) / USAGE_FOLDERS[role]).exists():  # it asked something
                whole &= self._closed(gateway, path)
            path.unlink(missing_ok=True)
        return whole

    def _closed(self, gateway: str, path: Path) -> bool:
        try:
            token = SessionSettings.read(path).token
            port = int((self.job_builder.job_folder(gateway) / "port").read_text())
            return _post(port, f"/t/{path.stem}/close", token) == 200
        except (OSError, ValueError, TypeError, http.client.HTTPException):
            return False

    def may_take(self, node: Node, jobs: Mapping[str, str]) -> bool:
        """Whether a job of an earlier build asks as this one would; one that lost its way is told later."""
        for role, model in self.models(node):
            gateway = jobs.get(self._gateway(model).name, "")
            with contextlib.suppress(OSError, ValueError, TypeError):
                session = SessionSettings.read(self._file(gateway, session_key(node, role)))
                if self.not_before and not session.not_before:
                    return False
        return True

    def tokens(self, node: Node, jobs: Mapping[str, str]) -> tuple[str, ...]:
        """The tokens of a job that an earlier build began."""
        found = []
        for role, model in self.models(node):
            gateway = jobs.get(self._gateway(model).name, "")
            with contextlib.suppress(OSError, ValueError, TypeError):
                found.append(SessionSettings.read(self._file(gateway, session_key(node, role))).token)
        return tuple(found)

    def models(self, node: Node) -> list[tuple[str, Declaration]]:
        """Whom an evaluation asks: its model, and the model that judges."""
        judge = find_judge(self.job_builder.project, node.evaluation.benchmark)
        return [("model", node.evaluation.model), *([("judge", judge)] if judge else [])]

    def _file(self, gateway: str, key: str) -> Path:
        return self.job_builder.job_folder(gateway) / "sessions" / f"{key}.json"

    def _gateway(self, model: Declaration) -> ServerSpec:
        if model.name not in self._served:
            self._served[model.name] = self._serve(model)
        return self._served[model.name]

    def settings(self, model: Declaration, role: str = "model") -> tuple[GatewaySettings, dict[str, str]]:
        """What the gateway of a model is told, but for its sessions; and its secrets by their variables."""
        block, cache = model.block, self.replies
        mark = "" if role == "model" else f"{role.upper()}_"
        plain, hidden = split_secrets(block.headers)
        variables = {name: f"{_OWN}{mark}HEADER_{at}" for at, name in enumerate(hidden, 1)}
        names = {variables[name]: secret for name, secret in hidden.items()}
        server = self.job_builder.project.deployments[block.deployment] if block.deployment else None
        key = block.api_key.name if block.api_key else ""
        key = key or (self.job_builder.server_key_name(server.block.executor) if server else "")
        names |= {f"{_OWN}{mark}KEY": key} if key else {}
        told = GatewaySettings(
            sessions="",
            cache=str(cache.folder.absolute()) if cache else None,
            cache_size=cache.size if cache else 0,
            read_only_caches=list(cache.read_only_caches) if cache else [],
            rate=block.rate,
            concurrency=block.concurrency,
            key_variable=f"{_OWN}{mark}KEY" if key else None,
            headers=plain,
            secret_headers=variables,
        )
        return told, names

    def _serve(self, model: Declaration) -> ServerSpec:
        settings, names = self.settings(model)
        place = f"{self.job_builder.root.absolute()}\0{model.name}".encode()
        port = stable_port(place)
        argv = ["{python}", "-P", "-m", "evalmake.gateway", "settings.json", "--port-file", "port"]
        argv += ["--port", str(port), *(word for host in self.hosts for word in ("--host", host))]
        service = ServerCommand(tuple(argv), base="")

        def job(id: str) -> Job:
            folder = self.job_builder.job_folder(id)
            own = replace(settings, sessions=str(folder / "sessions"))
            files = {"settings.json": own.to_json(), "sessions/.keep": ""}
            return Job(id, f"gateway of {model.name}", service.argv, folder, files, secrets=names)

        what = {"settings": json.loads(settings.to_json()), "secrets": names, "argv": argv}
        return ServerSpec(
            f"gateway {model.name}",
            f"gateway {model.name}",
            f"the gateway of model {model.name}",
            "gateway",
            Part.of(what).digest,
            GATEWAYS,
            service,
            60.0,
            model,
            job,
        )


def stable_port(what: bytes) -> int:
    """The port that a gateway has if it is free: harnesses write down the URL."""
    return _PORTS[xxh3_64_intdigest(what) % len(_PORTS)]


def host_addresses(executors: Iterable[Executor]) -> set[str]:
    """Where jobs find this host; an executor that is out of reach cannot say."""
    found = set()
    for executor in executors:
        with contextlib.suppress(OSError):
            found.add(executor.host_address())
    return found


def read_usage(folder: Path, role: str = "model") -> dict[str, Any]:
    """The sums of what a job in `folder` asked so far; empty where it asked nothing."""
    try:
        found = json.loads((folder / USAGE_FOLDERS[role] / "usage.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def session_key(node: Node, role: str) -> str:
    """A session's name: the same whenever the same is evaluated, as harnesses write it down."""
    own = node.action.digest.rpartition(":")[2][:12]
    return own if role == "model" else f"{own}-{role}"


def _source(model: str, adapter: Mapping[str, Any]) -> str:
    """Who answers: headers are no part of the requests by which replies are known."""
    headers = {key: adapter[key] for key in _UNASKED if key in adapter}
    return Part.of({"model": model, **headers}).digest if headers else model


def _plain(value: Any) -> Any:
    """A setting as JSON has it."""
    if isinstance(value, Duration):
        return value.seconds
    return list(value) if isinstance(value, tuple) else value


def write_session(path: Path, text: str) -> None:
    """Write a session where only its owner reads, whole or not at all."""
    unfinished = path.with_suffix(".tmp")
    with open(unfinished, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    unfinished.replace(path)


def _post(port: int, path: str, token: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("POST", path, headers={"Authorization": f"Bearer {token}"})
        reply = connection.getresponse()
        reply.read()
        return reply.status
    finally:
        connection.close()
