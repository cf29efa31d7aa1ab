"""The proxies that are compared: how each is started, and what is asked of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalmake.gateway.settings import GatewaySettings, SessionSettings
from tests.benchmarks.load import TOKEN
from tests.benchmarks.processes import Command
from tests.support.daemons import free_port

NEMO = "nemo-evaluator==0.2.8"
PATH = "/v1/chat/completions"
_UNLIMITED = 10**9
_NEMO_PROGRAM = """
import json, sys
from nemo_evaluator.adapters.adapter_config import AdapterConfig
from nemo_evaluator.adapters.server import _run_adapter_server
url, folder, port, config = sys.argv[1:]
_run_adapter_server(url, folder, AdapterConfig(**json.loads(config)), int(port))
"""


@dataclass(frozen=True, slots=True)
class Proxy:
    """One way to run one of them; `start` gets a folder of its own and the upstream's address."""

    name: str
    start: Callable[[Path, str], Command]
    path: str = PATH
    replays: bool = False
    """Its cache is filled first; nothing goes upstream after that."""


def bare() -> Proxy:
    """The yardstick."""
    return Proxy("aiohttp, bare", _start_bare)


def gateways() -> Iterator[Proxy]:
    """Ours."""
    plain: dict[str, Any] = {"cache": False}
    logging = {**plain, "log": _UNLIMITED}
    for does, adapter, replays in (
        ("plain", plain, False),
        ("logging", logging, False),
        ("cache misses", {}, False),
        ("cache replays", {}, True),
    ):
        yield Proxy(f"gateway, {does}", _gateway(adapter), f"/t/e{PATH}", replays)


def nemos(python: Path) -> Iterator[Proxy]:
    """The adapter proxy of nemo-evaluator, on its own server; `python` has it installed."""
    endpoint: dict[str, Any] = {"name": "endpoint"}
    logging = [
        {"name": "request_logging", "config": {"max_requests": None}},
        endpoint,
        {"name": "response_logging"},
    ]
    for does, interceptors, replays in (
        ("plain", [endpoint], False),
        ("logging", logging, False),
        ("cache misses", None, False),
        ("cache replays", None, True),
    ):
        yield Proxy(f"nemo-evaluator, {does}", _nemo(python, interceptors), replays=replays)


def _start_bare(folder: Path, upstream: str) -> Command:
    port = free_port()
    argv = (sys.executable, "-m", "tests.benchmarks.passthrough", str(port), upstream)
    return Command(argv, port)


def _gateway(adapter: dict[str, Any]) -> Callable[[Path, str], Command]:
    def start(folder: Path, upstream: str) -> Command:
        sessions, settings = folder / "sessions", folder / "settings.json"
        sessions.mkdir(parents=True, exist_ok=True)
        session = SessionSettings(
            token=TOKEN,
            upstreams=[f"{upstream}/v1"],
            folder=str(folder / "record"),
            model="m",
            seed="0",
            adapter=adapter,
        )
        cache = str(folder / "cache") if adapter.get("cache", True) else None
        settings.write_text(GatewaySettings(str(sessions), cache).to_json())
        (sessions / "e.json").write_text(session.to_json())
        port = free_port()
        argv = (sys.executable, "-m", "evalmake.gateway", str(settings), "--port", str(port))
        return Command(argv, port)

    return start


def _nemo(python: Path, interceptors: list[dict[str, Any]] | None) -> Callable[[Path, str], Command]:
    """None: those of its cache, which is in the folder."""

    def start(folder: Path, upstream: str) -> Command:
        folder.mkdir(parents=True, exist_ok=True)
        kept = {"cache_dir": str(folder / "cache"), "reuse_cached_responses": True}
        chain = interceptors or [{"name": "caching", "config": kept}, {"name": "endpoint"}]
        port = free_port()
        argv = (
            str(python),
            "-c",
            _NEMO_PROGRAM,
            upstream + PATH,
            str(folder),
            str(port),
            json.dumps({"interceptors": chain}),
        )
        return Command(argv, port, {"ADAPTER_HOST": "127.0.0.1"})

    return start


def installed(folder: Path, requirement: str = NEMO) -> Path:
    """The Python of a virtual environment that has `NAME==VERSION`, made if need be; RuntimeError."""
    python = folder / "bin" / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(folder)])
    name, _, version = requirement.partition("==")
    asked = f"from importlib.metadata import version; assert version({name!r}) == {version!r}"
    if subprocess.run([python, "-c", asked], capture_output=True).returncode:
        _run([str(python), "-m", "pip", "install", "--quiet", requirement])
    return python


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise RuntimeError(f"{' '.join(argv)}: {said[-1]}")
