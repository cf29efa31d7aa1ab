"""Runs commands where a cluster's commands are: on this host, or on a login node by way of ssh.

OpenSSH's own client reaches the login node, with whatever the user's configuration says: keys, agents, jump
hosts, second factors. All commands share one connection. If the configuration shares connections already,
that one is used. Login shells may print a greeting before each command: it is dropped.
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
from secrets import token_hex
from typing import IO, Any

from evalmake.executors.passed_environment import PASSED_ON

_PASSED_ON = (*PASSED_ON, "LOGNAME")
_SLURM_PREFIXES = ("SLURM_CONF", "SLURM_JWT", "MODULE")  # not SBATCH_: it would overrule the scripts
_OPTIONS = ("ConnectTimeout=20", "ServerAliveInterval=15", "ServerAliveCountMax=4")
_SSH_FAILED = 255  # the exit status of ssh itself
_CHUNK = 1 << 20
_NO_REASONS = ("Exiting with failure status due to previous errors", "exiting now", "Skipping to next header")
"""What tar says after the reason for its failure."""


class CommandFailed(OSError):
    """A command ended with a status other than 0; the text is the last line that says why."""


class Shell:
    """Runs shell commands on `host`, or on this host if it is None.

    ConnectionError if the host cannot be reached, or a command takes longer than `timeout` seconds.
    """

    def __init__(self, host: str | None, timeout: float = 120.0) -> None:
        self.host = host
        self.timeout = timeout
        self._marker = f"evalmake-{token_hex(8)}\n".encode()  # begins the output of each command on a host
        self._folder: Path | None = None
        self._argv: list[str] = []

    def run(self, text: str, data: bytes | IO[bytes] = b"") -> bytes:
        """Run `text` with `data` as its standard input, and return what it prints."""
        given: dict[str, Any] = {"input": data} if isinstance(data, bytes) else {"stdin": data}
        try:
            done = subprocess.run(
                self._command(text),
                **given,
                capture_output=True,
                timeout=self.timeout,
                env=_environment(),
                start_new_session=not _has_terminal(),
            )
        except subprocess.TimeoutExpired:
            raise ConnectionError(f"{self.place} did not answer within {self.timeout:g}s") from None
        self._check(done.returncode, done.stderr)
        return self._after_marker(done.stdout)

    def stream(self, text: str) -> Iterator[bytes]:
        """Run `text`, and yield what it prints as it comes."""
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self._command(text), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=_environment()
            )
            assert process.stdout is not None
            try:
                noise: bytes | None = b"" if self.host else None
                while chunk := process.stdout.read1(_CHUNK):  # type: ignore[attr-defined]
                    if noise is not None:
                        noise += chunk
                        if self._marker not in noise and len(noise) < _CHUNK:
                            continue
                        chunk, noise = self._after_marker(noise), None
                    if chunk:
                        yield chunk
                process.wait()
                errors.seek(0)
                self._check(process.returncode, errors.read())
                if noise is not None:
                    self._after_marker(noise)
            finally:
                process.kill()
                process.wait()
                process.stdout.close()

    def forward_port(self, host: str, port: int, local_port: int) -> None:
        """Let `local_port` of this host lead to a port that the login node reaches."""
        argv = [*self._ssh(), "-O", "forward", "-L", f"127.0.0.1:{local_port}:{host}:{port}", "--"]
        done = subprocess.run([*argv, self.host or ""], capture_output=True, timeout=self.timeout)
        self._check(done.returncode, done.stderr)

    @property
    def place(self) -> str:
        """Where commands run, for messages."""
        return f"host {self.host}" if self.host else "this host"

    def close(self) -> None:
        """End the connection, unless the user's configuration shares it."""
        if self._folder is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                argv = [*self._ssh(), "-O", "exit", "--", self.host or ""]
                subprocess.run(argv, capture_output=True, timeout=10)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder, self._argv = None, []

    def _command(self, text: str) -> list[str]:
        if self.host is None:
            return ["/bin/sh", "-c", text]
        return [*self._ssh(), "--", self.host, f"exec /bin/sh -c {shlex.quote(self._after_echo(text))}"]

    def _after_echo(self, text: str) -> str:
        return f"echo {self._marker.decode().strip()}; {text}"

    def _after_marker(self, output: bytes) -> bytes:
        """Return what a command printed, without what the login shell's own files printed before it began."""
        if self.host is None:
            return output
        _, marker, rest = output.partition(self._marker)
        if not marker:
            raise ConnectionError(f"{self.place} ran another program than /bin/sh: its login shell runs its own")
        return rest

    def _ssh(self) -> list[str]:
        """Return the words that call ssh with our options."""
        if not self._argv:
            argv = ["ssh", "-T", *(word for option in _OPTIONS for word in ("-o", option))]
            argv += [] if _has_terminal() else ["-o", "BatchMode=yes"]
            if not self._is_connection_shared(argv):
                self._folder = Path(tempfile.mkdtemp(prefix="evm-", dir="/tmp"))
                argv += ["-o", "ControlMaster=auto", "-o", f"ControlPath={self._folder}/s"]
                argv += ["-o", "ControlPersist=300"]
            self._argv = argv
        return self._argv

    def _is_connection_shared(self, argv: list[str]) -> bool:
        """Return whether the user's own configuration shares a connection to the host."""
        show_configuration = [*argv, "-G", "--", self.host or ""]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            printed = subprocess.run(show_configuration, capture_output=True, timeout=20, text=True).stdout
            lines = dict(line.split(" ", 1) for line in printed.splitlines() if " " in line)
            return lines.get("controlmaster", "false") in ("auto", "true", "yes", "autoask")
        return False

    def _check(self, status: int, errors: bytes) -> None:
        if status == 0:
            return
        lines = [line.strip() for line in errors.decode(errors="replace").splitlines()]
        reasons = [line for line in lines if line and not line.endswith(_NO_REASONS)]
        last = [f"exit status {status}", *reasons][-1]
        if self.host is not None and status == _SSH_FAILED:
            raise ConnectionError(f"{self.place} cannot be reached: {last}")
        raise CommandFailed(last)


def _environment() -> dict[str, str]:
    """Return the variables for commands. sbatch passes them on to jobs, so they are few."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith(_SLURM_PREFIXES) or name.startswith("SSH_")
    }


def _has_terminal() -> bool:
    """Return whether a person can answer the questions of ssh."""
    return sys.stdin is not None and sys.stdin.isatty()
