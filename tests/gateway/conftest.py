"""Gateways: one for all tests of a process, others on demand; and stand-in models."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.gateway_process import KEY, Gateway, MockServer, start_module
from tests.support.certificates import make_certificate


@pytest.fixture(scope="session")
def start_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Gateway]]:
    """A function that starts a gateway with settings."""
    running: list[Gateway] = []

    def start(**settings: Any) -> Gateway:
        running.append(Gateway(tmp_path_factory.mktemp("gateway"), **settings))
        return running[-1]

    yield start
    for gateway in running:
        gateway.stop()
        assert gateway.may_fail or "Traceback" not in gateway.errors, gateway.errors


@pytest.fixture(scope="session")
def gateway(start_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway without limits, shared by the tests."""
    return start_gateway()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    return make_certificate(tmp_path_factory.mktemp("tls") / "both.pem")


@pytest.fixture(scope="session")
def start_mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., MockServer]]:
    """A function that starts a stand-in model with settings."""
    running = []

    def start(**settings: Any) -> MockServer:
        folder = tmp_path_factory.mktemp("mock")
        process, port = start_module(
            "evalmake.engines.mock", folder, "--settings", json.dumps(settings), MOCK_API_KEY=KEY
        )
        running.append(process)
        return MockServer(f"http://127.0.0.1:{port}/v1")

    yield start
    for process in running:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
