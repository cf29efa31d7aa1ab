"""The emulator of DGX Cloud Lepton as a service of the tests, in an environment with `leptonai`.

That package wants other versions than evalmake's, so it is installed apart, once, in
$EVALMAKE_TEST_SERVICES, by default in the temporary folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.daemons import port, until
from tests.support.debian import HOME
from tests.support.repository import ROOT

CLIENT = "leptonai==0.47.1"
NEEDED = (
    "click",
    "contextlib2",
    "fastapi",
    "h2",
    "httpx==0.27.2",
    "loguru",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "pydantic",
    "pyyaml",
    "requests",
    "rich",
)
"""Of what the package names, that which its API imports: the rest is half a gigabyte."""
TOKEN = "a token of the workspace"
WORKSPACE = "acme"


def lacking() -> str:
    """Why no emulator can be had here; empty where one can."""
    if os.geteuid() != 0:
        return "its containers are made by root"
    missing = [name for name in ("ip", "setpriv", "unshare") if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


def python() -> str:
    """The interpreter that has the package."""
    folder = HOME / CLIENT.replace("==", "-")
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "leptonai.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            pip = [folder / "bin" / "pip", "install", "-q"]
            subprocess.run([*pip, *NEEDED], check=True)
            subprocess.run([*pip, "--no-deps", CLIENT], check=True)
            (folder / "complete").touch()
    return str(folder / "bin" / "python")


@dataclass
class Lepton:
    """A running emulator; `volume` is the folder that stands for its volume `shared`."""

    folder: Path
    origin: str

    @property
    def url(self) -> str:
        """That of the workspace's API."""
        return f"{self.origin}/api/v2/workspaces/{WORKSPACE}"

    @property
    def volume(self) -> Path:
        """The volume, as a host has it mounted."""
        return self.folder / "volumes" / "shared"

    def tell(self, **words: Any) -> None:
        """Have it do something differently from now on."""
        self._ask("/_control", words)

    def fault(self, method: str, path: str, kind: str = "status", **more: Any) -> None:
        """Spoil the next requests of a method whose path fits an expression."""
        self.tell(fault={"method": method, "path": path, "kind": kind, **more})

    def state(self) -> Any:
        """What there is, and was ever made."""
        return self._ask("/_state")

    def arrivals(self) -> list[float]:
        """When each request came."""
        return [float(at) for at in self._ask("/_arrivals")]

    def calls(self) -> list[tuple[str, str]]:
        """All requests so far: method and path."""
        return [(method, path) for method, path in self._ask("/_calls")]

    def client(self, text: str) -> Any:
        """What an expression over `client`, that of the public package, gives, as JSON has it."""
        program = (
            "import json, sys\nfrom leptonai.api.v2.client import APIClient\n"
            f"client = APIClient({WORKSPACE!r}, {TOKEN!r}, {self.url!r})\n"
            "def plain(x): return x.model_dump(mode='json', by_alias=True) if hasattr(x, 'model_dump') "
            "else [plain(y) for y in x] if isinstance(x, list) else x\n"
            f"print(json.dumps(plain({text})))"
        )
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        env["LEPTON_CACHE_DIR"] = str(self.folder / "cache")
        done = subprocess.run([python(), "-c", program], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _ask(self, path: str, words: Any = None) -> Any:
        data = None if words is None else json.dumps(words).encode()
        with urllib.request.urlopen(urllib.request.Request(self.origin + path, data)) as reply:
            return json.loads(reply.read())


class Emulators:
    """A process that has imported all that the emulator needs, and forks one for each test."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", python(), ROOT / "tests" / "support" / "lepton_emulator.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def command(self, *words: object) -> int:
        """Have a command carried out; return its result."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        assert reply, "the emulators' process ended; its message is above"
        return int(reply)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def lepton(folder: Path, emulators: Emulators) -> Iterator[Lepton]:
    """An emulator of a test's own."""
    folder.mkdir(parents=True)
    number = port()
    service = Lepton(folder, f"http://127.0.0.1:{number}")
    service.volume.mkdir(parents=True)
    pid = emulators.command("start", str(folder), number)

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return bool(service.state())
        return False

    try:
        until(answers, lambda: (folder / "log").read_text())
        yield service
    finally:
        emulators.command("stop", pid)
