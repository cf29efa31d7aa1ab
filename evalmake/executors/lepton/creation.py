"""Jobs and endpoints are made once, whatever becomes of the answers."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from evalmake.executors.lepton.api import Api, Seen
from evalmake.executors.lepton.http_client import Taken
from evalmake.executors.lepton.job_states import serves
from evalmake.executors.lepton.request_bodies import Body, same
from evalmake.executors.lepton.volume import Volume
from evalmake.plugin_api.executor import Job


@dataclass(slots=True)
class Prepared:
    """What is to be made; `tried`: it may have been, and the answer was lost."""

    job: Job
    body: Body
    sent: bool = False
    tried: bool = False


@dataclass(slots=True)
class Out:
    """What was made: `id` is Lepton's."""

    id: str
    serves: bool
    secrets: tuple[str, ...]
    url: str = ""
    told: bool = False  # to end
    kept: bool = False


def made(api: Api, one: Prepared) -> Seen | None:
    """The job or endpoint; None where another of its name must be gone first."""
    if one.body.serves:
        return _served(api, one)
    if one.tried:
        for seen in api.jobs():
            if seen.job == one.job.id:
                return seen
    api.create_secrets(one.body.secrets)
    return api.create_job(one.body.given)


def _served(api: Api, one: Prepared) -> Seen | None:
    """An endpoint: that which is there, if it is the same and serves."""
    there = next((e for e in api.endpoints() if e.name == one.body.name), None)
    if there is not None:
        if serves(there) and same(there.what or {}, one.body):
            return there
        if there.state != "Deleting":
            api.remove_endpoint(there.id)
        return None
    api.create_secrets(one.body.secrets)
    try:
        return api.create_endpoint(one.body.given)
    except Taken:
        return None


def clear(api: Api, volume: Volume | None, one: Prepared) -> None:
    """Remove what was made for one that is not to be."""
    with contextlib.suppress(OSError):
        api.remove_secrets(one.body.secrets)
        if one.sent and volume:
            volume.remove([one.job.id])
