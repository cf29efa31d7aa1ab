"""The client of registries: names, who we are to them, and what they may answer."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from evalmake.pins.registry_client import ImageName, RegistryClient, UnresolvedName
from tests.support.registries import INDEX, MANIFEST, PASSWORD, USER, Asked, Registry, Reply, scripted

BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
EMPTY = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
DIGEST = f"sha256:{sha256(EMPTY.encode()).hexdigest()}"
HELPER = """\
#!/bin/sh
test "$1" = get || exit 1
read -r server
echo "$server" >> "$(dirname "$0")/asked"
test "$server" = "HOST" || { echo "credentials not found in native keychain"; exit 1; }
printf '%s' '{"ServerURL": "HOST", "Username": "USER", "Secret": "PASSWORD"}'
"""

Login = Callable[[dict[str, object]], None]


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Login:
    """A function that writes Docker's configuration."""

    def write(config: dict[str, object]) -> None:
        (tmp_path / "docker").mkdir(exist_ok=True)
        (tmp_path / "docker" / "config.json").write_text(json.dumps(config))

    return write


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, host: str, user: str, secret: str) -> None:
    """Put a credential helper called `tests` on the PATH, which knows one host."""
    folder.mkdir()
    program = folder / "docker-credential-tests"
    text = HELPER.replace("HOST", host).replace("USER", user).replace("PASSWORD", secret)
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def resolved(image: str) -> tuple[str, Mapping[str, str]]:
    """An image's digest and platforms."""
    client = RegistryClient()
    digest = client.digest(image)
    return digest, client.platforms(image, digest)


def index(asked: Asked) -> Reply:
    """A registry that has one index, whatever is asked of it."""
    return Reply(body=EMPTY, headers={"Content-Type": INDEX, "Docker-Content-Digest": DIGEST})


@pytest.mark.parametrize(
    ("image", "url", "tag"),
    [
        ("alpine", "https://registry-1.docker.io/v2/library/alpine", "latest"),
        ("vllm/vllm-openai:v1", "https://registry-1.docker.io/v2/vllm/vllm-openai", "v1"),
        ("docker.io/alpine:3", "https://registry-1.docker.io/v2/library/alpine", "3"),
        ("registry.acme.example/a/b/c:1", "https://registry.acme.example/v2/a/b/c", "1"),
        ("registry.acme.example:5000/a", "https://registry.acme.example:5000/v2/a", "latest"),
        ("localhost/a:1", "http://localhost/v2/a", "1"),
        ("127.0.0.1:5000/a/b:1", "http://127.0.0.1:5000/v2/a/b", "1"),
        ("[::1]:5000/a:1", "http://[::1]:5000/v2/a", "1"),
    ],
)
def test_names_are_read_as_docker_reads_them(image: str, url: str, tag: str) -> None:
    """A first part with a dot or a port is a host; only this machine is asked without TLS."""
    name = ImageName.of(image)
    assert (name.api, name.tag) == (url, tag)


def test_a_name_and_password_from_the_configuration(guarded: Registry, login: Login) -> None:
    """A registry that wants a password gets the one that `docker login` kept."""
    digest = guarded.image("written:1")
    login({"auths": {guarded.host: {"auth": BASIC}}})
    assert RegistryClient().digest(f"{guarded.host}/written:1") == digest


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_a_credential_helper(
    guarded: Registry, login: Login, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """A helper, for all registries or for this one, is asked for the password."""
    digest = guarded.image("helped:1")
    helper(tmp_path / "bin", monkeypatch, guarded.host, USER, PASSWORD)
    login({key: "tests" if key == "credsStore" else {guarded.host: "tests"}})
    assert RegistryClient().digest(f"{guarded.host}/helped:1") == digest
    assert (tmp_path / "bin" / "asked").read_text() == f"{guarded.host}\n"


def test_a_helper_that_knows_nothing(
    guarded: Registry, login: Login, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a helper does not know, or a helper that is not there, leaves what is written."""
    digest = guarded.image("left:1")
    helper(tmp_path / "bin", monkeypatch, "elsewhere.example", USER, PASSWORD)
    for name in ("tests", "missing"):
        login({"credsStore": name, "auths": {f"https://{guarded.host}/v1/": {"auth": BASIC}}})
        assert RegistryClient().digest(f"{guarded.host}/left:1") == digest


def test_a_refusal(guarded: Registry, login: Login) -> None:
    """Without a password, or with a wrong one, the reason is told and how to log in."""
    guarded.image("refused:1")
    wrong = base64.b64encode(b"auditor:guessed").decode()
    for config in ({}, {"auths": {guarded.host: {"auth": wrong}}}, {"auths": {guarded.host: {}}}):
        login(config)
        with pytest.raises(UnresolvedName, match="denies access") as refused:
            RegistryClient().digest(f"{guarded.host}/refused:1")
        assert refused.value.help == (f"log in: docker login {guarded.host}",)


def test_a_configuration_that_is_none(images: Registry, guarded: Registry, tmp_path: Path) -> None:
    """A configuration that cannot be read is as good as none."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text("{")
    digest = images.image("anyone:1")
    assert RegistryClient().digest(f"{images.host}/anyone:1") == digest
    with pytest.raises(UnresolvedName, match="denies access"):
        RegistryClient().digest(f"{guarded.host}/anyone:1")


TOKENS = [
    ("nobody", {}, "GET", None),
    ("a password", {"auth": BASIC}, "GET", f"Basic {BASIC}"),
    ("a token", {"identitytoken": "refreshing"}, "POST", None),
]


@pytest.mark.parametrize(("entry", "method", "sent"), [t[1:] for t in TOKENS], ids=[t[0] for t in TOKENS])
def test_a_token_from_where_the_registry_says(
    login: Login, entry: dict[str, str], method: str, sent: str | None
) -> None:
    """A registry's challenge is answered by a token for the repository, fetched as who we are."""

    def answer(asked: Asked) -> Reply:
        if asked.path.startswith("/token"):
            return Reply(body={"access_token" if method == "POST" else "token": "good"})
        if asked.headers.get("Authorization") == "Bearer good":
            return index(asked)
        realm = f'Bearer realm="http://{asked.headers["Host"]}/token",service="tests",scope="repository:a/b:pull"'
        return Reply(401, headers={"WWW-Authenticate": realm})

    with scripted(answer) as server:
        login({"auths": {server.host: entry}})
        assert resolved(f"{server.host}/a/b:1") == (DIGEST, {})
        tokens = [asked for asked in server.asked if asked.path.startswith("/token")]
    (asked,) = tokens
    form = asked.body if method == "POST" else asked.path
    assert (asked.method, asked.headers.get("Authorization")) == (method, sent)
    assert "scope=repository%3Aa%2Fb%3Apull" in form
    assert "service=tests" in form
    assert ("refresh_token=refreshing" in form) == (method == "POST")


def test_a_password_is_not_sent_in_the_open(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that is asked by TLS cannot have a password sent to an address without it."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        realm = 'Bearer realm="http://tokens.acme.example/",service="tests"'
        return httpx.Response(401, headers={"WWW-Authenticate": realm})

    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **more: real(transport=httpx.MockTransport(answer)))
    login({"auths": {"registry.acme.example": {"auth": BASIC}}})
    with pytest.raises(UnresolvedName, match="sends it no credentials"):
        RegistryClient().digest("registry.acme.example/a:1")
    assert asked == ["https://registry.acme.example/v2/a/manifests/1"]


def test_a_registry_that_names_no_digest() -> None:
    """Where a registry does not say a manifest's digest, it is computed from what it sends."""

    def answer(asked: Asked) -> Reply:
        return Reply(body=EMPTY, headers={"Content-Type": INDEX})

    with scripted(answer) as server:
        assert RegistryClient().digest(f"{server.host}/a:1") == DIGEST


ODD = [
    (Reply(404), "has no `a:1`"),
    (Reply(403), "denies access"),
    (Reply(401), "denies access"),
    (Reply(401, headers={"WWW-Authenticate": "Negotiate"}), "denies access"),
    (Reply(429), "got too many requests"),
    (Reply(503), "answers with status 503"),
    (Reply(body=EMPTY + " ", headers={"Docker-Content-Digest": DIGEST}), "does not match the digest"),
    (Reply(body="<html>"), "did not send JSON"),
    (Reply(body="[]"), "did not send JSON"),
]


@pytest.mark.parametrize(("reply", "why"), ODD)
def test_a_registry_that_does_not_say(reply: Reply, why: str) -> None:
    """Whatever a registry answers instead of a manifest is told as the reason."""
    with scripted(lambda asked: reply) as server, pytest.raises(UnresolvedName, match=why):
        resolved(f"{server.host}/a:1")


@pytest.mark.parametrize(
    "told",
    [
        {"manifests": 1},
        {"manifests": ["x", {}, {"platform": {}}, {"platform": {"os": 1, "architecture": "a"}}]},
        {"mediaType": MANIFEST, "config": []},
        {"mediaType": MANIFEST, "config": {"digest": "latest"}},
        {"mediaType": MANIFEST},
    ],
)
def test_a_manifest_of_no_known_platform(told: dict[str, object]) -> None:
    """A manifest that says nothing of platforms is pinned by its digest all the same."""
    kind = str(told.get("mediaType", INDEX))
    with scripted(lambda asked: Reply(body=told, headers={"Content-Type": kind})) as server:
        found = resolved(f"{server.host}/a:1")
    assert found == (f"sha256:{sha256(json.dumps(told).encode()).hexdigest()}", {})


def test_a_registry_that_is_not_there() -> None:
    """A registry that cannot be reached is named."""
    with pytest.raises(UnresolvedName, match=r"127\.0\.0\.1:9 cannot be reached"):
        RegistryClient().digest("127.0.0.1:9/a:1")
