"""Finds what earlier builds created, and removes what has no folder here any more."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.executors.lepton.api import Api, Resource
from evalmake.executors.lepton.creation import Created
from evalmake.executors.lepton.job_states import job_state
from evalmake.executors.lepton.volume import Volume


@dataclass(slots=True)
class Leftovers:
    """What no build needs any more: jobs and secrets of Lepton, and folders on the volume."""

    jobs: set[str] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)

    def add(self, other: Leftovers) -> None:
        """Add what another has."""
        self.jobs |= other.jobs
        self.secrets |= other.secrets
        self.folders |= other.folders

    def remove(self, api: Api, volume: Volume | None) -> None:
        """Remove everything."""
        for id in sorted(self.jobs):
            api.remove_job(id)
        api.remove_secrets(sorted(self.secrets))
        if volume:
            volume.remove(sorted(self.folders))


@dataclass(slots=True)
class Earlier:
    """What earlier builds created: jobs by evalmake's ids, endpoints by their names, and leftovers."""

    jobs: dict[str, Created]
    endpoints: dict[str, Resource]
    leftovers: Leftovers


def find_earlier(api: Api, volume: Volume | None, root: Path, new: Container[str]) -> Earlier:
    """Find what earlier builds created, without changing it. Jobs that have a folder in `root` go on.

    Jobs that are `new` are to be created again, so existing ones of the same id are leftovers, too.
    """
    listed, jobs, leftovers = api.jobs(), dict[str, Created](), Leftovers()
    endpoints = {one.name: one for one in list_endpoints(api)}
    for seen in sorted(listed, key=lambda one: job_state(one) is None):
        if (root / seen.job).is_dir() and seen.job not in new and seen.job not in jobs:
            jobs[seen.job] = Created(seen.id, False, seen.secrets)
        else:  # it is not wanted, or it was created twice and one of the two ended at once
            leftovers.jobs.add(seen.id)
    wanted: Iterable[Created | Resource] = (*jobs.values(), *endpoints.values())
    leftovers.secrets = set(api.secrets()) - {name for one in wanted for name in one.secrets}
    leftovers.folders = set(volume.list_jobs()) - jobs.keys() if volume else set()
    return Earlier(jobs, endpoints, leftovers)


def list_endpoints(api: Api) -> list[Resource]:
    """Return the endpoints of this executor; none if the workspace has no endpoints at all."""
    try:
        return api.endpoints()
    except ConnectionError:
        raise
    except OSError:
        return []


def remove_created(api: Api, volume: Volume | None, id: str, created: Created) -> None:
    """Remove a job or endpoint with its secrets and folder."""
    (api.remove_endpoint if created.is_endpoint else api.remove_job)(created.id)
    api.remove_secrets(created.secrets)
    if volume and not created.is_endpoint:
        volume.remove([id])
