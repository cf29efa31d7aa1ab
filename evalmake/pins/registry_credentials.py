"""Finds credentials for registries in Docker's configuration: `auths`, `credHelpers`, `credsStore`."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_HELPER_TIMEOUT = 30  # seconds; a helper may ask its user to touch a key


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password, or an identity token; never printed."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def find_credentials(server: str) -> Credentials | None:
    """The credentials for `server`, a host or Docker Hub's URL; None without any."""
    folder = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    config = _read_config(Path(folder) / "config.json")
    host = _host_of(server)
    helpers = {_host_of(name): helper for name, helper in _read_map(config, "credHelpers").items()}
    helper = helpers.get(host) or config.get("credsStore")
    if isinstance(helper, str) and (found := _ask_helper(helper, server)):
        return found
    entries = {_host_of(name): entry for name, entry in _read_map(config, "auths").items()}
    entry = entries.get(host)
    return _read_entry(entry) if isinstance(entry, Mapping) else None


def _read_config(path: Path) -> Mapping[str, Any]:
    """The configuration; empty if it cannot be read, as in Docker."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _read_map(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = config.get(key)
    return found if isinstance(found, dict) else {}


def _host_of(server: str) -> str:
    """The host and port of a server; entries may be URLs with paths."""
    return server.partition("://")[2].partition("/")[0] or server.partition("/")[0]


def _read_entry(entry: Mapping[str, Any]) -> Credentials | None:
    """The credentials in an entry of `auths`."""
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


def _ask_helper(helper: str, server: str) -> Credentials | None:
    """The credentials from `docker-credential-HELPER get`; None if it has none or is not installed."""
    import subprocess

    try:
        process = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=server,
            capture_output=True,
            text=True,
            timeout=_HELPER_TIMEOUT,
        )
        answer = json.loads(process.stdout) if process.returncode == 0 else {}
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    if not isinstance(answer, dict) or not answer.get("Secret"):
        return None
    if answer.get("Username") == "<token>":
        return Credentials(token=str(answer["Secret"]))
    return Credentials(str(answer.get("Username", "")), str(answer["Secret"]))
