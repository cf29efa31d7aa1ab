"""Resolves branches and tags of the Hugging Face Hub to commits."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx

from evalmake.pins.registry_client import UnresolvedName, check_reply, send_request

_ENDPOINT = "https://huggingface.co"


def resolve_commit(text: str, sort: str) -> str:
    """The commit of `hf://OWNER/NAME@REVISION` (`main` without one); UnresolvedName with the reason."""
    name, _, revision = text.removeprefix("hf://").partition("@")
    data = sort == "dataset" or name.startswith("datasets/")
    kind = "datasets" if data else "models"
    repository = name.removeprefix("datasets/")
    endpoint = os.environ.get("HF_ENDPOINT") or _ENDPOINT
    url = f"{endpoint.rstrip('/')}/api/{kind}/{quote(repository)}/revision/{quote(revision or 'main', safe='')}"
    token = _find_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    host = urlsplit(endpoint).netloc
    reply = check_reply(
        send_request(host, lambda: httpx.get(url, headers=headers, timeout=30.0, follow_redirects=True)),
        host,
        f"{repository}@{revision or 'main'}",
        "set HF_TOKEN, or accept the terms of a gated repository",
    )
    try:
        found = reply.json()["sha"]
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, str) or len(found) != 40 or set(found) - set("0123456789abcdef"):
        raise UnresolvedName(f"{host} sent no commit for {repository}")
    return found


def _find_token() -> str:
    """The Hub's token, from the environment or from the file that `huggingface-cli login` writes; empty without one."""
    if token := os.environ.get("HF_TOKEN"):
        return token
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    try:
        return Path(home, "token").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
