"""Executors of containers for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from evalmake.executors.docker import DockerExecutor, container
from evalmake.plugin_api.executor import Job
from tests.support.docker_engine import BASE, Dockerd

Made = Callable[..., DockerExecutor]


class Based(DockerExecutor):
    """Runs jobs that name no image in the base image."""

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """With an image."""
        super().submit(job if job.image else replace(job, image=BASE), secrets)


def left(engine: Dockerd, executor: DockerExecutor) -> list[Any]:
    """The containers of an executor's workspace."""
    mine = {"label": f"{container.WORKSPACE}={executor.workspace}"}
    found: list[Any] = engine.api().containers(all=True, filters=mine)
    return found
