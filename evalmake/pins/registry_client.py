"""A client of container registries: what a tag means now, by their HTTP API (Distribution, v2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import httpx

from evalmake.pins.registry_credentials import Credentials, find_credentials

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT = ", ".join((*_INDEXES, *_MANIFESTS))
_LARGEST = 8 * 2**20  # of a manifest; registries take no more than 4 MiB
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
# The one registry whose names leave it out, and that answers under another name than its own.
_HUB, _HUB_API, _HUB_KEY = "docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"


class UnresolvedName(Exception):
    """Why a name could not be resolved, in one line, and what to do about it."""

    def __init__(self, why: str, *help: str) -> None:
        super().__init__(why)
        self.help = help


class ImageName(NamedTuple):
    """An image's name taken apart by Docker's rules."""

    host: str
    repository: str
    tag: str

    @classmethod
    def of(cls, text: str) -> ImageName:
        """`vllm/vllm-openai:v1` is on the hub, `registry.acme.com:5000/evals` is not."""
        first, slash, rest = text.removeprefix("docker://").partition("/")
        host, path = first, rest
        if not slash or not (set(".:") & set(first) or first == "localhost"):
            host, path = _HUB, text.removeprefix("docker://")
        repository, _, tag = path.partition(":")
        if host in (_HUB, f"index.{_HUB}"):
            host = _HUB
            repository = repository if "/" in repository else f"library/{repository}"
        return cls(host, repository, tag or "latest")

    @property
    def api(self) -> str:
        """Where its registry answers: by TLS, or without on this machine."""
        name = urlsplit(f"//{self.host}").hostname or ""
        here = name in ("localhost", "::1") or name.startswith("127.")
        host = _HUB_API if self.host == _HUB else self.host
        return f"http{'' if here else 's'}://{host}/v2/{quote(self.repository)}"

    @property
    def key(self) -> str:
        """What Docker's configuration calls its registry."""
        return _HUB_KEY if self.host == _HUB else self.host


class RegistryClient:
    """Resolves tags; what a registry let us do once, it is not asked to let us do again."""

    def __init__(self) -> None:
        self._client = httpx.Client(timeout=_TIMEOUT, headers={"User-Agent": "evalmake"})
        self._allowed: dict[tuple[str, str], str] = {}  # host and repository -> Authorization

    def close(self) -> None:
        """End its connections."""
        self._client.close()

    def digest(self, image: str) -> str:
        """What an image's tag means now; Unresolved with the reason."""
        name = ImageName.of(image)
        reply = self._asked(name, "HEAD", f"manifests/{name.tag}")
        told = reply.headers.get("Docker-Content-Digest", "")
        if _DIGEST.fullmatch(told):
            return str(told)
        reply = self._asked(name, "GET", f"manifests/{name.tag}")
        return f"sha256:{sha256(reply.content).hexdigest()}"

    def platforms(self, image: str, digest: str) -> Mapping[str, str]:
        """The manifest of each platform of an image with this digest; Unresolved with the reason."""
        name = ImageName.of(image)
        reply = self._asked(name, "GET", f"manifests/{digest}")
        if f"sha256:{sha256(reply.content).hexdigest()}" != digest:
            raise UnresolvedName(f"what {name.host} sent is not what its digest {digest} stands for")
        told = _object(reply, name.host)
        kind = reply.headers.get("Content-Type", "").partition(";")[0]
        if kind in _INDEXES:
            entries = told.get("manifests")
            found = map(_platform, entries if isinstance(entries, list) else ())
            return dict(pair for pair in found if pair)
        return self._only(name, told, digest)

    def _only(self, name: ImageName, manifest: Mapping[str, Any], digest: str) -> Mapping[str, str]:
        """The platform of a manifest that is no index: its configuration says it."""
        config = manifest.get("config")
        where = str(config.get("digest")) if isinstance(config, dict) else ""
        if not _DIGEST.fullmatch(where):
            return {}
        told = _object(self._asked(name, "GET", f"blobs/{where}"), name.host)
        pair = _platform({"platform": told, "digest": digest})
        return dict([pair]) if pair else {}

    def _asked(self, name: ImageName, method: str, path: str) -> httpx.Response:
        """The registry's answer, after it has been told who we are, if it must be."""
        url, place = f"{name.api}/{path}", (name.host, name.repository)

        def ask() -> httpx.Response:
            allowed = self._allowed.get(place)
            headers = {"Accept": _ACCEPT} | ({"Authorization": allowed} if allowed else {})
            return send_request(
                name.host,
                lambda: self._client.request(method, url, headers=headers, follow_redirects=True),
            )

        reply = ask()
        if reply.status_code == 401:
            self._allowed[place] = self._allow(name, reply.headers.get("WWW-Authenticate", ""))
            reply = ask()
        return check_reply(reply, name.host, f"{name.repository}:{name.tag}", f"log in: docker login {name.host}")

    def _allow(self, name: ImageName, challenge: str) -> str:
        """The header that answers a challenge."""
        scheme, _, rest = challenge.partition(" ")
        ours = find_credentials(name.key)
        if scheme.lower() == "bearer":
            return f"Bearer {self._token(name, dict(_PARAMETER.findall(rest)), ours)}"
        if scheme.lower() == "basic" and ours and ours.user:
            return _basic(ours)
        raise _refused(name.host, f"log in: docker login {name.host}")

    def _token(self, name: ImageName, asked: Mapping[str, str], ours: Credentials | None) -> str:
        """A token for this repository, from where the registry said that there are some."""
        realm = asked.get("realm", "")
        if not realm.startswith("https://") and not name.api.startswith("http://"):
            raise UnresolvedName(f"{name.host} asks for a token from {realm}, which is no place to send one's name to")
        form = {
            "service": asked.get("service", ""),
            "scope": asked.get("scope") or f"repository:{name.repository}:pull",
        }
        host = urlsplit(realm).netloc
        if ours and ours.token:
            form |= {
                "grant_type": "refresh_token",
                "refresh_token": ours.token,
                "client_id": "evalmake",
            }
            reply = send_request(host, lambda: self._client.post(realm, data=form))
        else:
            headers = {"Authorization": _basic(ours)} if ours else {}
            reply = send_request(host, lambda: self._client.get(realm, params=form, headers=headers))
        check_reply(reply, name.host, name.repository, f"log in: docker login {name.host}")
        told = _object(reply, host)
        token = told.get("token") or told.get("access_token")
        if not isinstance(token, str):
            raise UnresolvedName(f"{host} sent no token")
        return token


def send_request(host: str, ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The answer to a request; Unresolved where there is none."""
    try:
        return ask()
    except httpx.TimeoutException:
        raise UnresolvedName(f"{host} does not answer in time", "try again later") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        why = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
        raise UnresolvedName(f"{host} cannot be reached: {why}") from None


def check_reply(reply: httpx.Response, host: str, name: str, login: str) -> httpx.Response:
    """A reply that is as good as it says; Unresolved with what is wrong with any other."""
    status = reply.status_code
    if status in (401, 403):
        raise _refused(host, login)
    if status == 404:
        raise UnresolvedName(f"{host} has no `{name}`", "look for a misspelt name or tag")
    if status == 429:
        wait = reply.headers.get("Retry-After", "")
        later = f"try again in {wait} s" if wait.isdigit() else "try again later"
        raise UnresolvedName(f"{host} has been asked too often", later, login)
    if status != 200:
        raise UnresolvedName(f"{host} answers with status {status}")
    if len(reply.content) > _LARGEST:
        raise UnresolvedName(f"{host} sent {len(reply.content)} bytes, which is no manifest")
    return reply


def _refused(host: str, login: str) -> UnresolvedName:
    return UnresolvedName(f"{host} does not let us see it, or has no such thing", login)


def _object(reply: httpx.Response, host: str) -> Mapping[str, Any]:
    try:
        told = reply.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise UnresolvedName(f"what {host} sent is not JSON")
    return told


def _basic(ours: Credentials) -> str:
    import base64

    return "Basic " + base64.b64encode(f"{ours.user}:{ours.password}".encode()).decode()


def _platform(entry: object) -> tuple[str, str] | None:
    """`linux/arm64/v8` and the digest of its manifest; None for what is no image (an attestation)."""
    match entry:
        case {
            "platform": {"os": str(os), "architecture": str(kind)} as platform,
            "digest": str(digest),
        }:
            variant = platform.get("variant")
            parts = (os, kind, variant) if isinstance(variant, str) and variant else (os, kind)
            return None if os == "unknown" else ("/".join(parts), digest)
    return None
