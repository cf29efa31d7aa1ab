"""Servers from without: by what port one is reached, and whether it answers."""

from __future__ import annotations

import contextlib
import http.client
import socket
from pathlib import Path
from urllib.parse import urlsplit

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


def unanswered(url: str, health: str, key: str = "") -> str:
    """What came of GET `health` in half a second, or five where it is far away; empty where it was a 2xx."""
    parts = urlsplit(url)
    far = parts.scheme == "https"
    sort = http.client.HTTPSConnection if far else http.client.HTTPConnection
    connection = sort(parts.hostname or "", parts.port, timeout=5 if far else 0.5)
    try:
        head = {"Authorization": f"Bearer {key}"} if key else {}
        connection.request("GET", parts.path + health, headers=head)
        status = connection.getresponse().status
        return "" if 200 <= status < 300 else f"status {status}"
    except (OSError, http.client.HTTPException):
        return SILENT
    finally:
        connection.close()
