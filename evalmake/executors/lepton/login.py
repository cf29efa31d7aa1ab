"""Which workspace to use, and by what token: as the settings say, or as `lep login` stored it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evalmake.executors.lepton.settings import Settings

_API = "https://gateway.dgxc-lepton.nvidia.com/api/v2/workspaces"
_FILE = "workspace_info.yaml"


def find_workspace(settings: Settings, reveal: Callable[[str], str]) -> tuple[str, str]:
    """Return the URL of a workspace's API, and its token; OSError if they are not known."""
    name, url = settings.workspace, settings.url
    token = reveal(settings.token.name) if settings.token else ""
    if not token or not (name or url):
        login = _read_login(name)
        name = name or str(login.get("id") or "")
        url = url or (str(login["url"]) if login.get("url") else None)
        token = token or str(login.get("auth_token") or "")
    if not (name or url):
        raise OSError("no workspace is named: add `workspace`, or run: lep login")
    if not token:
        raise OSError(f"there is no token for workspace {name}: add `token`, or run: lep login")
    return url or f"{_API}/{name}", token


def _read_login(name: str | None) -> Mapping[str, Any]:
    """Return what Lepton's own client knows of the workspace `name`, or of its current one."""
    import yaml

    folder = os.environ.get("LEPTON_CACHE_DIR") or Path.home() / ".cache" / "lepton"
    try:
        content = yaml.safe_load((Path(folder) / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    if not isinstance(content, dict) or not isinstance(content.get("workspaces"), dict):
        return {}
    name = name or str(content.get("current_workspace") or "")
    login = content["workspaces"].get(name)
    return {"id": name, **login} if isinstance(login, dict) else {}
