"""`container = docker`: jobs of a cluster in containers of its nodes' engine, which end with the jobs."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.executors.chat_server import ADDS_NUMBERS, chat_server
from tests.executors.slurm.clustered import ROOM, Clustered
from tests.support.daemons import needed, until
from tests.support.docker_engine import BASE, Dockerd, certificates, tcp_port
from tests.support.workspaces import SUMS, end

SECRET = "hf-of-the-executor-9876543210"
EVALFILE = f"""\
model nobody {{
    endpoint = "http://127.0.0.1:9/v1"
    name     = "nobody"
}}
benchmark boxed {{
    harness = command
    image   = "{BASE}"
    files   = file("job.sh")
    run     = "sh data/job.sh"
}}
eval tried {{
    model     = nobody
    benchmark = boxed
    executor  = cluster
    {ROOM}
}}
"""
WAITS = """\
until test -e /open/go; do sleep 0.1; done
test "$HUB_TOKEN" = hf-of-the-"executor"-9876543210 || exit 3
test -e /etc/debian_version -a -z "$SLURM_JOB_ID" || exit 4
echo "said from within"
id -u > $EVALMAKE_OUT/uid
echo '{"accuracy": 0.5}' > $EVALMAKE_OUT/scores.json
"""
DEAF = """\
trap '' TERM
echo began
while :; do sleep 0.1; done
"""
SERVED = f"""\
deployment server {{
    engine    = command
    image     = "{BASE}"
    run       = "exec python3 /open/server.py"
    port      = PORT
    executor  = cluster
    {ROOM}
}}
model served {{ deployment = server }}
eval asked {{
    model     = served
    benchmark = sums
    limit     = 3
    executor  = cluster
    {ROOM}
}}
"""


class Boxed:
    """A workspace whose jobs run in containers; `open` is a folder that these see as `/open`, too."""

    def __init__(self, bench: Clustered, engine: Dockerd, open: Path) -> None:
        self.bench, self.engine, self.open = bench, engine, open
        for place in (open, open / "tls"):
            place.mkdir()
            place.chmod(0o777)
        for name in ("ca.pem", "cert.pem", "key.pem"):
            shutil.copy(certificates() / name, open / "tls")
            (open / "tls" / name).chmod(0o644)
        bench.env["HUB_TOKEN"] = SECRET

    def evalfile(self, text: str) -> None:
        """Write the Evalfile; the engine is reached as a site's own setup would have it."""
        variables = {
            "DOCKER_HOST": f"tcp://127.0.0.1:{tcp_port()}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": f"{self.open}/tls",
        }
        prologue = ", ".join(f'"export {name}={value}"' for name, value in variables.items())
        more = f"""
            container = docker
            prologue  = [{prologue}]
            mounts    = ["{self.open}:{self.open}", "{self.open}:/open"]
            env       = {{ HUB_TOKEN = secret("HUB_TOKEN") }}
        """
        self.bench.evalfile(self.bench.executor(dedent(more)), text)

    def job(self, text: str) -> None:
        """Write the script of the evaluation."""
        self.bench.job(text)

    def containers(self) -> list[dict[str, Any]]:
        """Those of the workspace's jobs, running or not."""
        folders = str(self.bench.work())
        api, found = self.engine.api(), []
        for one in api.containers(all=True):
            if any(mount["Source"].startswith(folders) for mount in one["Mounts"]):
                found.append(one)
        return found

    def running(self) -> dict[str, Any]:
        """Wait until the one container of the workspace runs; what the engine shows of it."""
        until(lambda: [one["State"] for one in self.containers()] == ["running"], self.logs)
        [one] = self.containers()
        shown: dict[str, Any] = self.engine.api().inspect_container(one["Id"])
        return shown

    def logs(self) -> list[str]:
        """What the jobs print."""
        return [path.read_text() for path in self.bench.work().glob("*/log")]

    def began(self) -> None:
        """Wait until the script in it has begun."""
        id = self.running()["Id"]
        until(lambda: b"began" in self.engine.api().logs(id))

    def gone(self) -> None:
        """Wait until no container is left; nothing else is, either."""
        until(lambda: not self.containers(), self.containers)
        self.bench.clean()


@pytest.fixture
def box(engine: Dockerd, tmp_path: Path) -> Iterator[Callable[[Clustered], Boxed]]:
    """Makes such workspaces; whatever a failed test leaves running is ended."""
    needed("docker's client", "" if shutil.which("docker") else "not installed: docker")
    made: list[Boxed] = []

    def new(bench: Clustered) -> Boxed:
        place = bench.cluster.folder / "run" / f"{tmp_path.name}-{len(made)}"
        made.append(Boxed(bench, engine, place))
        made[-1].evalfile(EVALFILE)
        return made[-1]

    yield new
    for one in (one for boxed in made for one in boxed.containers()):
        engine.api().remove_container(one["Id"], force=True)


@pytest.fixture
def boxed(either: Clustered, box: Callable[[Clustered], Boxed]) -> Boxed:
    """One near, and one far."""
    return box(either)


def test_evaluation(boxed: Boxed) -> None:
    """An evaluation in a container gets its score; the engine does not show its secret, and the user owns its files."""
    boxed.job(WAITS)
    process = boxed.bench.start()
    shown = boxed.running()
    assert SECRET not in json.dumps(shown)
    assert shown["HostConfig"]["Memory"] == 400 * 2**20
    far = boxed.bench.login
    assert shown["Config"]["User"] == (f"{far.uid}:{far.gid}" if far else "0:0")
    (boxed.open / "go").touch()
    ended = end(process)
    assert ended.status == 0, ended.text
    assert boxed.bench.scores() == {"tried": [0.5]}
    [attempt] = boxed.bench.attempts()
    assert boxed.bench.output(attempt, "uid").decode().strip() == str(far.uid if far else 0)
    assert boxed.bench.run("logs", "tried").out.startswith("said from within\n")
    boxed.gone()


def test_cancelled(boxed: Boxed) -> None:
    """A container ends when Slurm cancels its job, even if it ignores SIGTERM."""
    boxed.job(DEAF)
    process = boxed.bench.start()
    boxed.began()
    process.send_signal(signal.SIGINT)
    assert end(process).status == 130
    boxed.gone()


def test_time_limit(boxed: Boxed) -> None:
    """A container ends when its job reaches the time limit."""
    boxed.job(DEAF)
    process = boxed.bench.start()
    boxed.began()
    [job] = boxed.bench.jobs("RUNNING")
    boxed.bench.cluster.expire(job)
    ended = end(process)
    assert "TIMEOUT: it reached its time limit" in ended.err, ended.text
    boxed.gone()


def test_server(boxed: Boxed) -> None:
    """A server in a container serves jobs without containers, and ends with its job."""
    (boxed.open / "server.py").write_text(chat_server(ADDS_NUMBERS))
    port = 61_000 + os.getpid() % 1000
    boxed.bench.sums(3)
    boxed.evalfile(SERVED.replace("PORT", str(port)) + dedent(SUMS))
    ended = boxed.bench.run()
    assert ended.status == 0, ended.text
    assert boxed.bench.scores() == {"asked": [1.0]}
    boxed.gone()


def test_the_same_twice(near: Clustered, far: Clustered, box: Callable[[Clustered], Boxed]) -> None:
    """The same job of two users has two containers on a node."""
    both = box(near), box(far)
    for one in both:
        one.job(WAITS)
    processes = [one.bench.start() for one in both]
    for one in both:
        one.running()
    for one, process in zip(both, processes, strict=True):
        (one.open / "go").touch()
        ended = end(process)
        assert ended.status == 0, ended.text
        one.gone()
    assert near.attempts()[0].job == far.attempts()[0].job
