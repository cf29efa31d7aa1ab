"""Mock servers that a test starts itself, to count their requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.support.workspaces import wait_for


@contextmanager
def mock_server(
    settings: Mapping[str, object], port: Path, api_key: str = "", host: str = "127.0.0.1"
) -> Iterator[str]:
    """A server with these settings that writes its port to `port`; its root URL."""
    argv = [sys.executable, "-m", "evalmake.engines.mock", "--host", host, "--port-file", str(port)]
    argv += ["--settings", json.dumps(settings)]
    server = subprocess.Popen(argv, env=os.environ | {"MOCK_API_KEY": api_key})
    try:
        wait_for(port.exists)
        yield f"http://{host}:{int(port.read_text())}"
    finally:
        server.terminate()
        server.wait()


def read_stats(url: str) -> dict[str, Any]:
    """What the server at a root URL counted."""
    with urlopen(f"{url}/stats") as reply:
        counts: dict[str, Any] = json.load(reply)
    return counts


def count_requests(url: str) -> int:
    """How many requests the server at a root URL had."""
    count: int = read_stats(url)["requests"]
    return count
