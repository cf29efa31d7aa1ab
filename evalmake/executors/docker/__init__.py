"""Docker: runs jobs as containers of an engine, here or on another host."""

from __future__ import annotations

from evalmake.executors.docker.executor import DockerExecutor

__all__ = ["DockerExecutor"]
