"""Mock servers that a test starts itself, so as to count what they are asked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from workspaces import wait_for


@contextmanager
def mock_server(settings: Mapping[str, object], port: Path) -> Iterator[str]:
    """A server with these settings that writes its port to `port`; its root URL."""
    argv = [sys.executable, "-m", "evalmake.mock", "--port-file", str(port)]
    server = subprocess.Popen([*argv, "--settings", json.dumps(settings)])
    try:
        wait_for(port.exists)
        yield f"http://127.0.0.1:{int(port.read_text())}"
    finally:
        server.terminate()
        server.wait()


def requests(url: str) -> int:
    """How many requests the server at a root URL had."""
    with urlopen(f"{url}/stats") as reply:
        count: int = json.load(reply)["requests"]
    return count
