"""Servers as subprocesses, once for each module, and a service in process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalmake.engines.mock.service import ApiRequest, ApiResponse, Service
from evalmake.engines.mock.settings import read_settings
from tests.support.repository import ROOT


def _wait_for_port(process: subprocess.Popen[str], port_file: Path) -> int:
    deadline = time.monotonic() + 60
    while not port_file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the server wrote no port"
        time.sleep(0.01)
    return int(port_file.read_text())


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    """A function that starts a server with settings and an environment: (process, port)."""
    started: list[subprocess.Popen[str]] = []

    def start_one(
        settings: dict[str, Any] | None = None,
        launch: tuple[str, ...] = ("-m", "evalmake.engines.mock"),
        **environment: str,
    ) -> tuple[subprocess.Popen[str], int]:
        port_file = tmp_path_factory.mktemp("port") / "port"
        arguments = ["--port-file", str(port_file), "--settings", json.dumps(settings or {})]
        process = subprocess.Popen(
            [sys.executable, *launch, *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, _wait_for_port(process, port_file)

    yield start_one
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


class InProcess:
    """A service without a network: `post` gives the response, `ask` the reply's object."""

    def __init__(self, **settings: Any) -> None:
        self.service = Service(read_settings(json.dumps(settings)), None)

    def post(self, path: str, body: Any, now: float = 0.0) -> ApiResponse:
        """The response to a JSON body."""
        request = ApiRequest("POST", path, "", json.dumps(body).encode(), now)
        response = self.service.respond(request)
        self.service.end_request(request)
        return response

    def ask(self, path: str, **body: Any) -> dict[str, Any]:
        """The object that answers a body, which must be a success."""
        response = self.post(path, body)
        assert response.status == 200, response.body
        reply: dict[str, Any] = json.loads(response.body)
        return reply

    def say(self, text: str, **body: Any) -> str:
        """What is answered to one user's message, greedily unless the body says otherwise."""
        body = {"temperature": 0, **body, "messages": [{"role": "user", "content": text}]}
        reply = self.ask("/v1/chat/completions", **body)
        content: str = reply["choices"][0]["message"]["content"]
        return content


@pytest.fixture(scope="session")
def mock() -> type[InProcess]:
    """The class of services in process; call it with settings."""
    return InProcess
