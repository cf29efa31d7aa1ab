"""The socket of an engine on another host, brought here by ssh.

The session runs `cat` there and ends with its input, so it does not outlive evalmake, however that
ends. ssh asks for nothing: keys and known hosts must be in order.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

_THERE = "/var/run/docker.sock"
_WAIT = 30.0
_OPTIONS = ("BatchMode=yes", "ExitOnForwardFailure=yes", "ServerAliveInterval=15")


class Tunnel:
    """`ssh://[USER@]HOST[:PORT][/PATH/TO/SOCKET]`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._folder = Path(tempfile.mkdtemp(prefix="evalmake-"))
        self._socket = self._folder / "engine"
        self._argv = ["ssh", "-T", "-L", f"{self._socket}:{parts.path.rstrip('/') or _THERE}"]
        self._argv += [word for option in _OPTIONS for word in ("-o", option)]
        self._argv += ["-p", str(parts.port)] if parts.port else []
        self._argv += ["-l", parts.username] if parts.username else []
        self._argv += ["--", parts.hostname or "", "cat"]
        self._ssh: subprocess.Popen[bytes] | None = None

    def open(self) -> str:
        """The address of the socket's near end; OSError with what ssh says."""
        with (self._folder / "said").open("wb") as said:
            self._ssh = subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        deadline = time.monotonic() + _WAIT
        while not self._socket.exists():
            if self._ssh.poll() is not None or time.monotonic() > deadline:
                lines = (self._folder / "said").read_text(errors="replace").split("\n")
                words = [line.strip() for line in lines if line.strip()]
                self.close()
                raise OSError(words[-1] if words else "ssh did not connect in time")
            time.sleep(0.02)
        return f"unix://{self._socket}"

    def close(self) -> None:
        """End the session."""
        if self._ssh is not None:
            self._ssh.kill()
            self._ssh.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)
