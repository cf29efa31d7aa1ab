"""A gateway as a process, and evaluations that use it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.scripted_upstream import Upstream

KEY = "sk-0123456789-the-key"
CHAT = "/v1/chat/completions"
_serial = count()


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait up to a minute until a condition holds; `what` describes it."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"it never came about that {what}"
        time.sleep(0.01)


def start_module(module: str, folder: Path, *arguments: str, **environment: str) -> tuple[Any, int]:
    """A process of `python -m`, and the port that it listens on."""
    folder.mkdir(parents=True, exist_ok=True)
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    with open(folder / "stderr", "ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments, "--port-file", str(port_file)],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    listens = lambda: port_file.exists() or process.poll() is not None  # noqa: E731
    wait_until(listens, f"{module} listened")
    assert process.poll() is None, (folder / "stderr").read_text()
    return process, int(port_file.read_text())


def resident_bytes(process: int) -> int:
    """The memory that a process has."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


class HarnessReply(NamedTuple):
    """The reply that the harness got; header names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> Any:
        """The first choice's text."""
        return self.json["choices"][0]["message"]["content"]

    @property
    def cached(self) -> bool:
        """Whether the reply came from the cache."""
        return ("x-evalmake-cache", "hit") in self.headers


def assert_stopped(answer: HarnessReply, why: str) -> None:
    """Check that the gateway answers for an evaluation that it has stopped."""
    assert answer.status == 400
    assert ("x-should-retry", "false") in answer.headers
    message = answer.json["error"]["message"]
    assert message.startswith("the gateway stopped this evaluation: ")
    assert why in message


class Gateway:
    """A gateway's process. Its cache is in `folder/cache` unless the settings name another one."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.may_fail = False
        """Whether a test expects tracebacks in its log."""
        (folder / "sessions").mkdir(parents=True, exist_ok=True)
        defaults = {
            "sessions": str(folder / "sessions"),
            "cache": str(folder / "cache"),
            "key_variable": "THE_KEY",
        }
        (folder / "settings.json").write_text(json.dumps(defaults | settings))
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        settings = str(self.folder / "settings.json")
        self.process, self.port = start_module("evalmake.gateway", self.folder, settings, THE_KEY=KEY)

    def stop(self) -> None:
        """Send TERM, and wait."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) in (0, -signal.SIGKILL), self.errors

    def kill(self) -> None:
        """Send KILL, and wait."""
        self.process.kill()
        self.process.wait(30)

    @property
    def errors(self) -> str:
        """Its standard error."""
        return (self.folder / "stderr").read_text()

    def open_evaluation(
        self, *upstreams: Upstream | str, settings: Mapping[str, Any] | None = None, **adapter: Any
    ) -> Evaluation:
        """An evaluation: `settings` are the session's own, the rest is its adapter's.

        By default the model is known by its servers, so only their own evaluations share replies.
        """
        key = f"e{next(_serial)}"
        urls = [one.url if isinstance(one, Upstream) else one for one in upstreams]
        session = {
            "token": f"token-of-{key}",
            "upstreams": urls,
            "model": f"at {urls}",
            "folder": str(self.folder / "evaluations" / key),
            "adapter": adapter,
            **(settings or {}),
        }
        evaluation = Evaluation(self, key, session)
        evaluation.write()
        return evaluation


class Evaluation:
    """An evaluation that sends requests through a gateway."""

    def __init__(self, gateway: Gateway, key: str, session: dict[str, Any]) -> None:
        self.gateway = gateway
        self.key = key
        self.session = session
        self.token: str = session["token"]
        self.folder = Path(session["folder"])

    def write(self) -> None:
        """Write its session where the gateway reads it."""
        path = self.gateway.folder / "sessions" / f"{self.key}.json"
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(json.dumps(self.session))
        unfinished.replace(path)

    def restart(self, **settings: Any) -> Evaluation:
        """Begin a further attempt at the evaluation, with a new token."""
        self.token = f"token-{next(_serial)}-of-{self.key}"
        self.session |= {"token": self.token, **settings}
        self.write()
        return self

    def request(
        self,
        method: str,
        rest: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Iterable[tuple[str, str]] = (),
        token: str | None = None,
    ) -> HarnessReply:
        """The reply to a request to `/t/KEY` + `rest`; a body in pieces is sent in chunks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=100)
        pieces = not isinstance(body, bytes | None)
        try:
            connection.putrequest(method, f"/t/{self.key}{rest}", skip_accept_encoding=True)
            connection.putheader("Authorization", f"Bearer {token or self.token}")
            for header in headers:
                connection.putheader(*header)
            if pieces:
                connection.putheader("Transfer-Encoding", "chunked")
            elif body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body, encode_chunked=pieces)
            response = connection.getresponse()
            names = [(name.lower(), value) for name, value in response.getheaders()]
            return HarnessReply(response.status, names, response.read())
        finally:
            connection.close()

    def post(self, rest: str = CHAT, /, **body: Any) -> HarnessReply:
        """The reply to a POST of a JSON object; by default, of a short conversation."""
        if "/chat/" in rest:
            body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], **body}
        return self.request("POST", rest, json.dumps(body).encode())

    def post_repeatedly(self, number: int, at_once: int = 1, **body: Any) -> list[HarnessReply]:
        """The replies to the same request, sent `number` times."""
        return self.post_all([body] * number, at_once)

    def post_all(self, bodies: list[dict[str, Any]], at_once: int) -> list[HarnessReply]:
        """The replies to many requests."""
        with ThreadPoolExecutor(at_once) as threads:
            return list(threads.map(lambda body: self.post(**body), bodies))

    def connect(self) -> socket.socket:
        """A new connection to the gateway."""
        return socket.create_connection(("127.0.0.1", self.gateway.port), 60)

    def request_bytes(
        self, body: bytes = b"", rest: str = CHAT, more: str = "", line: str = "POST {} HTTP/1.1"
    ) -> bytes:
        """A request's bytes; `more` are further header lines."""
        first = line.format(f"/t/{self.key}{rest}")
        head = f"{first}\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n{more}"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def close(self) -> dict[str, Any]:
        """End the evaluation; returns its sums, which are also in its folder."""
        answer = self.request("POST", "/close")
        assert answer.status == 200, answer
        written = json.loads((self.folder / "usage.json").read_text())
        assert written == answer.json
        return dict(written)

    def read_rows(self, name: str) -> list[Any]:
        """The rows of NAME.jsonl."""
        path = self.folder / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class MockServer(NamedTuple):
    """A process of `python -m evalmake.engines.mock`."""

    url: str

    @property
    def stats(self) -> dict[str, Any]:
        """Its counts of requests."""
        address = self.url.removesuffix("/v1") + "/stats"
        with urllib.request.urlopen(address, timeout=60) as response:
            found: dict[str, Any] = json.load(response)
        return found
