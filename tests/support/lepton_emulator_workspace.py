"""What the emulator's workspace holds, and what its routes do; each body must be of the package's own types."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_emulator_work import Job, Refused, Work
from leptonai.api.v2 import translation
from leptonai.api.v2.job_validation import validate_job_create
from leptonai.api.v2.types.deployment import LeptonDeployment
from leptonai.api.v2.types.job import LeptonJob
from leptonai.api.v2.types.secret import SecretItem

SHAPES = {"cpu.small": 0, "cpu.large": 0, "gpu.1xh200": 1, "gpu.8xh200": 8}
GROUPS = {"ng1-abcd": "reserved", "ng2-efgh": "shared"}
WORKSPACE = "acme"


@dataclass
class Fault:
    """What becomes of the next `times` requests that fit; `after`: once they were carried out."""

    method: str
    path: str
    kind: str  # status | page: another's | drop | slow | hold: until it is told to go on
    times: int = 1
    status: int = 500
    seconds: float = 0.0
    retry_after: int | str | None = None
    message: str = "as it was told to"
    date: str = ""  # its clock's, where that is not right
    after: bool = False
    page: Any = None


class Workspace:
    """All that there is, under one lock."""

    def __init__(self, folder: Path, token: str) -> None:
        self.token = token
        self.lock = threading.RLock()
        self.secrets: dict[str, str] = {}
        self.work = Work(folder, self.lock, self.secrets)
        self.faults: list[Fault] = []
        self.calls: list[tuple[str, str]] = []
        self.arrivals: list[float] = []
        self.page = 500
        self.limit: int | None = None
        self.new_api = True
        self.go_on = threading.Event()

    # Jobs -----------------------------------------------------------------------------------------

    def create_job(self, body: Any) -> tuple[int, Any]:
        job = checked(LeptonJob, body)
        validate_job_create(job)
        self.placed(body["spec"])
        alive = [one for one in self.work.jobs.values() if not one.over]
        if self.limit is not None and len(alive) >= self.limit:
            raise Refused(403, f"quota exceeded: {self.limit} jobs of this workspace are active")
        return 201, self.work.start_job(body).shown()

    def list_jobs(self, query: Mapping[str, str]) -> tuple[int, Any]:
        found = list(self.work.jobs.values())
        if query.get("job_query_mode", "alive_only") == "alive_only":
            found = [one for one in found if not one.archived]
        if "q" in query:
            found = [one for one in found if query["q"] in one.name]
        if "query" in query:
            wanted = dict(part.split("=", 1) for part in query["query"].split(","))
            found = [one for one in found if wanted.items() <= one.labels.items()]
        size = min(int(query.get("page_size", self.page)), self.page)
        at = (int(query.get("page", 1)) - 1) * size
        return 200, {"jobs": [one.shown() for one in found[at : at + size]]}

    def change_job(self, job: Job, body: Any) -> tuple[int, Any]:
        if body != {"spec": {"stopped": True}}:
            raise Refused(400, f"this emulator cannot change a job by {body}")
        self.work.stop_job(job)
        return 200, job.shown()

    # Endpoints ------------------------------------------------------------------------------------

    def create_endpoint(self, body: Any) -> tuple[int, Any]:
        legacy = translation.http_endpoint_to_legacy(body)
        LeptonDeployment(**{**legacy, "status": None})
        there = without_status(translation.legacy_to_http_endpoint(without_status(legacy)))
        if there != body:
            raise Refused(400, f"what is kept of the endpoint is {there}, of {body}")
        for component in body["spec"]["components"]:
            self.placed(component)
        return 201, self.work.start_endpoint(body).shown()

    # What there is --------------------------------------------------------------------------------

    def placed(self, spec: Mapping[str, Any]) -> None:
        """A shape, node groups and secrets that exist."""
        if spec.get("resource_shape") not in SHAPES:
            raise Refused(400, f"resource shape {spec.get('resource_shape')} does not exist")
        groups = (spec.get("affinity") or {}).get("allowed_dedicated_node_groups") or []
        if unknown := [one for one in groups if one not in GROUPS]:
            raise Refused(400, f"node group {unknown[0]} does not exist")
        for env in spec.get("envs") or []:
            name = (env.get("value_from") or {}).get("secret_name_ref")
            if name and name not in self.secrets:
                raise Refused(400, f"secret {name} does not exist")

    def create_secrets(self, body: Any) -> tuple[int, Any]:
        items = [checked(SecretItem, item) for item in body]
        if there := [item.name for item in items if item.name in self.secrets]:
            raise Refused(409, f"secret {there[0]} exists")
        self.secrets.update((item.name, item.value) for item in items)
        return 201, {}

    def remove_secret(self, name: str) -> tuple[int, Any]:
        if self.secrets.pop(name, None) is None:
            raise Refused(404, f"secret {name} does not exist")
        return 200, {}

    def info(self) -> dict[str, Any]:
        amount = {"cpu": 64.0, "memory": 2**18, "accelerator_num": 8.0}
        counts = ("deployments", "jobs", "pods", "secrets", "image_pull_secrets")
        return {
            "build_time": "now",
            "git_commit": "none",
            "workspace_name": WORKSPACE,
            "workspace_tier": "enterprise",
            "workspace_state": "normal",
            "supported_shapes": {},
            "workspace_disk_usage_bytes": 0,
            "workloads": {f"num_{name}": 0 for name in counts},
            "resource_quota": {"limit": amount, "used": amount},
            "features": {"enable_new_deployment_api": self.new_api},
        }

    def groups(self) -> list[dict[str, Any]]:
        return [
            {
                "metadata": {"id": id, "name": name},
                "spec": {"volumes": [{"from": "nfs", "name": "shared", "size_in_gb": 100}]},
                "status": {"ready_nodes": 1},
            }
            for id, name in GROUPS.items()
        ]

    def shapes(self) -> list[dict[str, Any]]:
        return [
            {
                "metadata": {"id": name, "name": name},
                "spec": {"name": name, "accelerator_num": gpus},
            }
            for name, gpus in SHAPES.items()
        ]


def without_status(one: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != "status"}


def checked(kind: Any, body: Any) -> Any:
    """The body as the package's type, which must know every key of it."""
    made = kind(**body)
    kept = made.model_dump(by_alias=True, exclude_unset=True, mode="json")
    if kept != body:
        raise Refused(400, f"{kind.__name__} keeps {kept} of {body}")
    return made
