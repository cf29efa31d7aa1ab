"""Forwards the socket of an engine on another host to this one, by ssh.

The session runs `cat` there and ends with its input, so it ends with evalmake, however that ends. ssh asks no
questions: keys and known hosts must be in order.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

_DEFAULT_SOCKET = "/var/run/docker.sock"
_TIMEOUT = 30.0
_OPTIONS = ("BatchMode=yes", "ExitOnForwardFailure=yes", "ServerAliveInterval=15")


class SshTunnel:
    """A tunnel to `ssh://[USER@]HOST[:PORT][/PATH/TO/SOCKET]`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._folder = Path(tempfile.mkdtemp(prefix="evalmake-"))
        self._socket = self._folder / "engine"
        self._argv = ["ssh", "-T", "-L", f"{self._socket}:{parts.path.rstrip('/') or _DEFAULT_SOCKET}"]
        self._argv += [word for option in _OPTIONS for word in ("-o", option)]
        self._argv += ["-p", str(parts.port)] if parts.port else []
        self._argv += ["-l", parts.username] if parts.username else []
        self._argv += ["--", parts.hostname or "", "cat"]
        self._ssh: subprocess.Popen[bytes] | None = None

    def open(self) -> str:
        """Open the tunnel and return the address of its local socket; OSError with the message of ssh."""
        with (self._folder / "errors").open("wb") as errors:
            self._ssh = subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors)
        deadline = time.monotonic() + _TIMEOUT
        while not self._socket.exists():
            if self._ssh.poll() is not None or time.monotonic() > deadline:
                lines = (self._folder / "errors").read_text(errors="replace").split("\n")
                messages = [line.strip() for line in lines if line.strip()]
                self.close()
                raise OSError(messages[-1] if messages else "ssh did not connect in time")
            time.sleep(0.02)
        return f"unix://{self._socket}"

    def close(self) -> None:
        """End the session."""
        if self._ssh is not None:
            self._ssh.kill()
            self._ssh.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)
