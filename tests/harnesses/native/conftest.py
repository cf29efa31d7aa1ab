"""Fixtures of the native harness: a server, and a program that asks it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harnesses.native.harness_bench import Native, Server, serving
from tests.support.daemons import free_port


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server."""
    with serving() as state:
        yield state


@pytest.fixture
def native(
    tmp_path: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Native]:
    """The program; it leaves this process as it was."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    before = dict(os.environ)
    for name in before:
        if name.startswith("EVALMAKE_"):
            del os.environ[name]
    yield Native(tmp_path, server, capsys)
    os.environ.clear()
    os.environ.update(before)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def unused_tcp_port() -> int:
    """A port at which nobody listens."""
    return free_port()
