"""Builds in containers that are killed at a moment that is certain, and at many that are not."""

from __future__ import annotations

import json
import subprocess
from collections import Counter

import pytest

from tests.executors.docker import tiny
from tests.executors.docker.contained import SCORED, SERVER, Contained
from tests.support.kill_trials import kill_builds
from tests.support.registries import Registry
from tests.support.request_gate import gate_engine, gate_registry
from tests.support.workspaces import wait_for

COUNTED = 'open("/shared/starts", "a").write(f"{os.environ[\'EVALMAKE_SEED\']}\\n")\n'
"""The line of a `job.py` by which its starts are counted."""
SERVER_COUNTED = 'open("/shared/servers", "a").write("one\\n")\n' + SERVER


def starts(bench: Contained, name: str = "starts") -> Counter[str]:
    """How often each job, or the server, has begun."""
    path = bench.shared / name
    return Counter(path.read_text().split() if path.exists() else ())


def killed(process: subprocess.Popen[str]) -> None:
    """Kill a build, and nothing but it."""
    process.kill()
    process.communicate()


def nothing_left(bench: Contained) -> None:
    """Assert that no container, network, rule or process of the workspace is there."""
    bench.clean()
    closed = bench.executor(network="gateway").network
    assert closed is not None
    rules = subprocess.run(["iptables", "-S"], check=True, capture_output=True, text=True).stdout
    assert closed.name not in json.dumps(bench.engine.api().networks()) + rules


def once(bench: Contained, seeds: int) -> None:
    """Assert that all is done, each job having begun once and its server too."""
    assert bench.scores() == {f"asked/{seed}": [1.0] for seed in range(1, seeds + 1)}
    assert starts(bench) == {str(seed): 1 for seed in range(1, seeds + 1)}
    assert starts(bench, "servers") == {"one": 1}
    assert [(a.attempt, a.status) for a in bench.attempts()] == [(1, "succeeded")] * seeds
    nothing_left(bench)


def test_while_containers_run(contained: Contained) -> None:
    """Running containers are taken over by the next build, and again by the one after it; none starts twice."""
    contained.asks(COUNTED + 'wait("/shared/go")\n' + SCORED, eval="seed in 1..2")
    (contained.shared / "server.py").write_text(SERVER_COUNTED)
    for _ in range(2):
        process = contained.start()
        wait_for(lambda: sum(starts(contained).values()) == 2)
        wait_for(lambda: len(contained.journal_entries()) == 4)
        killed(process)
    (contained.shared / "go").touch()
    last = contained.run()

    assert last.status == 0, last.text
    assert last.err.count("job of an earlier build taken over") == 3
    once(contained, 2)


CREATE, START = "POST /[^/]+/containers/create", "POST /[^/]+/containers/[^/]+/start"
COPY_OUT, REMOVE = "GET /[^/]+/containers/[^/]+/archive", "DELETE /[^/]+/containers/"
REMOVE_NETWORK = "DELETE /[^/]+/networks/"


@pytest.mark.parametrize(
    ("asked", "ahead"),
    [(CREATE, 0), (START, 0), (CREATE, 1), (START, 1), (COPY_OUT, 0), (REMOVE, 0), (REMOVE, 1), (REMOVE_NETWORK, 0)],
    ids=[
        "create the server",
        "start the server",
        "create the job",
        "start the job",
        "copy its outputs",
        "remove the job",
        "remove the server",
        "remove the network",
    ],
)
def test_instead_of_a_request(contained: Contained, asked: str, ahead: int) -> None:
    """If a build is killed before any of its requests to the engine, the next build finishes the work."""
    contained.asks(COUNTED + SCORED, more="network = gateway", eval="seed in 1..1")
    (contained.shared / "server.py").write_text(SERVER_COUNTED)
    with gate_engine(contained.engine.url, asked, ahead) as (gate, url):
        contained.edit(contained.engine.url, url)
        process = contained.start()
        wait_for(lambda: gate.held != [])
        killed(process)
        gate.open()
        last = contained.run()

    assert last.status == 0, last.text
    once(contained, 1)


def test_at_any_moment(contained: Contained) -> None:
    """Builds that are killed at random moments lose no result and run nothing twice."""
    begun: list[Contained] = []

    def begin() -> Contained:
        work = Contained(contained.root / f"build-{len(begun)}" / "work", contained.engine)
        begun.append(work)
        work.asks(COUNTED + "time.sleep(0.5)\n" + SCORED, more="network = gateway", eval="seed in 1..3")
        (work.shared / "server.py").write_text(SERVER_COUNTED)
        return work

    try:
        kill_builds(begin, lambda work: once(work, 3))
    finally:
        for work in begun:
            work.sweep()


def test_while_an_image_is_pulled(contained: Contained, hub: Registry) -> None:
    """The next build pulls it again, and each job begins once."""
    tiny.pushed(contained.engine, f"{hub.host}/acme/tiny:1")
    with gate_registry(hub.host, "GET /v2/acme/tiny/blobs/") as (gate, host):
        tiny.evalfile(contained, f"{host}/acme/tiny:1")
        for _ in range(2):
            gate.held.clear()
            process = contained.start()
            wait_for(lambda: len(gate.held) == 2)  # its configuration and its one layer
            killed(process)
            assert starts(contained) == {}
        gate.open()
        last = contained.run()

    assert last.status == 0, last.text
    assert starts(contained) == {"1": 1, "2": 1}
    assert contained.scores() == {"asked/1": [1.0], "asked/2": [1.0]}
    assert [(a.attempt, a.status) for a in contained.attempts()] == [(1, "succeeded")] * 2
    nothing_left(contained)
    contained.engine.api().remove_image(f"{host}/acme/tiny:1")
