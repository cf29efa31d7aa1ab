"""What earlier builds made is found again; what nobody wants any more, as it has no folder here, goes."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from evalmake.executors.lepton.api import Api, Seen
from evalmake.executors.lepton.making import Out
from evalmake.executors.lepton.states import job_state
from evalmake.executors.lepton.volume import Volume


def recover(
    api: Api, volume: Volume | None, root: Path, new: Container[str]
) -> tuple[dict[str, Out], dict[str, Seen]]:
    """The jobs whose folders are in `root`, by evalmake's ids, and all endpoints, by their names.

    Jobs that are `new` are to be made again, so that what is there of them goes, too.
    """
    found: dict[str, Out] = {}
    jobs = api.jobs()
    endpoints = {one.name: one for one in left_endpoints(api)}
    for seen in sorted(jobs, key=lambda one: job_state(one) is None):
        out = Out(seen.id, False, seen.secrets)
        if seen.job in found:  # it was made twice, and one of them ended at once
            api.remove_job(seen.id)
        elif (root / seen.job).is_dir() and seen.job not in new:
            found[seen.job] = out
        else:
            remove(api, volume, seen.job, out)
    used = {name for seen in (*jobs, *endpoints.values()) for name in seen.secrets}
    api.remove_secrets(set(api.secrets()) - used)
    if volume:
        volume.remove(set(volume.ids()) - found.keys())
    return found, endpoints


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
