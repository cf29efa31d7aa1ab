"""Images that only a local Docker engine has, not a registry."""

from __future__ import annotations

from evalmake.executors.docker.engine import Engine
from evalmake.project.project import Project


def find_local_image(project: Project, image: str) -> str:
    """The id of an image that was built or imported here, from an executor's Docker engine; else ""."""
    for name, executor in project.executors.items():
        if executor.plugin == "docker":
            engine = Engine(name, getattr(executor.settings, "host", None))
            if id := _read_image_id(engine, image):
                return id
    return ""


def _read_image_id(engine: Engine, image: str) -> str:
    """The id of an image that came from no registry; "" if the engine lacks it or does not answer."""
    try:
        with engine.call() as api:
            found = api.inspect_image(image)
    except (OSError, LookupError):
        return ""
    finally:
        engine.close()
    return "" if found.get("RepoDigests") else str(found["Id"])
