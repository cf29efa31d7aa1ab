"""An engine: how it is reached, and what is said where it refuses or does not answer."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evalmake.executors.docker.ssh_tunnel import Tunnel

_DEFAULT = "unix:///var/run/docker.sock"
_TIMEOUT = 30.0
_CONFLICT = 409
_QUIET = 1.0  # seconds in which an engine that did not answer is not asked again
_CONNECTIONS = 64  # one is held for the log of each running job


class Engine:
    """A connection made when it is first needed, and made anew after it was lost."""

    def __init__(self, executor: str, host: str | None) -> None:
        self.executor = executor
        self.host = host or os.environ.get("DOCKER_HOST") or _DEFAULT
        self._lock = threading.Lock()
        self._api: Any = None
        self._tunnel: Tunnel | None = None
        self._trouble: tuple[float, str] = (0.0, "")

    @property
    def remote(self) -> str:
        """The host that the engine is on; empty where it is this one."""
        url = urlsplit(self.host)
        return "" if url.scheme == "unix" or _is_loopback(url.hostname or "") else url.hostname or ""

    @contextlib.contextmanager
    def asked(self, what: str = "") -> Iterator[Any]:
        """The client of the API.

        ConnectionError where the engine does not answer; LookupError where it knows of no such thing;
        OSError where it refuses `what` it was asked to do, FileExistsError where something that is
        there, or goes on, stands against it.
        """
        from docker.errors import APIError, DockerException, NotFound
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        api = None
        try:
            api = self._connected()
            yield api
        except NotFound as error:
            raise LookupError(self.says(what, _explained(error))) from None
        except APIError as error:
            kind = FileExistsError if error.status_code == _CONFLICT else OSError
            raise kind(self.says(what, _explained(error))) from None
        except (DockerException, RequestException, HTTPError) as error:
            raise self._lost(_reason(error), api) from None

    def says(self, *parts: str) -> str:
        """A message of this executor's."""
        return ": ".join([f"executor {self.executor}", *filter(None, parts)])

    def _connected(self) -> Any:
        with self._lock:
            until, why = self._trouble
            if time.monotonic() < until:
                raise ConnectionError(why)
            if self._api is None:
                self._api = self._connect()
            return self._api

    def _connect(self) -> Any:
        from docker import APIClient

        class Client(APIClient):  # type: ignore[misc]
            """No proxy stands before an engine, and no authority vouches for it but its own."""

            trust_env = property(lambda self: False, lambda self, value: None)

        if urlsplit(self.host).scheme == "ssh":
            self._tunnel = Tunnel(self.host)
            try:
                base = self._tunnel.open()
            except OSError as error:
                raise self._lost(str(error)) from None
        else:
            base = self.host
        return Client(
            base_url=base,
            version="auto",
            timeout=_TIMEOUT,
            tls=self._tls(),
            max_pool_size=_CONNECTIONS,
        )

    def _tls(self) -> Any:
        """What an engine over TCP is known by, and knows us by: as Docker's own client has it."""
        url = urlsplit(self.host)
        if url.scheme != "tcp":
            return False
        if _is_loopback(url.hostname or "") and not os.environ.get("DOCKER_TLS_VERIFY"):
            return False
        from docker.tls import TLSConfig

        folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
        ca, cert, key = (str(folder / f"{name}.pem") for name in ("ca", "cert", "key"))
        lacking = [path for path in (ca, cert, key) if not Path(path).exists()]
        if lacking:
            wanted = "an engine over TCP is asked by TLS, and there is no"
            raise OSError(self.says(f"{wanted} {lacking[0]} ($DOCKER_CERT_PATH names the folder)"))
        return TLSConfig(client_cert=(cert, key), ca_cert=ca, verify=True)

    def _lost(self, reason: str, api: Any = None) -> ConnectionError:
        """The connection `api` is of no use; one that others have made since is."""
        why = self.says(f"cannot reach the engine at {self.host}", reason)
        if api is None or api is self._api:
            self._trouble = (time.monotonic() + _QUIET, why)
            self.close()
        return ConnectionError(why)

    def close(self) -> None:
        """Let go of the connection; the next question makes another."""
        self._api = None
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel.close()


def _is_loopback(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return name == "localhost"


def _explained(error: Any) -> str:
    """The engine's own words, in one line."""
    said = error.explanation or str(error)
    if isinstance(said, bytes):
        said = said.decode(errors="replace")
    if "could not select device driver" in said:  # the one that it is asked for is for GPUs
        return "it has no GPUs for containers, for want of NVIDIA's container toolkit"
    return " ".join(str(said).split())


def _reason(error: BaseException) -> str:
    """The innermost reason: `connection refused`, where there is an error of the system's."""
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in seen:
        seen.append(found)
        inner = [part for part in found.args if isinstance(part, BaseException)]
        found = found.__cause__ or found.__context__ or (inner[0] if inner else None)
    for one in reversed(seen):
        if isinstance(one, TimeoutError | socket.timeout):
            return "no answer in time"
        if isinstance(one, OSError) and one.strerror:
            return one.strerror[:1].lower() + one.strerror[1:]
    said = str(seen[-1]) or type(seen[-1]).__name__
    return said.splitlines()[0]
