"""A container registry of a test's own, what is pushed to it, and a scripted server beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx

from tests.support.daemons import free_port
from tests.support.workspaces import wait_for

USER, PASSWORD = "auditor", "open sesame"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
_HTPASSWD = f"{USER}:$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n"
PROGRAM = shutil.which("docker-registry")


@dataclass
class Registry:
    """A real registry; `host` is what stands before the slash of an image's name."""

    host: str
    auth: tuple[str, str] | None = None

    def image(self, tag: str, text: str = "", platform: tuple[str, str] = ("linux", "amd64")) -> str:
        """Push an image of one platform that holds nothing but `text`; its digest."""
        repository, _, tag = tag.partition(":")
        config = {"os": platform[0], "architecture": platform[1], "author": text}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(repository, json.dumps(config).encode()),
            "layers": [],
        }
        return self._put(repository, tag, MANIFEST, manifest)

    def index(self, tag: str, entries: list[tuple[str, Mapping[str, str]]]) -> str:
        """Push an index of manifests that were pushed before, by digest and platform; its digest."""
        repository, _, tag = tag.partition(":")
        described = [
            {"mediaType": MANIFEST, "digest": digest, "size": 1, "platform": platform} for digest, platform in entries
        ]
        whole = {"schemaVersion": 2, "mediaType": INDEX, "manifests": described}
        return self._put(repository, tag, INDEX, whole)

    def _blob(self, repository: str, data: bytes) -> Mapping[str, object]:
        digest = f"sha256:{sha256(data).hexdigest()}"
        begun = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        place = httpx.URL(begun.headers["Location"]).copy_merge_params({"digest": digest})
        self._ask("PUT", str(place), content=data)
        return {"mediaType": CONFIG, "digest": digest, "size": len(data)}

    def _put(self, repository: str, tag: str, kind: str, manifest: object) -> str:
        data = json.dumps(manifest).encode()
        path = f"/v2/{repository}/manifests/{tag}"
        put = self._ask("PUT", path, content=data, headers={"Content-Type": kind})
        return put.headers["Docker-Content-Digest"]

    def _ask(self, method: str, where: str, **more: Any) -> httpx.Response:
        url = httpx.URL(f"http://{self.host}").join(where)
        return httpx.request(method, url, auth=self.auth, **more).raise_for_status()


@contextmanager
def registry(folder: Path, guarded: bool = False) -> Iterator[Registry]:
    """A registry that keeps its images in `folder`, and is `guarded` by a name and a password."""
    assert PROGRAM
    port = free_port()
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    if guarded:
        (folder / "htpasswd").write_text(_HTPASSWD)
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([PROGRAM, "serve", "config.yml"], cwd=folder, stdout=log, stderr=log)
        try:
            wait_for(lambda: _answers(port) or server.poll() is not None)
            assert server.poll() is None, (folder / "log").read_text()
            yield Registry(f"127.0.0.1:{port}", (USER, PASSWORD) if guarded else None)
        finally:
            server.terminate()
            server.wait()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/v2/").status_code in (200, 401)
    except httpx.HTTPError:
        return False


@dataclass(frozen=True)
class Asked:
    """A request that a scripted server had."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str


@dataclass
class Reply:
    """What a scripted server answers."""

    status: int = 200
    body: object = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Scripted:
    """A server that answers as a function says, and remembers what it was asked."""

    host: str
    answer: Callable[[Asked], Reply]
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.host}"


@contextmanager
def scripted(answer: Callable[[Asked], Reply]) -> Iterator[Scripted]:
    """A server that answers as `answer` says."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer anything."""
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            asked = Asked(self.command, self.path, dict(self.headers.items()), body)
            server.asked.append(asked)
            reply = server.answer(asked)
            told = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.encode())))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(told.encode())

        do_HEAD = do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Scripted(f"127.0.0.1:{http.server_address[1]}", answer)
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
