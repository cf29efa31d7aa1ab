"""A stand-in for the Hugging Face Hub: data sets with commits, files and their digests, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

COMMIT = "5f" * 20


@dataclass
class StandInHub:
    """The files of one data set. `lfs` says which of them are large; `damaged` are sent with another content."""

    files: dict[str, bytes]
    repository: str = "acme/sums"
    token: str = ""
    lfs: tuple[str, ...] = (".parquet",)
    damaged: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    page: int = 2
    """How many files one page of a list has."""

    def answer(self, path: str, query: str, token: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and content for one request."""
        self.asked.append(path)
        if self.token and token != f"Bearer {self.token}":
            return 401, {}, b"{}"
        if path == f"/api/datasets/{self.repository}/revision/main":
            return 200, {}, json.dumps({"sha": COMMIT}).encode()
        if path == f"/api/datasets/{self.repository}/tree/{COMMIT}":
            return self._list(query)
        start = f"/datasets/{self.repository}/resolve/{COMMIT}/"
        name = path.removeprefix(start)
        if not path.startswith(start) or name not in self.files:
            return 404, {}, b"{}"
        content = self.files[name]
        return 200, {}, content[::-1] if name in self.damaged else content

    def _list(self, query: str) -> tuple[int, dict[str, str], bytes]:
        first = int(query.partition("cursor=")[2] or 0)
        names = sorted(self.files)
        page = [self._describe(name) for name in names[first : first + self.page]]
        folders = [{"type": "directory", "path": "data", "oid": "0" * 40, "size": 0}]
        more = first + self.page < len(names)
        link = f"{self.url}/api/datasets/{self.repository}/tree/{COMMIT}?recursive=true&cursor={first + self.page}"
        return 200, {"Link": f'<{link}>; rel="next"'} if more else {}, json.dumps(folders + page).encode()

    def _describe(self, name: str) -> dict[str, object]:
        content = self.files[name]
        large = name.endswith(self.lfs)
        pointer = b"a pointer" if large else content
        found: dict[str, object] = {"type": "file", "path": name, "size": len(content)}
        found["oid"] = sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
        if large:
            found["lfs"] = {"oid": sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        return found


@contextmanager
def serve_hub(hub: StandInHub) -> Iterator[StandInHub]:
    """Serve a hub, whose `url` is then its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer a request."""
            parts = urlsplit(self.path)
            token = self.headers.get("Authorization", "")
            status, headers, content = hub.answer(unquote(parts.path), parts.query, token)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
