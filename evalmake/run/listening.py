"""Servers from without: by what port one is reached, and whether it answers."""

from __future__ import annotations

import contextlib
import http.client
import socket
from pathlib import Path

SILENT = "no answer"


def read_port(path: Path) -> int | None:
    """The port that a server has written down, once it has."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def listens(port: int) -> bool:
    """Whether anything listens on a port of this host."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


def unanswered(host: str, port: int, health: str) -> str:
    """What came of GET `health` in half a second; empty where it was a 2xx."""
    connection = http.client.HTTPConnection(host, port, timeout=0.5)
    try:
        connection.request("GET", health)
        status = connection.getresponse().status
        return "" if 200 <= status < 300 else f"status {status}"
    except (OSError, http.client.HTTPException):
        return SILENT
    finally:
        connection.close()
