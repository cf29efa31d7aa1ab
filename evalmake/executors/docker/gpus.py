"""Which GPUs a job gets, where an executor names those that there are.

The engine itself would give the same first ones to every job.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from evalmake.executors.docker.engine import Engine

LABEL = "evalmake.gpus"
_DRIVER = Path("/proc/driver/nvidia/gpus")


def devices(engine: Engine, gpus: int | str | None, count: int | None, job: str) -> list[str]:
    """The ids of `count` GPUs, those that the fewest jobs have; empty where the engine must choose."""
    pool = _pool(engine, gpus)
    if not count or not pool:
        return []
    if count > len(pool):
        raise OSError(engine.says(f"{job} asks for {count} GPUs, and there are {len(pool)}"))
    with engine.asked() as api:
        running = api.containers(filters={"label": LABEL})
    used = Counter(id for one in running for id in one["Labels"][LABEL].split(","))
    return sorted(pool, key=lambda id: (used[id], pool.index(id)))[:count]


def requested(count: int | None, ids: list[str]) -> list[dict[str, Any]] | None:
    """What the engine is told of GPUs."""
    if not count:
        return None
    which = {"DeviceIDs": ids} if ids else {"Count": count}
    return [{"Driver": "", "Capabilities": [["gpu"]], "Options": {}, **which}]


def _pool(engine: Engine, gpus: int | str | None) -> list[str]:
    """The ids of an executor's GPUs, as far as they are known."""
    if gpus == "all" and not engine.remote and _DRIVER.is_dir():
        gpus = len(list(_DRIVER.iterdir()))
    if isinstance(gpus, int):
        return [str(id) for id in range(gpus)]
    return gpus.split(",") if gpus and gpus != "all" else []
