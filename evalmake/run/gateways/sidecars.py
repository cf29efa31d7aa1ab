"""HostGateways that ride with a job: where it runs, none of this host can be reached.

The job's folder has all that they are told and takes all that they note. What they were answered they
keep there, too, as a database is not shared by nodes; it comes to the other replies when the job is
over. Those they read: the workspace's own, or where nodes do not see these, what was gathered there.
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
from evalmake.run.gateways.host_gateways import USAGE_FOLDERS, At, HostGateways, session_key, stable_port, write_session
from evalmake.run.job_builder import GatewayRoute, JobBuilder

_REPLIES = "replies"
_URLS = {"model": "EVALMAKE_MODEL_URL", "judge": "EVALMAKE_JUDGE_URL"}


class SidecarGateways:
    """The gateways of jobs that bring theirs; `near`: the nodes see this host's files."""

    def __init__(self, gateways: HostGateways, job_builder: JobBuilder) -> None:
        self.gateways = gateways
        self.job_builder = job_builder

    def routes(self, node: Node) -> dict[str, GatewayRoute]:
        """The ways of a job to its models; where they lead is known where it runs."""
        return {
            role: GatewayRoute("http://127.0.0.1", secrets.token_urlsafe(24)) for role, _ in self.gateways.models(node)
        }

    def accompany(
        self,
        job: Job,
        node: Node,
        at: At,
        routes: Mapping[str, GatewayRoute],
        near: bool,
        cells: int,
    ) -> Job:
        """The job with its gateways: so many as may run of all `cells` share what a model allows."""
        files, ways, names = dict(job.files), [], dict(job.secrets)
        for role, model in self.gateways.models(node):
            key, token = session_key(node, role), routes[role].token
            session = self.gateways.session(node, job.id, role, model, at, token, True)
            told, own = self.gateways.settings(model, role)
            folder = job.workdir / f"sidecar-{role}"
            at_once = min(cells, *(job.limits.get(name, cells) for name in ("", model.name)))
            told = self._placed(told, job.workdir, folder, near, at_once)
            files[f"sidecar-{role}/settings.json"] = told.to_json()
            files[f"sidecar-{role}/{key}.json"] = session.to_json()
            names |= own
            ways.append(
                SidecarGateway(str(folder / "settings.json"), key, stable_port(key.encode()), _URLS[role], tuple(own))
            )
        files["sidecar.json"] = gateways_to_json(ways)
        env = {name: value for name, value in job.env.items() if name not in _URLS.values()}
        hidden = tuple(name for way in ways for name in way.secrets)
        argv = ("{python}", "-P", "-m", "evalmake.gateway.sidecar", str(job.workdir / "sidecar.json"))
        variables = tuple(way.variable for way in ways)
        return replace(
            job,
            env=env,
            files=files,
            secrets=names,
            sidecar=Sidecar(argv, variables, hidden),
            host_ports=(),
        )

    def _placed(
        self, told: GatewaySettings, workdir: Path, sessions: Path, near: bool, at_once: int
    ) -> GatewaySettings:
        """Settings for one job of `at_once`: its share of the rate, and a cache of its own."""
        caches = [told.cache, *told.read_only_caches] if near else [f"{workdir}/../{_REPLIES}"]
        rate = told.rate
        if rate:
            count, _, unit = rate.partition("/")
            rate = f"{max(1, int(count) // at_once)}/{unit}"
        return replace(
            told,
            sessions=str(sessions),
            cache=str(workdir / _REPLIES) if told.cache else None,
            read_only_caches=[folder for folder in caches if folder] if told.cache else [],
            rate=rate,
            concurrency=told.concurrency and max(1, told.concurrency // at_once),
        )

    def limits(self, node: Node, cells: int, slots: int | None) -> dict[str, int]:
        """How many jobs may run at once of all `cells`, under "", and of those that ask each model.

        So each job has a share of what its models allow.
        """
        found = {"": slots} if slots else {}
        for _, model in self.gateways.models(node):
            bounds = [model.block.concurrency] if model.block.concurrency else []
            bounds += [int(model.block.rate.partition("/")[0])] if model.block.rate else []
            found |= {model.name: min(bounds)} if bounds else {}
        return {name: limit for name, limit in found.items() if limit < cells}

    def move(self, node: Node, id: str, at: At) -> dict[str, str]:
        """Tell the gateways of a running job where its models are served now; the files that say so."""
        told = {}
        for role, model in self.gateways.models(node):
            path = self._file(id, node, role)
            with contextlib.suppress(OSError, ValueError, TypeError):
                token = SessionSettings.read(path).token
                session = self.gateways.session(node, id, role, model, at, token, True)
                write_session(path, session.to_json())
                told[str(path.relative_to(self.job_builder.job_folder(id)))] = session.to_json()
        return told

    def close(self, id: str) -> str:
        """The job is over: what it was answered comes to the other replies; what was wrong with that."""
        from evalmake.gateway.reply_cache.maintenance import export_replies, summarize_cache

        own, kept = self.job_builder.job_folder(id) / _REPLIES, self.gateways.replies
        if kept is None:
            return ""
        held = summarize_cache(own)
        if not (held.replies or held.trouble):
            return ""
        try:
            export_replies(own, kept.folder)
        except EvalmakeError as error:
            return error.diagnostics[0].message
        return ""

    def may_take(self, node: Node, id: str) -> bool:
        """Whether a job of an earlier build asks as this one would."""
        for role, _ in self.gateways.models(node):
            with contextlib.suppress(OSError, ValueError, TypeError):
                session = SessionSettings.read(self._file(id, node, role))
                if self.gateways.not_before and not session.not_before:
                    return False
        return True

    def tokens(self, node: Node, id: str) -> tuple[str, ...]:
        """The tokens of a job that an earlier build began."""
        found = []
        for role in USAGE_FOLDERS:
            with contextlib.suppress(OSError, ValueError, TypeError):
                found.append(SessionSettings.read(self._file(id, node, role)).token)
        return tuple(found)

    def _file(self, id: str, node: Node, role: str) -> Path:
        return self.job_builder.job_folder(id) / f"sidecar-{role}" / f"{session_key(node, role)}.json"
