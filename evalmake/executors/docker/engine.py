"""Connects to a Docker engine, and turns its errors into those of an executor."""

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

from evalmake.executors.docker.ssh_tunnel import SshTunnel

_DEFAULT = "unix:///var/run/docker.sock"
_TIMEOUT = 30.0  # seconds for an answer to a question
_CHANGE_TIMEOUT = 120.0  # for a change: a busy host takes long to create, start and remove a container
_CONFLICT = 409
_BACKOFF = 1.0  # seconds for which an engine that did not answer is not asked again
_CONNECTIONS = 64  # one is held for the log of each running job


class Engine:
    """A connection that is made when it is first needed, and made again after it was lost."""

    def __init__(self, executor: str, host: str | None) -> None:
        self.executor = executor
        self.host = host or os.environ.get("DOCKER_HOST") or _DEFAULT
        self._lock = threading.Lock()
        self._api: Any = None
        self._tunnel: SshTunnel | None = None
        self._trouble: tuple[float, str] = (0.0, "")

    @property
    def remote_host(self) -> str:
        """The host of the engine; empty if that is this one."""
        url = urlsplit(self.host)
        return "" if url.scheme == "unix" or _is_loopback(url.hostname or "") else url.hostname or ""

    @contextlib.contextmanager
    def call(self, failure: str = "") -> Iterator[Any]:
        """Give the client of the API; `failure` begins the messages of refusals.

        ConnectionError if the engine does not answer, LookupError if it has no such thing, FileExistsError if
        something else is in the way, OSError for other refusals.
        """
        from docker.errors import APIError, DockerException, NotFound
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        api = None
        try:
            api = self._connected()
            yield api
        except NotFound as error:
            raise LookupError(self.message(failure, _engine_message(error))) from None
        except APIError as error:
            kind = FileExistsError if error.status_code == _CONFLICT else OSError
            raise kind(self.message(failure, _engine_message(error))) from None
        except (DockerException, RequestException, HTTPError) as error:
            raise self._connection_lost(_innermost_reason(error), api) from None

    def message(self, *parts: str) -> str:
        """Return a message with the name of the executor."""
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
            """Ignores the proxies and certificates of the environment, and waits longer for changes."""

            trust_env = property(lambda self: False, lambda self, value: None)

            def _post(self, url: str, **given: Any) -> Any:
                return super()._post(url, **({"timeout": _CHANGE_TIMEOUT} | given))

            def _put(self, url: str, **given: Any) -> Any:
                return super()._put(url, **({"timeout": _CHANGE_TIMEOUT} | given))

            def _delete(self, url: str, **given: Any) -> Any:
                return super()._delete(url, **({"timeout": _CHANGE_TIMEOUT} | given))

        if urlsplit(self.host).scheme == "ssh":
            self._tunnel = SshTunnel(self.host)
            try:
                base = self._tunnel.open()
            except OSError as error:
                raise self._connection_lost(str(error)) from None
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
        """Return the certificates for an engine over TCP, from where Docker's own client has them."""
        url = urlsplit(self.host)
        if url.scheme != "tcp":
            return False
        if _is_loopback(url.hostname or "") and not os.environ.get("DOCKER_TLS_VERIFY"):
            return False
        from docker.tls import TLSConfig

        folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
        ca, cert, key = (str(folder / f"{name}.pem") for name in ("ca", "cert", "key"))
        missing = [path for path in (ca, cert, key) if not os.path.exists(path)]
        if missing:
            why = "an engine over TCP needs TLS, and there is no"
            raise OSError(self.message(f"{why} {missing[0]} ($DOCKER_CERT_PATH names the folder)"))
        return TLSConfig(client_cert=(cert, key), ca_cert=ca, verify=True)

    def _connection_lost(self, reason: str, api: Any = None) -> ConnectionError:
        """Drop the connection `api`, but not a newer one that another thread made, and return the error."""
        why = self.message(f"cannot reach the engine at {self.host}", reason)
        if api is None or api is self._api:
            self._trouble = (time.monotonic() + _BACKOFF, why)
            self.close()
        return ConnectionError(why)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._api = None
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel.close()


def _is_loopback(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return name == "localhost"


def _engine_message(error: Any) -> str:
    """Return the engine's own message, in one line."""
    message = error.explanation or str(error)
    if isinstance(message, bytes):
        message = message.decode(errors="replace")
    if "could not select device driver" in message:  # GPUs are the only devices that evalmake asks for
        return "it has no GPUs for containers: NVIDIA's container toolkit is missing"
    return " ".join(str(message).split())


def _innermost_reason(error: BaseException) -> str:
    """Return the innermost reason of an error, such as `connection refused`."""
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
    message = str(seen[-1]) or type(seen[-1]).__name__
    return message.splitlines()[0]
