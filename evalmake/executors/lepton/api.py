"""Calls the API of Lepton: jobs, endpoints, secrets, and what a workspace offers."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from evalmake.executors.lepton.http_client import TRIES, Client, NameTaken, NotFound
from evalmake.executors.lepton.resource_names import JOB, WORKSPACE, name_prefix

_PAGE_SIZE = 200
_DAY, _HOUR = 86_400, 3_600
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Resource:
    """A job or an endpoint as the API shows it."""

    id: str
    name: str
    state: str
    job: str = ""  # evalmake's own id; empty for an endpoint
    url: str = ""
    shape: str = ""
    group: str = ""
    replicas: int = 1
    secrets: tuple[str, ...] = ()
    component: Mapping[str, Any] | None = None  # of an endpoint


def _check_reply(call: Callable[Concatenate[Api, P], R]) -> Callable[Concatenate[Api, P], R]:
    """Raise OSError if a reply does not look like Lepton's, such as the page of a proxy."""

    @functools.wraps(call)
    def checked(api: Api, /, *words: P.args, **named: P.kwargs) -> R:
        try:
            return call(api, *words, **named)
        except (AttributeError, LookupError, TypeError, ValueError):
            raise api.client.unexpected_reply() from None

    return checked


class Api:
    """One workspace of Lepton. `key` is part of all names that belong to this executor."""

    def __init__(self, client: Client, key: str) -> None:
        self.client = client
        self.key = key
        self._groups: dict[str, str] = {}
        self._volumes: dict[str, list[str]] = {}  # by the ids of node groups
        self._shapes: dict[str, list[str]] = {}
        self._known_secrets: set[str] = set()  # names, also those of others
        self._has_endpoints = False

    # Jobs -----------------------------------------------------------------------------------------

    @_check_reply
    def jobs(self) -> list[Resource]:
        """Return all jobs of this executor that are not archived."""
        found: list[Resource] = []
        page = 1
        while True:
            query = {"job_query_mode": "alive_only", "query": f"{WORKSPACE}={self.key}"}
            query |= {"page": str(page), "page_size": str(_PAGE_SIZE)}
            jobs = self.client.request("GET", "/jobs", query=query)["jobs"]
            found += map(_job, jobs)
            if not jobs:
                return found
            page += 1

    @_check_reply
    def create_job(self, body: Mapping[str, Any]) -> Resource:
        """Create a job once: after a lost reply, look for the job before the request is sent again."""
        id = body["metadata"]["labels"][JOB]

        def find() -> Resource | None:
            return next((one for one in self.jobs() if one.job == id), None)

        created = self.client.request("POST", "/jobs", body, find=find)
        return created if isinstance(created, Resource) else _job(created)

    def stop_job(self, id: str) -> None:
        """Have a job end."""
        with contextlib.suppress(NotFound):
            self.client.request("PATCH", f"/jobs/{id}", {"spec": {"stopped": True}})

    def remove_job(self, id: str) -> None:
        """Remove a job, if there is one."""
        with contextlib.suppress(NotFound):
            self.client.request("DELETE", f"/jobs/{id}", query={"job_query_mode": "alive_only"})

    # Endpoints ------------------------------------------------------------------------------------

    @_check_reply
    def endpoints(self) -> list[Resource]:
        """Return all endpoints of this executor."""
        self._check_features()
        endpoints = map(_endpoint, self.client.request("GET", "/endpoints"))
        return [one for one in endpoints if one.name.startswith(name_prefix(self.key))]

    @_check_reply
    def create_endpoint(self, body: Mapping[str, Any]) -> Resource:
        """Create an endpoint; NameTaken if there is one of its name."""
        self._check_features()
        path = f"/endpoints/{body['metadata']['name']}"

        def find() -> Any:
            with contextlib.suppress(NotFound):
                return self.client.request("GET", path)

        return _endpoint(self.client.request("POST", "/endpoints", body, find=find))

    def remove_endpoint(self, name: str) -> None:
        """Remove an endpoint, if there is one."""
        with contextlib.suppress(NotFound):
            self.client.request("DELETE", f"/endpoints/{name}")

    # Both --------------------------------------------------------------------------------------

    @_check_reply
    def events(self, kind: str, id: str) -> list[tuple[str, str]]:
        """Return what went wrong with a job or endpoint, oldest first: reasons and messages, which may be empty."""
        with contextlib.suppress(NotFound):
            found = [one for one in self.client.request("GET", f"/{kind}/{id}/events") if one["type"] != "Normal"]
            messages = [(one.get("regarding") or {}).get("message", "") for one in found]
            return [(str(e["reason"]), str(message)) for e, message in zip(found, messages, strict=True)]
        return []

    def read_log(self, kind: str, id: str, tries: int = TRIES) -> bytes:
        """Return what all replicas of a job or endpoint printed in the last day; nothing if that fails."""
        now = time.time()
        query = {"start": f"{now - _DAY:.0f}000000000", "end": f"{now + _HOUR:.0f}000000000"}
        query |= {"direction": "backward", "limit": "10000", "job_query_mode": "alive_and_archive"}
        query[kind.removesuffix("s")] = id
        with contextlib.suppress(OSError, LookupError, TypeError, ValueError):
            streams = self.client.request("GET", "/logs", query=query, tries=tries)["data"]["result"]
            lines = [(int(at), line) for stream in streams for at, line in stream["values"]]
            return "".join(f"{line}\n" for _, line in sorted(lines)).encode()
        return b""

    def create_secrets(self, values: Mapping[str, str]) -> None:
        """Create secrets, in place of leftovers of the same names."""
        body = [{"name": n, "value": v, "visibility": "private"} for n, v in values.items()]
        if not body:
            return
        try:
            self.client.request("POST", "/usersecrets", body)
        except NameTaken:
            self.remove_secrets(values)
            self.client.request("POST", "/usersecrets", body)

    @_check_reply
    def secrets(self) -> list[str]:
        """Return the names of all secrets of this executor."""
        return list(filter(self._is_own, self._list_secrets()))

    def remove_secrets(self, names: Iterable[str]) -> None:
        """Remove secrets, if there are any, but none that the workspace had before."""
        for name in filter(self._is_own, names):
            with contextlib.suppress(NotFound):
                self.client.request("DELETE", f"/usersecrets/{name}")

    def _is_own(self, secret: str) -> bool:
        return secret.startswith(name_prefix(self.key))

    def _list_secrets(self) -> list[str]:
        return [str(one["name"]) for one in self.client.request("GET", "/usersecrets")]

    # What the workspace offers --------------------------------------------------------------------------------

    @_check_reply
    def node_group_id(self, name: str | None) -> str | None:
        """Return the id of a node group; OSError with the names of all groups if there is none."""
        if name is None:
            return None
        self._read_groups()
        if name in self._groups.values():
            return name
        if name not in self._groups:
            known = ", ".join(sorted(self._groups)) or "none"
            raise OSError(self.client.message(f"no node group is named {name}; there are: {known}"))
        return self._groups[name]

    @_check_reply
    def check_volume(self, source: str, group: str | None) -> None:
        """Raise OSError with the names of a node group's volumes if `node-TYPE:NAME` is not one of them."""
        self._read_groups()
        groups = [group] if group else list(self._volumes)
        known = sorted({name for one in groups for name in self._volumes.get(one, ())})
        name = source.partition(":")[2]
        if name and known and name not in known:
            message = f"no volume is named {name}; there are: {', '.join(known)}"
            raise OSError(self.client.message(message))

    @_check_reply
    def check_secrets(self, names: Iterable[str]) -> None:
        """Raise OSError with the names of all secrets of others if one of these does not exist."""
        if not self._known_secrets >= (wanted := set(names)):
            self._known_secrets = set(self._list_secrets())
        for name in sorted(wanted - self._known_secrets):
            known = ", ".join(sorted(n for n in self._known_secrets if not self._is_own(n))) or "none"
            raise OSError(self.client.message(f"the workspace has no secret named {name}; there are: {known}"))

    def _read_groups(self) -> None:
        if self._groups:
            return
        for one in self.client.request("GET", "/dedicated-node-groups"):
            meta, id = one["metadata"], str(one["metadata"]["id"])
            self._groups[str(meta.get("name") or id)] = id
            volumes = (one.get("spec") or {}).get("volumes") or ()
            self._volumes[id] = [str(volume["name"]) for volume in volumes]

    @_check_reply
    def check_shape(self, shape: str, purpose: str) -> None:
        """Raise OSError with the names of all shapes if this one does not exist."""
        if purpose not in self._shapes:
            found = self.client.request("GET", "/shapes", query={"purpose": purpose})
            names = {one[part].get("name") for one in found for part in ("metadata", "spec")}
            self._shapes[purpose] = sorted(str(name) for name in names if name)
        if shape not in self._shapes[purpose]:
            known = ", ".join(self._shapes[purpose]) or "none"
            raise OSError(self.client.message(f"no shape is named {shape}; there are: {known}"))

    @_check_reply
    def _check_features(self) -> None:
        if not self._has_endpoints:
            features = self.client.request("GET", "/workspace").get("features") or {}
            if features.get("enable_new_deployment_api") is not True:
                why = "this workspace lacks endpoints of the new API, which evalmake needs to serve models"
                raise OSError(self.client.message(why))
            self._has_endpoints = True


def _job(raw: Mapping[str, Any]) -> Resource:
    meta, spec = raw["metadata"], raw.get("spec") or {}
    state = str((raw.get("status") or {}).get("state") or "Starting")
    labels = meta.get("labels") or {}
    return Resource(str(meta["id"]), str(meta["name"]), state, str(labels.get(JOB, "")), **_placement(spec))


def _endpoint(raw: Mapping[str, Any]) -> Resource:
    meta, status = raw["metadata"], raw.get("status") or {}
    components = raw["spec"]["components"]
    front = next((one for one in components if one.get("frontend")), components[0])
    name = str(meta["name"])
    state = "Deleting" if meta.get("deleted_at") else str(status.get("state") or "Starting")
    url = str(status.get("external_url") or "").rstrip("/")
    replicas = max(int(front.get("min_replicas", 1)), int(status.get("ready_replicas") or 0))
    return Resource(name, name, state, url=url, replicas=replicas, component=front, **_placement(front))


def _placement(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shape, node group and secrets of a job or endpoint."""
    groups = (spec.get("affinity") or {}).get("allowed_dedicated_node_groups") or [""]
    refs = ((env.get("value_from") or {}).get("secret_name_ref") for env in spec.get("envs") or [])
    return {
        "shape": str(spec.get("resource_shape") or ""),
        "group": str(groups[0]),
        "secrets": tuple(str(ref) for ref in refs if ref),
    }
