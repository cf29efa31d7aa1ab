"""The Hugging Face Hub by its HTTP API: commits of branches and tags, files of data sets."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import httpx

from evalmake.pins.hub_address import hub_address
from evalmake.pins.registry_client import UnresolvedName, check_reply, send_request

_LOGIN = "set HF_TOKEN, or accept the terms of a gated repository"
_TRIES = 3
_MOST_PAGES = 1000  # of a list of files
_PIECE = 1 << 20
_SHA256, _COMMIT = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")


class HubFile(NamedTuple):
    """A file of a repository: large ones are known by their sha256, others by git's id of their content."""

    path: str
    size: int
    git_id: str
    sha256: str = ""


def resolve_commit(text: str, sort: str) -> str:
    """The commit of `hf://OWNER/NAME@REVISION` (`main` without one); UnresolvedName with the reason."""
    name, _, revision = text.removeprefix("hf://").partition("@")
    data = sort == "dataset" or name.startswith("datasets/")
    kind = "datasets" if data else "models"
    repository = name.removeprefix("datasets/")
    reply = _get(
        f"/api/{kind}/{quote(repository)}/revision/{quote(revision or 'main', safe='')}",
        f"{repository}@{revision or 'main'}",
    )
    try:
        found = reply.json()["sha"]
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, str) or not _COMMIT.fullmatch(found):
        raise UnresolvedName(f"{_host()} sent no commit for {repository}")
    return found


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A data set at a commit."""

    repository: str
    commit: str

    def list_files(self) -> list[HubFile]:
        """All files; UnresolvedName with the reason."""
        path = f"/api/datasets/{quote(self.repository)}/tree/{self.commit}?recursive=true"
        files: list[HubFile] = []
        for _ in range(_MOST_PAGES):
            reply = _get(path, f"{self.repository}@{self.commit[:12]}")
            files += _read_entries(reply)
            following = reply.links.get("next", {}).get("url")
            if not following:
                return files
            url = urljoin(str(reply.url), following)
            if urlsplit(url).netloc != urlsplit(hub_address()).netloc:
                raise UnresolvedName(f"{_host()} continues its list of files elsewhere, at {urlsplit(url).netloc}")
            path = url.removeprefix(hub_address())
        raise UnresolvedName(f"the list of files of {self.repository} has no end")

    def download(self, file: HubFile, target: Path, tell: Callable[[int], None]) -> str:
        """Write a file, checked, to `target`; its sha256. `tell` is called with how many bytes have come."""
        for tries_left in reversed(range(_TRIES)):
            try:
                return self._download(file, target, tell)
            except UnresolvedName as error:
                if error.help or not tries_left:
                    raise
        raise AssertionError("the last try raises")

    def _download(self, file: HubFile, target: Path, tell: Callable[[int], None]) -> str:
        digest, git, size = sha256(), sha1(b"blob %d\0" % file.size), 0
        with target.open("wb") as stream:
            for piece in self._read(file.path):
                size += len(piece)
                if size > file.size:
                    break
                digest.update(piece)
                git.update(piece)
                stream.write(piece)
                tell(size)
        known = digest.hexdigest() == file.sha256 if file.sha256 else git.hexdigest() == file.git_id
        if size != file.size or not known:
            raise UnresolvedName(f"{_host()} sent another content for {file.path} than it has on record")
        return digest.hexdigest()

    def _read(self, path: str) -> Iterator[bytes]:
        url = f"{hub_address()}/datasets/{quote(self.repository)}/resolve/{self.commit}/{quote(path)}"
        host = _host()
        client = httpx.Client(timeout=30.0, follow_redirects=True)
        with client:
            try:
                with client.stream("GET", url, headers=_headers()) as reply:
                    if reply.status_code != 200:
                        reply.read()
                    check_status(reply, host, path)
                    yield from reply.iter_bytes(_PIECE)
            except httpx.TimeoutException:
                raise UnresolvedName(f"{host} does not answer in time") from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise UnresolvedName(f"{host} cannot be reached: {str(error) or type(error).__name__}") from None


def check_status(reply: httpx.Response, host: str, path: str) -> None:
    """UnresolvedName with the reason for a reply that has no content."""
    if reply.status_code != 200:
        check_reply(reply, host, path, _LOGIN)


def _read_entries(reply: httpx.Response) -> Iterator[HubFile]:
    """The files of one page of a list."""
    try:
        entries = reply.json()
        for entry in entries:
            if entry["type"] == "file":
                yield _read_entry(entry)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnresolvedName(f"{_host()} sent no list of files") from None


def _read_entry(entry: dict[str, Any]) -> HubFile:
    large = entry.get("lfs") or {}
    file = HubFile(entry["path"], large.get("size", entry["size"]), entry["oid"], large.get("oid", ""))
    known = _SHA256.fullmatch(file.sha256) if file.sha256 else _COMMIT.fullmatch(file.git_id)
    parts = file.path.split("/")
    if not known or type(file.size) is not int or {"", ".", ".."} & set(parts) or "\0" in file.path:
        raise ValueError(file.path)
    return file


def _get(path: str, name: str) -> httpx.Response:
    url, host = f"{hub_address()}{path}", _host()
    return check_reply(
        send_request(host, lambda: httpx.get(url, headers=_headers(), timeout=30.0, follow_redirects=True)),
        host,
        name,
        _LOGIN,
    )


def _host() -> str:
    return urlsplit(hub_address()).netloc


def _headers() -> dict[str, str]:
    token = _find_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _find_token() -> str:
    """The Hub's token, from the environment or from the file that `huggingface-cli login` writes; empty without one."""
    if token := os.environ.get("HF_TOKEN"):
        return token
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    try:
        return Path(home, "token").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
