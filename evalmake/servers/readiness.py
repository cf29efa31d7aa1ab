"""Readiness: the port that a server listens on, and whether it answers its health probe."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from evalmake.language.file_tree import read_plain_file
from evalmake.plugin_api.executor import Executor
from evalmake.run.job_builder import JobBuilder
from evalmake.run.secrets import Secrets
from evalmake.servers.addresses import ServerAddress
from evalmake.servers.server import Server

_LARGEST_PORT_FILE = 100  # bytes
NO_ANSWER = "no answer"
_LOCAL_TIMEOUT, _REMOTE_TIMEOUT = 0.5, 5.0  # seconds; the scheduler waits while a probe runs


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe found: the address once it is known, and why the server is not ready, if it is not."""

    address: ServerAddress | None = None
    trouble: str = ""


class ReadinessProbe:
    """Asks servers whether they are ready."""

    def __init__(self, job_builder: JobBuilder, executors: Mapping[str, Executor], secrets: Secrets) -> None:
        self._job_builder = job_builder
        self._executors = executors
        self._secrets = secrets

    def probe(self, server: Server) -> ProbeResult:
        """Probe a server whose job runs."""
        command = server.spec.command
        port = command.port or read_port(self._job_builder.job_folder(server.job_id) / command.port_file)
        if port is None:
            return ProbeResult(trouble=f"it wrote no port into `{command.port_file}`")
        executor = self._executors[server.spec.executor]
        try:
            from_host = executor.url_from_host(server.job_id, port)
            from_jobs = executor.url_from_jobs(server.job_id, port)
        except OSError as error:
            return ProbeResult(trouble=str(error))
        address = ServerAddress(server.job_id, f"{from_host}{command.base}", f"{from_jobs}{command.base}")
        trouble = check_health(from_host, command.health, self._client_key(server))
        return ProbeResult(address, f"GET {command.health} at port {port}: {trouble}" if trouble else "")

    def _client_key(self, server: Server) -> str:
        """The key that the server wants from its clients; empty where it wants none."""
        names = {"key": server.spec.key_name} if server.spec.key_name else {}
        return self._secrets.resolve(names).get("key", "")


def read_port(path: Path) -> int | None:
    """The port in a server's port file; None until the server has written it."""
    try:
        return int(read_plain_file(path, _LARGEST_PORT_FILE))
    except (OSError, ValueError):
        return None


def is_port_open(port: int) -> bool:
    """Whether anything listens on a port of this host."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), _LOCAL_TIMEOUT):
        return True
    return False


def check_health(url: str, health: str, key: str = "") -> str:
    """Why GET `health` is not a success; empty where it is."""
    parts = urlsplit(url)
    remote = parts.scheme == "https"
    connect = http.client.HTTPSConnection if remote else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=_REMOTE_TIMEOUT if remote else _LOCAL_TIMEOUT)
    try:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        connection.request("GET", parts.path + health, headers=headers)
        status = connection.getresponse().status
        return "" if 200 <= status < 300 else f"status {status}"
    except (OSError, http.client.HTTPException):
        return NO_ANSWER
    finally:
        connection.close()
