"""Images that only an engine of ours knows, as no registry has them."""

from __future__ import annotations

from evalmake.executors.docker.engine import Engine
from evalmake.project.project import Project


def local_image(project: Project, image: str) -> str:
    """The id of an image that was built or imported here, by an executor's Docker engine; else ""."""
    for name, executor in project.executors.items():
        if executor.plugin == "docker":
            engine = Engine(name, getattr(executor.settings, "host", None))
            if id := _inspected(engine, image):
                return id
    return ""


def _inspected(engine: Engine, image: str) -> str:
    """What an engine says of an image that came from no registry; "" where there is no engine."""
    try:
        with engine.asked() as api:
            found = api.inspect_image(image)
    except (OSError, LookupError):
        return ""
    finally:
        engine.close()
    return "" if found.get("RepoDigests") else str(found["Id"])
