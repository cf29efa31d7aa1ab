"""Builds whose engine ends and comes back, or was never there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.executors.docker import tiny
from tests.executors.docker.contained import SCORED, Contained
from tests.support.docker_engine import Dockerd, lacking
from tests.support.owned_folders import owned_folder
from tests.support.registries import Registry
from tests.support.request_gate import gate_registry
from tests.support.workspaces import Bench, end, end_processes, read_until, wait_for

OPTIONS = (
    "--bridge=none",
    "--iptables=false",
    "--default-address-pool",
    "base=10.214.0.0/16,size=24",
)
"""An engine beside the one that everybody shares must leave bridge and firewall alone."""
WAITING = 'print("begun", flush=True)\nwait("/shared/go")\n'
Own = Callable[..., Contained]


@pytest.fixture
def own(engine: Dockerd, tmp_path: Path) -> Iterator[Own]:
    """A function that makes a workspace with an engine of its own, with these options."""
    assert not lacking()
    made: list[Contained] = []
    folders = ExitStack()

    def make(*options: str) -> Contained:
        folder = folders.enter_context(owned_folder("own-", end_left))
        made.append(Contained(tmp_path / "work", Dockerd(folder, (*OPTIONS, *options))))
        made[-1].engine.start()
        made[-1].engine.tidy()
        return made[-1]

    yield make
    for bench in made:
        end_processes(bench, tmp_path)
        if not bench.engine.answers():
            bench.engine.start()
        bench.executor(network="gateway").sweep()
        bench.engine.stop()
        subprocess.run(["umount", "-q", "-l", bench.engine.folder / "data"], check=False)
    folders.close()


def end_left(folder: Path) -> None:
    """End an engine whose test process was killed, and its containers."""
    engine = Dockerd(folder)
    if engine.answers():
        engine.tidy()
    engine.stop()


def begun(bench: Contained) -> bool:
    """Whether the job in the container runs."""
    logs = (bench.root / ".evalmake" / "work").glob("*/log")
    return any(b"begun" in path.read_bytes() for path in logs)


@pytest.mark.parametrize("meanwhile", [False, True])
def test_engine_that_leaves_containers_running(own: Own, meanwhile: bool) -> None:
    """A build waits for jobs while the engine restarts; they go on, and run once if the engine knows how they ended."""
    bench = own("--live-restore")
    bench.asks(WAITING + SCORED, more="network = gateway")
    process = bench.start()
    wait_for(lambda: begun(bench))
    bench.engine.stop()
    read_until(process, f"executor box: cannot reach the engine at {bench.engine.url}: ")
    if meanwhile:
        (bench.shared / "go").touch()
    bench.engine.start()
    read_until(process, "executor box: answers again")
    (bench.shared / "go").touch()
    ended = end(process)

    assert ended.status == 0, ended.text
    assert bench.scores() == {"asked": [1.0]}
    attempts = [a.attempt for a in bench.attempts()]
    assert attempts == [1] or (meanwhile and attempts == [1, 2])  # Docker 26 forgets how that ended, Docker 20 does not
    bench.clean()


def test_engine_that_ends_its_containers(own: Own) -> None:
    """Jobs and servers that ended with the engine run again, without using up retries."""
    bench = own()
    bench.asks(WAITING + SCORED, more="network = gateway")
    process = bench.start()
    wait_for(lambda: begun(bench))
    bench.engine.stop()
    read_until(process, "executor box: cannot reach the engine")
    (bench.shared / "go").touch()
    bench.engine.start()
    read_until(process, "executor box: answers again")
    ended = end(process)

    assert ended.status == 0, ended.text
    assert bench.scores() == {"asked": [1.0]}
    assert [(a.status, a.detail) for a in bench.attempts()] == [
        ("cancelled", "its engine ended it"),
        ("succeeded", ""),
    ]
    bench.clean()


def test_engine_that_is_away_as_a_build_ends(own: Own) -> None:
    """Containers that could not be ended stay in the journal, and the next build ends them."""
    bench = own("--live-restore")
    bench.asks(WAITING + SCORED, more="network = gateway", eval="timeout = 3s")
    seconds = 3

    def start() -> subprocess.Popen[str]:
        started = bench.start()
        wait_for(lambda: begun(bench) or started.poll() is not None)
        return started

    process = start()
    while process.poll() is not None:  # under load, the container may take longer to begin than the job may take
        bench.edit(f"timeout = {seconds}s", f"timeout = {4 * seconds}s")
        seconds *= 4
        process = start()
    bench.engine.stop()
    ended = end(process)

    assert ended.status == 2
    assert f"asked failed: timed out after {seconds}s" in ended.err
    bench.engine.start()
    assert len(bench.containers()) == 2
    bench.edit(f"timeout = {seconds}s", "")
    (bench.shared / "go").touch()
    again = bench.run()
    assert again.status == 0, again.text
    assert [a.status for a in bench.attempts()] == ["failed", "succeeded"]
    bench.clean()


@pytest.mark.parametrize("times", [1, 2])
def test_engine_that_is_away_while_it_pulls(own: Own, hub: Registry, times: int) -> None:
    """The image is pulled once the engine is back, however often that was; the job has begun once."""
    bench = own()
    tiny.pushed(bench.engine, f"{hub.host}/acme/tiny:1")
    with gate_registry(hub.host, "GET /v2/acme/tiny/blobs/") as (gate, host):
        tiny.evalfile(bench, f"{host}/acme/tiny:1")
        process = bench.start()
        for _ in range(times):
            wait_for(lambda: len(gate.held) == 2)  # its configuration and its one layer
            bench.engine.stop()
            read_until(process, "executor box: cannot reach the engine")
            gate.held.clear()
            bench.engine.start()
            read_until(process, "executor box: answers again")
        gate.open()
        ended = end(process)

    assert ended.status == 0, ended.text
    assert bench.scores() == {"asked/1": [1.0], "asked/2": [1.0]}
    assert sorted((bench.shared / "starts").read_text().split()) == ["1", "2"]
    bench.clean()


ABSENT = """\
    executor box {
        backend = docker
        host    = "unix:///run/no-engine.sock"
    }
    model nobody {
        endpoint = "http://127.0.0.1:9/v1"
        name     = "nobody"
    }
    benchmark boxed {
        harness = command
        image   = "acme/boxed:1"
        run     = "true"
    }
    benchmark plain {
        harness = command
        run     = 'echo "{\\"accuracy\\": 1.0}" > "$EVALMAKE_OUT/scores.json"'
    }
    eval there {
        model     = nobody
        benchmark = boxed
        executor  = box
    }
    eval here {
        model     = nobody
        benchmark = plain
    }
"""


def test_engine_that_is_absent(tmp_path: Path) -> None:
    """After a few tries the message says that the engine does not answer; other evaluations run."""
    bench = Bench(tmp_path)
    bench.evalfile(ABSENT)
    ended = bench.run("-k")

    why = "executor box: cannot reach the engine at unix:///run/no-engine.sock: no such file or directory"
    assert ended.status == 2
    assert f"{why}; waiting for it" in ended.err
    assert f"error: there could not be started: {why} [job-failed]" in ended.err
    assert "help: start Docker there, or name its engine" in ended.err
    assert bench.scores() == {"here": [1.0]}
    bench.clean()
