"""Who we are to a registry, as Docker's own configuration says: `auths`, `credHelpers`, `credsStore`."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PATIENCE = 30  # s; a helper may ask its user to touch a key


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password, or a token that stands for both; neither is ever printed."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def find_credentials(server: str) -> Credentials | None:
    """What Docker would say to `server` (a host, or a URL in the case of its own hub)."""
    folder = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    config = _config(Path(folder) / "config.json")
    host = _host(server)
    helpers = {_host(name): helper for name, helper in _map(config, "credHelpers").items()}
    helper = helpers.get(host) or config.get("credsStore")
    if isinstance(helper, str) and (found := _helped(helper, server)):
        return found
    entries = {_host(name): entry for name, entry in _map(config, "auths").items()}
    entry = entries.get(host)
    return _written(entry) if isinstance(entry, Mapping) else None


def _config(path: Path) -> Mapping[str, Any]:
    """The configuration; one that cannot be read says nothing, as to Docker."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _map(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = config.get(key)
    return found if isinstance(found, dict) else {}


def _host(server: str) -> str:
    """A server's host and port: entries may be URLs with paths."""
    return server.partition("://")[2].partition("/")[0] or server.partition("/")[0]


def _written(entry: Mapping[str, Any]) -> Credentials | None:
    """An entry of `auths`."""
    if entry.get("identitytoken"):
        return Credentials(token=str(entry["identitytoken"]))
    try:
        text = base64.b64decode(str(entry.get("auth", ""))).decode()
    except ValueError:
        return None
    user, colon, password = text.partition(":")
    if colon:
        return Credentials(user, password.rstrip("\0"))
    user, password = str(entry.get("username", "")), str(entry.get("password", ""))
    return Credentials(user, password) if user else None


def _helped(helper: str, server: str) -> Credentials | None:
    """What `docker-credential-HELPER get` says; None where it knows nothing or is not there."""
    import subprocess

    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=server,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        told = json.loads(done.stdout) if done.returncode == 0 else {}
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    if not isinstance(told, dict) or not told.get("Secret"):
        return None
    if told.get("Username") == "<token>":
        return Credentials(token=str(told["Secret"]))
    return Credentials(str(told.get("Username", "")), str(told["Secret"]))
