"""Where Slurm's commands are: this host, or a login node that OpenSSH's own client reaches.

ssh is whatever the user's configuration makes of it: keys, agents, jump hosts, second factors. One
connection is kept and shared by all commands; where the configuration shares connections already,
that one is used.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_KEPT = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
_OF_SLURM = ("SLURM_CONF", "SLURM_JWT", "MODULE")  # not SBATCH_..., which would overrule scripts
_OPTIONS = ("ConnectTimeout=20", "ServerAliveInterval=15", "ServerAliveCountMax=4")
_NO_CONNECTION = 255
_CHUNK = 1 << 20


class Refused(OSError):
    """A command ended with a status that is no 0; the text is what it said last."""


class Shell:
    """Runs texts of the shell; ConnectionError where the host cannot be reached."""

    def __init__(self, host: str | None, patience: float = 120.0) -> None:
        self.host = host
        self.patience = patience
        self._folder: Path | None = None
        self._argv: list[str] = []

    def run(self, text: str, data: bytes | IO[bytes] = b"") -> bytes:
        """What `text` prints, given `data` to read."""
        given: dict[str, Any] = {"input": data} if isinstance(data, bytes) else {"stdin": data}
        try:
            done = subprocess.run(
                self._command(text),
                **given,
                capture_output=True,
                timeout=self.patience,
                env=_environment(),
                start_new_session=not _terminal(),
            )
        except subprocess.TimeoutExpired:
            raise ConnectionError(f"{self.place} did not answer within {self.patience:g}s") from None
        self._check(done.returncode, done.stderr)
        return bytes(done.stdout)

    def read(self, text: str) -> Iterator[bytes]:
        """What `text` prints, as it comes."""
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                self._command(text), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=_environment()
            )
            assert process.stdout is not None
            try:
                while chunk := process.stdout.read1(_CHUNK):  # type: ignore[attr-defined]
                    yield chunk
                process.wait()
                said.seek(0)
                self._check(process.returncode, said.read())
            finally:
                process.kill()
                process.wait()
                process.stdout.close()

    def forward(self, host: str, port: int, near: int) -> None:
        """Let the port `near` of this host lead to a port that the login node reaches."""
        argv = [*self._ssh(), "-O", "forward", "-L", f"127.0.0.1:{near}:{host}:{port}", "--"]
        done = subprocess.run([*argv, self.host or ""], capture_output=True, timeout=self.patience)
        self._check(done.returncode, done.stderr)

    @property
    def place(self) -> str:
        """In messages."""
        return f"host {self.host}" if self.host else "this host"

    def close(self) -> None:
        """End the connection, if it is our own."""
        if self._folder is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                argv = [*self._ssh(), "-O", "exit", "--", self.host or ""]
                subprocess.run(argv, capture_output=True, timeout=10)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder, self._argv = None, []

    def _command(self, text: str) -> list[str]:
        if self.host is None:
            return ["/bin/sh", "-c", text]
        return [*self._ssh(), "--", self.host, f"exec /bin/sh -c {shlex.quote(text)}"]

    def _ssh(self) -> list[str]:
        """The client with our options, begun when first needed."""
        if not self._argv:
            argv = ["ssh", "-T", *(word for option in _OPTIONS for word in ("-o", option))]
            argv += [] if _terminal() else ["-o", "BatchMode=yes"]
            if not self._shared(argv):
                self._folder = Path(tempfile.mkdtemp(prefix="evm-", dir="/tmp"))
                argv += ["-o", "ControlMaster=auto", "-o", f"ControlPath={self._folder}/s"]
                argv += ["-o", "ControlPersist=300"]
            self._argv = argv
        return self._argv

    def _shared(self, argv: list[str]) -> bool:
        """Whether the user's own configuration keeps a connection to the host."""
        asked = [*argv, "-G", "--", self.host or ""]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            told = subprocess.run(asked, capture_output=True, timeout=20, text=True).stdout
            lines = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
            return lines.get("controlmaster", "false") in ("auto", "true", "yes", "autoask")
        return False

    def _check(self, status: int, said: bytes) -> None:
        if status == 0:
            return
        lines = [line.strip() for line in said.decode(errors="replace").splitlines()]
        told = next((line for line in reversed(lines) if line), f"exit status {status}")
        if self.host is not None and status == _NO_CONNECTION:
            raise ConnectionError(f"{self.place} cannot be reached: {told}")
        raise Refused(told)


def _environment() -> dict[str, str]:
    """What sbatch hands on to jobs: nothing that merely surrounds evalmake."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(_OF_SLURM) or name.startswith("SSH_")
    }


def _terminal() -> bool:
    """Whether somebody is there to answer what ssh asks."""
    return sys.stdin is not None and sys.stdin.isatty()
