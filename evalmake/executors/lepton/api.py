"""Jobs, endpoints, secrets and what a workspace has, as the API of Lepton gives them."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from evalmake.executors.lepton.http_client import TRIES, Absent, Client, Taken
from evalmake.executors.lepton.resource_names import JOB, WORKSPACE, prefix

_PAGE = 200
_DAY, _HOUR = 86_400, 3_600
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Seen:
    """A job or an endpoint as the API shows it."""

    id: str
    name: str
    state: str
    job: str = ""  # evalmake's own id of it
    url: str = ""
    shape: str = ""
    group: str = ""
    replicas: int = 1
    secrets: tuple[str, ...] = ()
    what: Mapping[str, Any] | None = None  # of an endpoint, its component


def _understood(ask: Callable[Concatenate[Api, P], R]) -> Callable[Concatenate[Api, P], R]:
    """OSError where an answer is not as Lepton's are, such as the page of a proxy."""

    @functools.wraps(ask)
    def asked(api: Api, /, *given: P.args, **named: P.kwargs) -> R:
        try:
            return ask(api, *given, **named)
        except (AttributeError, LookupError, TypeError, ValueError):
            raise api.client.odd() from None

    return asked


class Api:
    """One workspace, seen by one of evalmake's: `key` is in all names that are its own."""

    def __init__(self, client: Client, key: str) -> None:
        self.client = client
        self.key = key
        self._groups: dict[str, str] = {}
        self._volumes: dict[str, list[str]] = {}  # by the ids of node groups
        self._shapes: dict[str, list[str]] = {}
        self._checked = False

    # Jobs -----------------------------------------------------------------------------------------

    @_understood
    def jobs(self) -> list[Seen]:
        """All jobs of ours that are not archived."""
        found: list[Seen] = []
        page = 1
        while True:
            query = {"job_query_mode": "alive_only", "query": f"{WORKSPACE}={self.key}"}
            query |= {"page": str(page), "page_size": str(_PAGE)}
            jobs = self.client.ask("GET", "/jobs", query=query)["jobs"]
            found += map(_job, jobs)
            if not jobs:
                return found
            page += 1

    @_understood
    def create_job(self, body: Mapping[str, Any]) -> Seen:
        """A job, made once: where the answer is lost, it is looked for before it is asked for again."""
        id = body["metadata"]["labels"][JOB]

        def there() -> Seen | None:
            return next((one for one in self.jobs() if one.job == id), None)

        made = self.client.ask("POST", "/jobs", body, done=there)
        return made if isinstance(made, Seen) else _job(made)

    def stop_job(self, id: str) -> None:
        """Tell a job to end."""
        with contextlib.suppress(Absent):
            self.client.ask("PATCH", f"/jobs/{id}", {"spec": {"stopped": True}})

    def remove_job(self, id: str) -> None:
        """Remove a job, if there is one."""
        with contextlib.suppress(Absent):
            self.client.ask("DELETE", f"/jobs/{id}", query={"job_query_mode": "alive_only"})

    # Endpoints ------------------------------------------------------------------------------------

    @_understood
    def endpoints(self) -> list[Seen]:
        """All endpoints of ours."""
        self._check_features()
        all = map(_endpoint, self.client.ask("GET", "/endpoints"))
        return [one for one in all if one.name.startswith(prefix(self.key))]

    @_understood
    def create_endpoint(self, body: Mapping[str, Any]) -> Seen:
        """An endpoint; Taken where there is one of its name."""
        self._check_features()
        path = f"/endpoints/{body['metadata']['name']}"

        def there() -> Any:
            with contextlib.suppress(Absent):
                return self.client.ask("GET", path)

        return _endpoint(self.client.ask("POST", "/endpoints", body, done=there))

    def remove_endpoint(self, name: str) -> None:
        """Remove an endpoint, if there is one."""
        with contextlib.suppress(Absent):
            self.client.ask("DELETE", f"/endpoints/{name}")

    # Of both --------------------------------------------------------------------------------------

    @_understood
    def events(self, kind: str, id: str) -> list[tuple[str, str]]:
        """What went wrong with one, oldest first: reasons, and messages where there are some."""
        with contextlib.suppress(Absent):
            found = [one for one in self.client.ask("GET", f"/{kind}/{id}/events") if one["type"] != "Normal"]
            about = [(one.get("regarding") or {}).get("message", "") for one in found]
            return [(str(e["reason"]), str(said)) for e, said in zip(found, about, strict=True)]
        return []

    def log(self, kind: str, id: str, tries: int = TRIES) -> bytes:
        """What all replicas of one printed in the last day, as far as that can be had."""
        now = time.time()
        query = {"start": f"{now - _DAY:.0f}000000000", "end": f"{now + _HOUR:.0f}000000000"}
        query |= {"direction": "backward", "limit": "10000", "job_query_mode": "alive_and_archive"}
        query[kind.removesuffix("s")] = id
        with contextlib.suppress(OSError, LookupError, TypeError, ValueError):
            streams = self.client.ask("GET", "/logs", query=query, tries=tries)["data"]["result"]
            lines = [(int(at), line) for stream in streams for at, line in stream["values"]]
            return "".join(f"{line}\n" for _, line in sorted(lines)).encode()
        return b""

    def create_secrets(self, values: Mapping[str, str]) -> None:
        """Secrets of ours, in place of what is left of the same names."""
        body = [{"name": n, "value": v, "visibility": "private"} for n, v in values.items()]
        if not body:
            return
        try:
            self.client.ask("POST", "/usersecrets", body)
        except Taken:
            self.remove_secrets(values)
            self.client.ask("POST", "/usersecrets", body)

    @_understood
    def secrets(self) -> list[str]:
        """The names of all secrets of ours."""
        names = [str(one["name"]) for one in self.client.ask("GET", "/usersecrets")]
        return [name for name in names if name.startswith(prefix(self.key))]

    def remove_secrets(self, names: Iterable[str]) -> None:
        """Remove secrets, if there are any."""
        for name in names:
            with contextlib.suppress(Absent):
                self.client.ask("DELETE", f"/usersecrets/{name}")

    # What there is --------------------------------------------------------------------------------

    @_understood
    def group(self, name: str | None) -> str | None:
        """The id of a node group; OSError with the names of those that exist."""
        if name is None:
            return None
        self._know_groups()
        if name in self._groups.values():
            return name
        if name not in self._groups:
            known = ", ".join(sorted(self._groups)) or "none"
            raise OSError(self.client.says(f"no node group is named {name}; there are: {known}"))
        return self._groups[name]

    @_understood
    def check_volume(self, source: str, group: str | None) -> None:
        """OSError with the names of those that a node group has, where `node-TYPE:NAME` is none of them."""
        self._know_groups()
        groups = [group] if group else list(self._volumes)
        known = sorted({name for one in groups for name in self._volumes.get(one, ())})
        name = source.partition(":")[2]
        if name and known and name not in known:
            there = f"no volume is named {name}; there are: {', '.join(known)}"
            raise OSError(self.client.says(there))

    def _know_groups(self) -> None:
        if self._groups:
            return
        for one in self.client.ask("GET", "/dedicated-node-groups"):
            meta, id = one["metadata"], str(one["metadata"]["id"])
            self._groups[str(meta.get("name") or id)] = id
            volumes = (one.get("spec") or {}).get("volumes") or ()
            self._volumes[id] = [str(volume["name"]) for volume in volumes]

    @_understood
    def check_shape(self, shape: str, purpose: str) -> None:
        """OSError with the names of those that exist, where this one does not."""
        if purpose not in self._shapes:
            found = self.client.ask("GET", "/shapes", query={"purpose": purpose})
            names = {one[part].get("name") for one in found for part in ("metadata", "spec")}
            self._shapes[purpose] = sorted(str(name) for name in names if name)
        if shape not in self._shapes[purpose]:
            known = ", ".join(self._shapes[purpose]) or "none"
            raise OSError(self.client.says(f"no shape is named {shape}; there are: {known}"))

    @_understood
    def _check_features(self) -> None:
        if not self._checked:
            features = self.client.ask("GET", "/workspace").get("features") or {}
            if features.get("enable_new_deployment_api") is not True:
                why = "this workspace has no endpoints of the new API, by which evalmake serves models"
                raise OSError(self.client.says(why))
            self._checked = True


def _job(raw: Mapping[str, Any]) -> Seen:
    meta, spec = raw["metadata"], raw.get("spec") or {}
    state = str((raw.get("status") or {}).get("state") or "Starting")
    labels = meta.get("labels") or {}
    return Seen(str(meta["id"]), str(meta["name"]), state, str(labels.get(JOB, "")), **_placed(spec))


def _endpoint(raw: Mapping[str, Any]) -> Seen:
    meta, status = raw["metadata"], raw.get("status") or {}
    components = raw["spec"]["components"]
    front = next((one for one in components if one.get("frontend")), components[0])
    name = str(meta["name"])
    state = "Deleting" if meta.get("deleted_at") else str(status.get("state") or "Starting")
    url = str(status.get("external_url") or "").rstrip("/")
    replicas = max(int(front.get("min_replicas", 1)), int(status.get("ready_replicas") or 0))
    return Seen(name, name, state, url=url, replicas=replicas, what=front, **_placed(front))


def _placed(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The shape, node group and secrets of what runs."""
    groups = (spec.get("affinity") or {}).get("allowed_dedicated_node_groups") or [""]
    refs = ((env.get("value_from") or {}).get("secret_name_ref") for env in spec.get("envs") or [])
    return {
        "shape": str(spec.get("resource_shape") or ""),
        "group": str(groups[0]),
        "secrets": tuple(str(ref) for ref in refs if ref),
    }
