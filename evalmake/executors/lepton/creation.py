"""Creates jobs and endpoints exactly once, also if a reply is lost."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from evalmake.executors.lepton.api import Api, Resource
from evalmake.executors.lepton.http_client import NameTaken
from evalmake.executors.lepton.job_states import is_serving
from evalmake.executors.lepton.request_bodies import Body, is_same_server
from evalmake.executors.lepton.volume import Volume
from evalmake.plugin_api.executor import Job


@dataclass(slots=True)
class PreparedResource:
    """A job or endpoint that is ready to be created."""

    job: Job
    body: Body
    is_sent: bool = False
    """Its folder is on the volume."""
    maybe_created: bool = False
    """Lepton may have it although the reply was lost."""


@dataclass(slots=True)
class Created:
    """A job or endpoint that Lepton has; `id` is the one that Lepton gave it."""

    id: str
    is_endpoint: bool
    secrets: tuple[str, ...]
    url: str = ""
    is_stopping: bool = False
    is_kept: bool = False
    """It stays after the build."""


def create(api: Api, one: PreparedResource) -> Resource | None:
    """Create a job or endpoint and return it; None if another one of its name must go first."""
    if one.body.is_endpoint:
        return _create_endpoint(api, one)
    if one.maybe_created:
        for seen in api.jobs():
            if seen.job == one.job.id:
                return seen
        one.maybe_created = False
    api.create_secrets(one.body.secrets)
    return api.create_job(one.body.content)


def _create_endpoint(api: Api, one: PreparedResource) -> Resource | None:
    """Return the endpoint of this name if it is the same server and runs; otherwise replace it."""
    existing = next((e for e in api.endpoints() if e.name == one.body.name), None)
    if existing is not None:
        if is_serving(existing) and is_same_server(existing.component or {}, one.body):
            return existing
        if existing.state != "Deleting":
            api.remove_endpoint(existing.id)
        return None
    one.maybe_created = False
    api.create_secrets(one.body.secrets)
    try:
        return api.create_endpoint(one.body.content)
    except NameTaken:
        return None


def discard(api: Api, volume: Volume | None, one: PreparedResource) -> None:
    """Remove the secrets and the folder of a job or endpoint that is not to be created after all."""
    with contextlib.suppress(OSError):
        api.remove_secrets(one.body.secrets)
        if one.is_sent and volume:
            volume.remove([one.job.id])
