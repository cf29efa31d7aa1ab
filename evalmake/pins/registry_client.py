"""Resolves image tags to digests by the HTTP API of container registries (OCI Distribution, v2)."""

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
_LARGEST = 8 * 2**20  # bytes of a manifest; registries accept at most 4 MiB
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
# The one registry whose names leave it out, and that answers under another name than its own.
_HUB, _HUB_API, _HUB_KEY = "docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"


class UnresolvedName(Exception):
    """A name could not be resolved: the reason in one line, and help."""

    def __init__(self, why: str, *help: str) -> None:
        super().__init__(why)
        self.help = help


class ImageName(NamedTuple):
    """The parts of an image's name, by Docker's rules."""

    host: str
    repository: str
    tag: str

    @classmethod
    def of(cls, text: str) -> ImageName:
        """Parse a name: `vllm/vllm-openai:v1` is on Docker Hub, `registry.acme.com:5000/evals` is not."""
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
        """The base URL of its repository; without TLS for a registry on this machine."""
        name = urlsplit(f"//{self.host}").hostname or ""
        local = name in ("localhost", "::1") or name.startswith("127.")
        host = _HUB_API if self.host == _HUB else self.host
        return f"http{'' if local else 's'}://{host}/v2/{quote(self.repository)}"

    @property
    def key(self) -> str:
        """The name of its registry in Docker's configuration."""
        return _HUB_KEY if self.host == _HUB else self.host


class RegistryClient:
    """Resolves tags; keeps the authorization for each repository."""

    def __init__(self) -> None:
        self._client = httpx.Client(timeout=_TIMEOUT, headers={"User-Agent": "evalmake"})
        self._authorizations: dict[tuple[str, str], str] = {}  # host and repository -> Authorization

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def digest(self, image: str) -> str:
        """The digest of an image's tag; UnresolvedName with the reason."""
        name = ImageName.of(image)
        reply = self._request(name, "HEAD", f"manifests/{name.tag}")
        digest = reply.headers.get("Docker-Content-Digest", "")
        if _DIGEST.fullmatch(digest):
            return str(digest)
        reply = self._request(name, "GET", f"manifests/{name.tag}")
        return f"sha256:{sha256(reply.content).hexdigest()}"

    def platforms(self, image: str, digest: str) -> Mapping[str, str]:
        """The digest of each platform's manifest in an image; UnresolvedName with the reason."""
        name = ImageName.of(image)
        reply = self._request(name, "GET", f"manifests/{digest}")
        if f"sha256:{sha256(reply.content).hexdigest()}" != digest:
            raise UnresolvedName(f"{name.host} sent a manifest that does not match the digest {digest}")
        body = _read_object(reply, name.host)
        kind = reply.headers.get("Content-Type", "").partition(";")[0]
        if kind in _INDEXES:
            entries = body.get("manifests")
            found = map(_read_platform, entries if isinstance(entries, list) else ())
            return dict(pair for pair in found if pair)
        return self._single_platform(name, body, digest)

    def _single_platform(self, name: ImageName, manifest: Mapping[str, Any], digest: str) -> Mapping[str, str]:
        """The platform of an image with a single manifest, from its configuration."""
        config = manifest.get("config")
        where = str(config.get("digest")) if isinstance(config, dict) else ""
        if not _DIGEST.fullmatch(where):
            return {}
        body = _read_object(self._request(name, "GET", f"blobs/{where}"), name.host)
        pair = _read_platform({"platform": body, "digest": digest})
        return dict([pair]) if pair else {}

    def _request(self, name: ImageName, method: str, path: str) -> httpx.Response:
        """The registry's reply; on status 401, authorize and send the request again."""
        url, place = f"{name.api}/{path}", (name.host, name.repository)

        def ask() -> httpx.Response:
            allowed = self._authorizations.get(place)
            headers = {"Accept": _ACCEPT} | ({"Authorization": allowed} if allowed else {})
            return send_request(
                name.host,
                lambda: self._client.request(method, url, headers=headers, follow_redirects=True),
            )

        reply = ask()
        if reply.status_code == 401:
            self._authorizations[place] = self._authorize(name, reply.headers.get("WWW-Authenticate", ""))
            reply = ask()
        return check_reply(reply, name.host, f"{name.repository}:{name.tag}", f"log in: docker login {name.host}")

    def _authorize(self, name: ImageName, challenge: str) -> str:
        """The Authorization header for a challenge."""
        scheme, _, rest = challenge.partition(" ")
        login = find_credentials(name.key)
        if scheme.lower() == "bearer":
            return f"Bearer {self._fetch_token(name, dict(_PARAMETER.findall(rest)), login)}"
        if scheme.lower() == "basic" and login and login.user:
            return _basic_authorization(login)
        raise _refusal(name.host, f"log in: docker login {name.host}")

    def _fetch_token(self, name: ImageName, challenge: Mapping[str, str], login: Credentials | None) -> str:
        """A token for this repository, from the address that the registry names."""
        realm = challenge.get("realm", "")
        if not realm.startswith("https://") and not name.api.startswith("http://"):
            raise UnresolvedName(
                f"{name.host} names the token server {realm}, which is not encrypted: evalmake sends it no credentials"
            )
        form = {
            "service": challenge.get("service", ""),
            "scope": challenge.get("scope") or f"repository:{name.repository}:pull",
        }
        host = urlsplit(realm).netloc
        if login and login.token:
            form |= {
                "grant_type": "refresh_token",
                "refresh_token": login.token,
                "client_id": "evalmake",
            }
            reply = send_request(host, lambda: self._client.post(realm, data=form))
        else:
            headers = {"Authorization": _basic_authorization(login)} if login else {}
            reply = send_request(host, lambda: self._client.get(realm, params=form, headers=headers))
        check_reply(reply, name.host, name.repository, f"log in: docker login {name.host}")
        body = _read_object(reply, host)
        token = body.get("token") or body.get("access_token")
        if not isinstance(token, str):
            raise UnresolvedName(f"{host} sent no token")
        return token


def send_request(host: str, ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The reply to a request; UnresolvedName if there is none."""
    try:
        return ask()
    except httpx.TimeoutException:
        raise UnresolvedName(f"{host} does not answer in time", "try again later") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        why = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
        raise UnresolvedName(f"{host} cannot be reached: {why}") from None


def check_reply(reply: httpx.Response, host: str, name: str, login: str) -> httpx.Response:
    """Return a reply with status 200; UnresolvedName with the reason for any other."""
    status = reply.status_code
    if status in (401, 403):
        raise _refusal(host, login)
    if status == 404:
        raise UnresolvedName(f"{host} has no `{name}`", "look for a misspelt name or tag")
    if status == 429:
        wait = reply.headers.get("Retry-After", "")
        later = f"try again in {wait} s" if wait.isdigit() else "try again later"
        raise UnresolvedName(f"{host} got too many requests", later, login)
    if status != 200:
        raise UnresolvedName(f"{host} answers with status {status}")
    if len(reply.content) > _LARGEST:
        raise UnresolvedName(f"{host} sent {len(reply.content)} bytes, too many for a manifest")
    return reply


def _refusal(host: str, login: str) -> UnresolvedName:
    return UnresolvedName(f"{host} denies access, or does not have it", login)


def _read_object(reply: httpx.Response, host: str) -> Mapping[str, Any]:
    try:
        body = reply.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise UnresolvedName(f"{host} did not send JSON")
    return body


def _basic_authorization(login: Credentials) -> str:
    import base64

    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()


def _read_platform(entry: object) -> tuple[str, str] | None:
    """A platform such as `linux/arm64/v8` and the digest of its manifest; None for an attestation."""
    match entry:
        case {
            "platform": {"os": str(os), "architecture": str(kind)} as platform,
            "digest": str(digest),
        }:
            variant = platform.get("variant")
            parts = (os, kind, variant) if isinstance(variant, str) and variant else (os, kind)
            return None if os == "unknown" else ("/".join(parts), digest)
    return None
