"""The sidecar: a command with gateways of its own, as a job of a cluster runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evalmake.gateway.settings import GatewaySettings, SessionSettings
from evalmake.gateway.sidecar import sidecar
from evalmake.gateway.sidecar.settings import SidecarGateway, gateways_to_json
from tests.gateway.gateway_process import wait_until
from tests.support.http_replies import http_reply, numbered_replies
from tests.support.scripted_upstream import ConnectionEnd, ReceivedRequest, Step, Upstream

TOKEN = "token-of-the-job"
ASK = """\
import json, os, sys, urllib.request
for name in sys.argv[1:]:
    head = {"Authorization": "Bearer token-of-the-job", "Content-Type": "application/json"}
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    url = os.environ[name] + "/chat/completions"
    asked = urllib.request.Request(url, json.dumps(body).encode(), head)
    try:
        print(urllib.request.urlopen(asked).read().decode(), flush=True)
    except OSError as error:
        print(error, flush=True)
"""
ASK_AND_LEAVE = f"""\
import pathlib, sys, threading, time
arrived = pathlib.Path(sys.argv.pop(1))
threading.Thread(target=exec, args=({ASK!r}, {{}}), daemon=True).start()
while not arrived.exists():
    time.sleep(0.01)
sys.exit(5)
"""
WAIT = "import time\nwhile True: time.sleep(0.05)\n"
HEEDLESS = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


class Job:
    """A job's folder, with a gateway for each role."""

    def __init__(self, folder: Path, **upstreams: Upstream | str) -> None:
        self.folder = folder
        self.ways = []
        for role, upstream in upstreams.items():
            url = upstream.url if isinstance(upstream, Upstream) else upstream
            self.give(role, {}, upstreams=[url], adapter={})
            key = role.upper()
            place = str(folder / role / "settings.json")
            self.ways.append(SidecarGateway(place, "mine", 0, f"{key}_URL", [f"{key}_KEY"]))

    def give(self, role: str, settings: Mapping[str, Any], **session: Any) -> None:
        """Write the settings of a role's gateway."""
        place = self.folder / role
        (place / "sessions").mkdir(parents=True, exist_ok=True)
        own = {
            "sessions": str(place / "sessions"),
            "cache": str(self.folder / "replies"),
            "key_variable": f"{role.upper()}_KEY",
            "read_only_caches": [str(self.folder / "none")],
        }
        (place / "settings.json").write_text(GatewaySettings(**(own | settings)).to_json())
        told = SessionSettings(token=TOKEN, folder=str(self.folder / f"noted-{role}"), **session)
        (place / "sessions" / "mine.json").write_text(told.to_json())

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Start a command; each role has a key of its own."""
        path = self.folder / "sidecar.json"
        path.write_text(gateways_to_json(self.ways))
        keys = {f"{way.variable[:-4]}_KEY": f"sk-of-the-{way.variable[:-4].lower()}" for way in self.ways}
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "evalmake.gateway.sidecar", str(path), *argv],
            env=os.environ | keys,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *argv: str) -> tuple[int, str, str]:
        """A command's exit status and output."""
        process = self.start(*argv)
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err, err
        return process.returncode, out, err

    def asking(self, *roles: str, before: str = "", then: str = "") -> tuple[str, ...]:
        """A command that sends one request for each role."""
        urls = (f"{role.upper()}_URL" for role in roles)
        return (sys.executable, "-c", before + ASK + then, *urls)

    def noted(self, role: str = "model") -> Any:
        """The sums of a role's requests."""
        return json.loads((self.folder / f"noted-{role}" / "usage.json").read_bytes())


@pytest.fixture
def upstream() -> Upstream:
    """A model that answers."""
    return Upstream(numbered_replies())


def bearer(upstream: Upstream) -> set[bytes | None]:
    """The Authorization headers that a model received."""
    return {seen.header(b"authorization") for seen in upstream.received}


def test_a_command_that_asks_nothing(tmp_path: Path, upstream: Upstream) -> None:
    """The sidecar exits with the command's status, and without requests nothing is recorded."""
    job = Job(tmp_path, model=upstream)
    assert job.run("sh", "-c", "exit 3") == (3, "", "")
    assert {path.name for path in tmp_path.iterdir()} == {"sidecar.json", "model"}


def test_asking(tmp_path: Path, upstream: Upstream) -> None:
    """Requests are answered, and the counts are complete when the sidecar ends."""
    job = Job(tmp_path, model=upstream)
    status, out, err = job.run(*job.asking("model", then="sys.exit(4)"))
    assert (status, err) == (4, "")
    assert "sample 0" in out
    assert bearer(upstream) == {b"Bearer sk-of-the-model"}
    assert (job.noted()["requests"], job.noted()["fatal"]) == (1, "")
    assert not (tmp_path / "model" / "sessions" / "mine.json").exists()


def test_two_roles(tmp_path: Path, upstream: Upstream) -> None:
    """Model and judge share a process, with keys and counts of their own; the command has no key."""
    judge = Upstream(numbered_replies())
    job = Job(tmp_path, model=upstream, judge=judge)
    told = "assert not [name for name in os.environ if name.endswith('_KEY')]"
    status, _, err = job.run(*job.asking("model", "judge", "judge", then=told))
    assert (status, err) == (0, "")
    assert bearer(upstream) == {b"Bearer sk-of-the-model"}
    assert bearer(judge) == {b"Bearer sk-of-the-judge"}
    assert (job.noted("model")["requests"], job.noted("judge")["requests"]) == (1, 2)


def test_an_evaluation_that_is_to_end(tmp_path: Path, upstream: Upstream) -> None:
    """When a gateway stops the evaluation, the command ends, with the reason in its log."""
    job = Job(tmp_path, model=upstream.use_scripts([http_reply({"error": "no such model"}, 404)]))
    job.give("model", {}, upstreams=[upstream.url], adapter={"client_errors": True})
    status, _, err = job.run(*job.asking("model", then=WAIT))
    assert status == sidecar.GATEWAY_FAILED
    assert "evalmake: ended the command: " in err
    assert "no such model" in err
    assert "no such model" in job.noted()["fatal"]


@pytest.mark.parametrize("told", [{"secret_headers": {"x": "LACKING"}}, {"cache_size": "?", "rate": 7}])
def test_a_gateway_that_fails(tmp_path: Path, upstream: Upstream, told: dict[str, Any]) -> None:
    """When a gateway fails, the command ends at its first request, and the log says why."""
    job = Job(tmp_path, model=upstream)
    job.give("model", told, upstreams=[upstream.url])
    status, _, err = job.run(*job.asking("model", then=WAIT))
    assert status == sidecar.GATEWAY_FAILED
    assert "evalmake: ended the command: the gateway to its model failed: " in err
    assert upstream.received == []


def test_a_command_that_is_lost(tmp_path: Path, upstream: Upstream) -> None:
    """A command that a signal ends has a shell's status for it; its counts are recorded."""
    job = Job(tmp_path, model=upstream)
    status, _, _ = job.run(*job.asking("model", then="os.kill(os.getpid(), 9)"))
    assert status == 137
    assert job.noted()["requests"] == 1


@pytest.mark.parametrize("asked", [(), ("model",)], ids=["asked nothing", "asked"])
def test_term(tmp_path: Path, upstream: Upstream, asked: tuple[str, ...]) -> None:
    """TERM is forwarded to the command; the sidecar exits with its status and records its requests."""
    job = Job(tmp_path, model=upstream)
    ready = tmp_path / "ready"
    waits = f"import signal\nsignal.signal(15, lambda *_: sys.exit(9))\nopen({str(ready)!r}, 'w')\n{WAIT}"
    process = job.start(*job.asking(*asked, then=waits))
    wait_until(ready.exists, "the command was up")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (9, "")
    assert ("sample 0" in out) == bool(asked)
    assert not asked or job.noted()["requests"] == 1


def test_a_command_that_will_not_end(tmp_path: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that ignores TERM is killed after a grace."""
    monkeypatch.setattr(sidecar, "_GRACE", 0.1)
    job = Job(tmp_path, model=upstream)
    job.give("model", {"secret_headers": {"x": "LACKING"}}, upstreams=[upstream.url])
    argv = job.asking("model", before=HEEDLESS, then=WAIT)
    assert sidecar.run_command(job.ways, argv) == sidecar.GATEWAY_FAILED


def test_a_command_that_is_not_there(tmp_path: Path, upstream: Upstream) -> None:
    """A command that cannot be run is an error, with a shell's status for it."""
    status, out, err = Job(tmp_path, model=upstream).run("/no/such/program")
    assert (status, out) == (sidecar.COMMAND_NOT_FOUND, "")
    assert err == "evalmake: cannot run /no/such/program: No such file or directory\n"


def test_a_port_that_is_taken(tmp_path: Path, upstream: Upstream) -> None:
    """A gateway takes another port if the preferred one is in use."""
    job = Job(tmp_path, model=upstream)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        job.ways = [job.ways[0]._replace(port=taken.getsockname()[1])]
        status, out, _ = job.run(*job.asking("model"))
    assert (status, "sample 0" in out) == (0, True)


def test_an_answer_that_never_comes(tmp_path: Path, upstream: Upstream) -> None:
    """The sidecar ends with its command, even if a model has not replied."""
    arrived = tmp_path / "arrived"

    def script(request: ReceivedRequest) -> list[Step]:
        arrived.touch()
        return [ConnectionEnd.HANG]

    job = Job(tmp_path, model=upstream.use_scripts(script))
    status, _, err = job.run(sys.executable, "-c", ASK_AND_LEAVE, str(arrived), "MODEL_URL")
    assert (status, err) == (5, "")
    assert job.noted()["requests"] == 1
