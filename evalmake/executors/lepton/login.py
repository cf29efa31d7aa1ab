"""Which workspace, and by what token: as settings say, or as `lep login` has left it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evalmake.executors.lepton.settings import Settings

_API = "https://gateway.dgxc-lepton.nvidia.com/api/v2/workspaces"
_FILE = "workspace_info.yaml"


def address(settings: Settings, reveal: Callable[[str], str]) -> tuple[str, str]:
    """The URL of a workspace's API, and its token; OSError where they are not known."""
    name, url = settings.workspace, settings.url
    token = reveal(settings.token.name) if settings.token else ""
    if not token or not (name or url):
        known = _logged_in(name)
        name = name or str(known.get("id") or "")
        url = url or (str(known["url"]) if known.get("url") else None)
        token = token or str(known.get("auth_token") or "")
    if not (name or url):
        raise OSError("no workspace is named: add `workspace`, or run: lep login")
    if not token:
        raise OSError(f"there is no token of workspace {name}: add `token`, or run: lep login")
    return url or f"{_API}/{name}", token


def _logged_in(name: str | None) -> Mapping[str, Any]:
    """What Lepton's own client knows of a workspace, or of the one that it uses now."""
    import yaml

    folder = os.environ.get("LEPTON_CACHE_DIR") or Path.home() / ".cache" / "lepton"
    try:
        told = yaml.safe_load((Path(folder) / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    if not isinstance(told, dict) or not isinstance(told.get("workspaces"), dict):
        return {}
    name = name or str(told.get("current_workspace") or "")
    known = told["workspaces"].get(name)
    return {"id": name, **known} if isinstance(known, dict) else {}
