"""What earlier builds made is found again; what nobody wants any more, as it has no folder here, goes."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.executors.lepton.api import Api, Seen
from evalmake.executors.lepton.creation import Out
from evalmake.executors.lepton.job_states import job_state
from evalmake.executors.lepton.volume import Volume


@dataclass(slots=True)
class Lost:
    """What nobody wants any more: jobs and secrets of Lepton, and folders on the volume."""

    jobs: set[str] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)

    def remove(self, api: Api, volume: Volume | None) -> None:
        """Remove all of it."""
        for id in sorted(self.jobs):
            api.remove_job(id)
        api.remove_secrets(sorted(self.secrets))
        if volume:
            volume.remove(sorted(self.folders))


@dataclass(slots=True)
class Found:
    """The jobs that go on, by evalmake's ids, all endpoints, by their names, and what is to go."""

    out: dict[str, Out]
    endpoints: dict[str, Seen]
    lost: Lost


def recovered(api: Api, volume: Volume | None, root: Path, new: Container[str]) -> Found:
    """What there is: the jobs that go on are those whose folders are in `root`. Nothing is changed.

    Jobs that are `new` are to be made again, so that what is there of them is to go, too.
    """
    jobs, out, lost = api.jobs(), dict[str, Out](), Lost()
    endpoints = {one.name: one for one in left_endpoints(api)}
    for seen in sorted(jobs, key=lambda one: job_state(one) is None):
        if (root / seen.job).is_dir() and seen.job not in new and seen.job not in out:
            out[seen.job] = Out(seen.id, False, seen.secrets)
        else:  # it is not wanted, or was made twice, and one of them ended at once
            lost.jobs.add(seen.id)
    wanted: Iterable[Out | Seen] = (*out.values(), *endpoints.values())
    lost.secrets = set(api.secrets()) - {name for one in wanted for name in one.secrets}
    lost.folders = set(volume.ids()) - out.keys() if volume else set()
    return Found(out, endpoints, lost)


def left_endpoints(api: Api) -> list[Seen]:
    """The endpoints that there are."""
    try:
        return api.endpoints()
    except ConnectionError:
        raise
    except OSError:  # a workspace without any
        return []


def remove(api: Api, volume: Volume | None, id: str, out: Out) -> None:
    """Remove all of it."""
    (api.remove_endpoint if out.serves else api.remove_job)(out.id)
    api.remove_secrets(out.secrets)
    if volume and not out.serves:
        volume.remove([id])
