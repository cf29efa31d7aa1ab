"""The session files that admit a job to a gateway, and the usage that the gateway notes for the job.

A session is a file in the gateway's folder. It holds the job's token, the model's addresses, and what is
done to requests and replies. The usage lies in the job's folder, and so becomes part of its record.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xxhash import xxh3_64_intdigest

from evalmake.gateway.settings import SessionSettings
from evalmake.language.file_tree import read_plain_file
from evalmake.language.values import Duration, Size
from evalmake.planner.digest import Part
from evalmake.planner.graph import Node
from evalmake.plugin_api.harness import RenamesJudge, RepeatsSamples, find_seed_step
from evalmake.project.adapter import merge_adapters
from evalmake.project.declarations import Declaration
from evalmake.project.matrix import Evaluation
from evalmake.project.project import Project
from evalmake.project.references import find_further_models
from evalmake.project.request_parameters import find_gateway_parameters
from evalmake.run.job_builder import JobBuilder
from evalmake.servers.addresses import ServerAddresses

USAGE_FOLDERS = {"model": "gateway", "judge": "gateway-judge", "embedder": "gateway-embedder"}
"""By role: the folder, in a job's own, of what the gateway of that model noted."""
_LARGEST_USAGE = 2**24  # bytes
_HEADER_KEYS = ("headers", "drop_headers", "plugins")  # the keys of an adapter that may change headers
_PORTS = range(20_000, 30_000)  # below the ports that kernels give to outgoing connections


@dataclass(frozen=True, slots=True)
class SessionBuilder:
    """Builds sessions. `model_digests`: by model, the digest of what answers for it.

    `oldest_replies`: by action, from when on cached replies may be used, in seconds since the epoch.
    """

    job_builder: JobBuilder
    model_digests: Mapping[str, str]
    oldest_replies: Mapping[str, float]

    def build_session(
        self,
        node: Node,
        job_id: str,
        role: str,
        model: Declaration,
        addresses: ServerAddresses,
        token: str,
        from_jobs: bool = False,
    ) -> SessionSettings:
        """A job's session with the gateway of a model.

        With `from_jobs`, the gateway runs on the executor and reaches the model as its jobs do.
        """
        cell, max_age = node.evaluation, model.block.max_age
        deployment = model.block.deployment
        ready = self.job_builder.project.deployments[deployment].block.ready if deployment else None
        adapters = [model.block.adapter]
        if role == "model":
            adapters += [cell.benchmark.block.adapter, cell.variant.block.adapter]
        merged = merge_adapters(*adapters)
        if role == "model" and "params" in merged:
            parameters = find_gateway_parameters(cell)
            merged["params"] = parameters.added
            merged["drop"] = (*merged.get("drop", ()), *parameters.removed)
        harness = self.job_builder.plugins.get("harnesses", cell.benchmark.block.harness)
        if role != "model" and model.block.params:  # no benchmark says what a judge is asked with
            merged["params"] = {**model.block.params, **merged.get("params", {})}
        if role == "judge" and isinstance(harness, RenamesJudge) and harness.renames_judge(cell.benchmark):
            merged["params"] = {"model": self.job_builder.model_name(model), **merged.get("params", {})}
        merged.pop("requests", None)  # it judges the outcome, and changes no request
        adapter = {name: _to_json(value) for name, value in merged.items()}
        upstreams = [model.block.endpoint]
        if deployment:
            upstreams = [one.url_from_jobs if from_jobs else one.url for one in addresses[deployment]]
        repeats = role == "model" and isinstance(harness, RepeatsSamples)
        if repeats:
            adapter.setdefault("reseed", True)
        return SessionSettings(
            token=token,
            upstreams=upstreams,
            folder=str(self.job_builder.job_folder(job_id) / USAGE_FOLDERS[role]),
            model=_cache_source(self.model_digests[model.name], adapter),
            restart_timeout=ready.seconds if ready else 0.0,
            seed=str(cell.seed),
            not_before=self._oldest_reply(node),
            max_age=max_age.seconds if max_age else None,
            adapter=adapter,
            declared=_declared_parameters(cell) if role == "model" else {},
            seed_step=find_seed_step(cell) if repeats or (role == "model" and cell.variant.block.repeats > 1) else 0,
        )

    def match(self, node: Node, sessions: Iterable[Path]) -> bool:
        """Whether the sessions of an earlier build let its job use the same replies as one of this build.

        A session that cannot be read matches: its job fails by that, and says so itself.
        """
        for session in sessions if self._oldest_reply(node) else ():
            with contextlib.suppress(OSError, ValueError, TypeError):
                if not SessionSettings.read(session).not_before:
                    return False
        return True

    def _oldest_reply(self, node: Node) -> float:
        return self.oldest_replies.get(node.action.digest, 0.0)


def models_of(project: Project, node: Node) -> list[tuple[str, Declaration]]:
    """The models that an evaluation sends requests to, by role: its own if it asks one, and those of its benchmark."""
    cell = node.evaluation
    asked = [("model", cell.model)] if node.asks_model else []
    return [*asked, *find_further_models(project, cell.benchmark).items()]


def session_key(node: Node, role: str) -> str:
    """A session's name. It is the same for the same evaluation, as harnesses write it into their outputs."""
    digest = node.action.digest.rpartition(":")[2][:12]
    return digest if role == "model" else f"{digest}-{role}"


def stable_port(name: bytes) -> int:
    """The port that a gateway takes if it is free: the same each time, as harnesses write the URL down."""
    return _PORTS[xxh3_64_intdigest(name) % len(_PORTS)]


def read_tokens(sessions: list[Path]) -> tuple[str, ...]:
    """The tokens in those of the session files that can be read."""
    found = []
    for path in sessions:
        with contextlib.suppress(OSError, ValueError, TypeError):
            found.append(SessionSettings.read(path).token)
    return tuple(found)


def write_session(path: Path, text: str) -> None:
    """Write a session file atomically; only its owner can read it."""
    temporary = path.with_suffix(".tmp")
    with open(temporary, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    temporary.replace(path)


def read_usage(folder: Path, role: str = "model") -> dict[str, Any]:
    """What a gateway counted so far for the job in `folder`; empty where the job has sent no request."""
    try:
        found = json.loads(read_plain_file(folder / USAGE_FOLDERS[role] / "usage.json", _LARGEST_USAGE))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _declared_parameters(cell: Evaluation) -> dict[str, Any]:
    """The request parameters that the Evalfile declares; the seed only if it is written there."""
    declared = dict(cell.params)
    return {"seed": cell.seed, **declared} if cell.seed_span else declared


def _cache_source(model_digest: str, adapter: Mapping[str, Any]) -> str:
    """The digest of who answers, for the cache key. Headers count here: the key's request has none."""
    headers = {key: adapter[key] for key in _HEADER_KEYS if key in adapter}
    return Part.of({"model": model_digest, **headers}).digest if headers else model_digest


def _to_json(value: Any) -> Any:
    if isinstance(value, Duration):
        return value.seconds
    if isinstance(value, Size):
        return value.bytes
    return list(value) if isinstance(value, tuple) else value
