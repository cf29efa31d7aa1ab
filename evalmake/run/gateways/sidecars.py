"""Sidecars: gateways that run next to a job on its node, where no gateway of this host can be reached.

The job's folder holds their settings and takes their usage. A sidecar caches replies there, too, because
nodes cannot share a database; they move to the reply cache when the job is over. A sidecar reads the
reply cache itself, or, where nodes do not see this host's files, the replies that were gathered there.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from evalmake.gateway.settings import GatewaySettings, SessionSettings
from evalmake.gateway.sidecar.settings import SidecarGateway, gateways_to_json
from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.graph import Node
from evalmake.plugin_api.executor import Job, Sidecar
from evalmake.run.gateways.host_gateways import HostGateways
from evalmake.run.gateways.sessions import USAGE_FOLDERS, read_tokens, session_key, stable_port, write_session
from evalmake.run.job_builder import GatewayRoute, JobBuilder
from evalmake.servers.addresses import ServerAddresses

_REPLIES = "replies"
_URL_VARIABLES = {role: f"EVALMAKE_{role.upper()}_URL" for role in USAGE_FOLDERS}


class SidecarGateways:
    """Attaches sidecars to jobs."""

    def __init__(self, gateways: HostGateways, job_builder: JobBuilder) -> None:
        self._gateways = gateways
        self._job_builder = job_builder

    def create_routes(self, node: Node) -> dict[str, GatewayRoute]:
        """A job's routes with new tokens; the sidecar chooses its port on the node and sets the URL there."""
        models = self._gateways.models_of(node)
        return {role: GatewayRoute("http://127.0.0.1", secrets.token_urlsafe(24)) for role, _ in models}

    def attach(
        self,
        job: Job,
        node: Node,
        addresses: ServerAddresses,
        routes: Mapping[str, GatewayRoute],
        shares_files: bool,
        cells: int,
    ) -> Job:
        """The job with its sidecar. `shares_files`: nodes see this host's files; `cells`: how many jobs there are.

        A model's rate and concurrency are divided among the jobs that may run at once.
        """
        files, gateways, variables = dict(job.files), [], dict(job.secrets)
        for role, model in self._gateways.models_of(node):
            key, token = session_key(node, role), routes[role].token
            session = self._gateways.sessions.build_session(node, job.id, role, model, addresses, token, True)
            settings, secret_names = self._gateways.gateway_settings(model, role)
            folder = job.workdir / f"sidecar-{role}"
            jobs_at_once = min(cells, *(job.limits.get(name, cells) for name in ("", model.name)))
            settings = _adapt_settings(settings, job.workdir, folder, shares_files, jobs_at_once)
            files[f"sidecar-{role}/settings.json"] = settings.to_json()
            files[f"sidecar-{role}/{key}.json"] = session.to_json()
            variables |= secret_names
            port, url_variable = stable_port(key.encode()), _URL_VARIABLES[role]
            gateways.append(
                SidecarGateway(str(folder / "settings.json"), key, port, url_variable, tuple(secret_names)),
            )
        files["sidecar.json"] = gateways_to_json(gateways)
        return replace(
            job,
            env={name: value for name, value in job.env.items() if name not in _URL_VARIABLES.values()},
            files=files,
            secrets=variables,
            sidecar=Sidecar(
                ("{python}", "-P", "-m", "evalmake.gateway.sidecar", str(job.workdir / "sidecar.json")),
                tuple(one.variable for one in gateways),
                tuple(name for one in gateways for name in one.secrets),
            ),
            host_ports=(),
        )

    def concurrency_limits(self, node: Node, cells: int, slots: int | None) -> dict[str, int]:
        """How many jobs may run at once: of all, under "", and by model of those that use it.

        A model's limit comes from its `concurrency` and `rate`, so that each job gets a share of at least one.
        """
        limits = {"": slots} if slots else {}
        for _, model in self._gateways.models_of(node):
            bounds = [model.block.concurrency] if model.block.concurrency else []
            bounds += [int(model.block.rate.partition("/")[0])] if model.block.rate else []
            limits |= {model.name: min(bounds)} if bounds else {}
        return {name: limit for name, limit in limits.items() if limit < cells}

    def update_addresses(self, node: Node, job_id: str, addresses: ServerAddresses) -> dict[str, str]:
        """Write the sessions of a running job anew, with where its models are now; the files that changed."""
        changed = {}
        for role, model in self._gateways.models_of(node):
            path = self._session_file(job_id, node, role)
            with contextlib.suppress(OSError, ValueError, TypeError):
                token = SessionSettings.read(path).token
                session = self._gateways.sessions.build_session(node, job_id, role, model, addresses, token, True)
                write_session(path, session.to_json())
                changed[str(path.relative_to(self._job_builder.job_folder(job_id)))] = session.to_json()
        return changed

    def collect_replies(self, job_id: str) -> str:
        """Move what a job's sidecar has cached to the reply cache; why that failed, or ""."""
        from evalmake.gateway.reply_cache.maintenance import export_replies, summarize_cache

        job_cache, cache = self._job_builder.job_folder(job_id) / _REPLIES, self._gateways.cache
        if cache is None:
            return ""
        found = summarize_cache(job_cache)
        if not (found.replies or found.trouble):
            return ""
        try:
            export_replies(job_cache, cache.folder)
        except EvalmakeError as error:
            return error.diagnostics[0].message
        return ""

    def can_recover(self, node: Node, job_id: str) -> bool:
        """Whether a job of an earlier build may use the same replies as one of this build."""
        files = [self._session_file(job_id, node, role) for role, _ in self._gateways.models_of(node)]
        return self._gateways.sessions.match(node, files)

    def session_tokens(self, node: Node, job_id: str) -> tuple[str, ...]:
        """The tokens of a job that an earlier build submitted."""
        return read_tokens([self._session_file(job_id, node, role) for role in USAGE_FOLDERS])

    def _session_file(self, job_id: str, node: Node, role: str) -> Path:
        return self._job_builder.job_folder(job_id) / f"sidecar-{role}" / f"{session_key(node, role)}.json"


def _adapt_settings(
    settings: GatewaySettings, workdir: Path, sessions: Path, shares_files: bool, jobs_at_once: int
) -> GatewaySettings:
    """Settings for the sidecar of one of so many jobs: its share of the limits, and a cache of its own."""
    read_only = [settings.cache, *settings.read_only_caches] if shares_files else [f"{workdir}/../{_REPLIES}"]
    rate = settings.rate
    if rate:
        count, _, unit = rate.partition("/")
        rate = f"{max(1, int(count) // jobs_at_once)}/{unit}"
    return replace(
        settings,
        sessions=str(sessions),
        cache=str(workdir / _REPLIES) if settings.cache else None,
        read_only_caches=[folder for folder in read_only if folder] if settings.cache else [],
        rate=rate,
        concurrency=settings.concurrency and max(1, settings.concurrency // jobs_at_once),
    )
