"""Images that only an engine of ours knows, as no registry has them."""

from __future__ import annotations

from evalmake.project.project import Project


def local_image(project: Project, image: str) -> str:
    """The id of an image that was built or imported here, by an executor's Docker engine; else ""."""
    for executor in project.executors.values():
        if executor.plugin == "docker" and (id := _inspected(executor.settings, image)):
            return id
    return ""


def _inspected(settings: object, image: str) -> str:
    """What an engine says of an image that came from no registry; "" where there is no engine."""
    import docker
    from docker.errors import DockerException

    host = getattr(settings, "host", None)
    try:
        engine = docker.DockerClient(base_url=host) if host else docker.from_env()
        with_attributes = engine.images.get(image).attrs
        engine.close()
    except (DockerException, OSError, ValueError):
        return ""
    return "" if with_attributes.get("RepoDigests") else str(with_attributes["Id"])
