"""Events about servers for people: changes of state, and the progress of a slow start."""

from __future__ import annotations

import time
from collections.abc import Mapping

from evalmake.plugin_api.executor import Executor, JobState, Phase
from evalmake.run.events import Emit, ServerPending, ServerStateChanged
from evalmake.run.job_builder import JobBuilder
from evalmake.run.log_tail import last_lines, read_tail
from evalmake.run.secrets import Secrets
from evalmake.servers.server import Server

_NOTICE_PAUSE = 1.0  # seconds: faster, nobody could read it


class ServerNotices:
    """Emits events about deployments. Gateways stay silent: no Evalfile declares them."""

    def __init__(
        self, job_builder: JobBuilder, executors: Mapping[str, Executor], secrets: Secrets, emit: Emit
    ) -> None:
        self._job_builder = job_builder
        self._executors = executors
        self._secrets = secrets
        self._emit = emit

    def announce_state(self, server: Server, detail: str = "", log_tail: tuple[str, ...] = ()) -> None:
        """Say which state a deployment's server is in now."""
        if server.spec.is_deployment:
            self._emit(ServerStateChanged(server.spec.name, server.state, detail, log_tail))

    def announce_pending(self, server: Server, job: JobState) -> None:
        """Say once a second what a server that is not ready does: the last line of its log, or its place in a queue."""
        if not server.spec.is_deployment or time.monotonic() < server.last_notice + _NOTICE_PAUSE:
            return
        server.last_notice = time.monotonic()
        doing = self._last_log_line(server) if job.phase is Phase.RUNNING else job.detail
        in_queue = job.phase is Phase.QUEUED and self._executors[server.spec.executor].capabilities.own_queue
        self._emit(ServerPending(server.spec.name, doing, in_queue))

    def _last_log_line(self, server: Server) -> str:
        log = read_tail(self._job_builder.job_folder(server.job_id) / "log")
        lines = last_lines(self._secrets.redact(log))
        return lines[-1] if lines else ""
