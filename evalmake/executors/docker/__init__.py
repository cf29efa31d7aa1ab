"""Jobs as containers of a Docker engine."""

from __future__ import annotations

from evalmake.executors.docker.executor import DockerExecutor

__all__ = ["DockerExecutor"]
