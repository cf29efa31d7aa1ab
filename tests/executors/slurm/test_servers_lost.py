"""Model servers that are jobs of a cluster, whose nodes are drained, declared lost, or lose their power."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.executors.slurm.clustered import Clustered
from tests.support.daemons import until
from tests.support.workspaces import SUMS, Bench, end

COUNT = 24
EVALFILE = """\
deployment server {{
    engine    = mock
    args      = {{ skill = 0.8, latency = 0.4 }}
    executor  = cluster
    resources = {{ cpus = 1, memory = 300MiB }}
    {more}
}}
model served {{
    deployment  = server
    concurrency = 2
}}
eval asked {{
    model     = served
    benchmark = sums
    seed      in 1..2
    executor  = cluster
    resources = {{ cpus = 2, memory = 300MiB }}
}}
"""
UP = ("idle", "mixed", "allocated")
PROCESS = "executor cluster { backend = process }\n"


class Apart:
    """A workspace whose server runs on a node of its own, the evaluations on the other one."""

    def __init__(self, bench: Clustered) -> None:
        self.bench, self.cluster = bench, bench.cluster
        self.fillers: dict[str, str] = {}

    def evalfile(self, more: str = "") -> None:
        """Write the Evalfile; `more` says the deployment."""
        self.bench.sums(COUNT)
        self.bench.evalfile(self.bench.executor(), EVALFILE.format(more=more), SUMS)

    def start(self) -> str:
        """Start a build, and wait until both evaluations are on their way; the server's node."""
        self.fill(7, 8)
        self.process = self.bench.start()
        until(lambda: len(self.bench.jobs("RUNNING")) == 1, self.cluster.jobs)
        until(lambda: self.bench.jobs("PENDING"))
        [self.server] = self.bench.jobs("RUNNING")
        node = str(self.cluster.jobs()[self.server]["nodes"])
        [other] = set(self.cluster.nodes) - {node}
        self.cluster.scancel(self.fillers[other])
        self.answered(3)
        return node

    def fill(self, *cpus: int) -> None:
        """Have so many processors of each node in use."""
        for node, count in zip(self.cluster.nodes, cpus, strict=True):
            options = [f"--nodelist={node}", f"--cpus-per-task={count}", "--mem=100M"]
            self.fillers[node] = self.cluster.submit("exec sleep 600", *options)
        until(lambda: all(self.state(id) == "RUNNING" for id in self.fillers.values()))

    def on(self, node: str) -> list[str]:
        """The workspace's jobs that run on a node."""
        known = self.cluster.jobs()
        return [id for id in self.bench.jobs("RUNNING") if known[id]["nodes"] == node]

    def state(self, id: str) -> str:
        """What Slurm says of a job."""
        return str(self.cluster.jobs()[id]["job_state"])

    def answered(self, count: int) -> None:
        """Wait until each evaluation has so many answers."""
        until(lambda: len(self.answers()) == 2 and self.answers()[0] >= count, self.answers)

    def answers(self) -> list[int]:
        """How many answers each evaluation that runs has."""
        found = self.bench.work().glob("*/out/samples.jsonl")
        return sorted(path.read_bytes().count(b"\n") for path in found)

    def retries(self) -> int:
        """How many requests were made again."""
        found = self.bench.work().glob("*/gateway/usage.json")
        return sum(json.loads(path.read_text()).get("retries", 0) for path in found)

    def right(self) -> None:
        """Assert that scores are those of processes on this host, and that nothing is left."""
        other = Bench(self.bench.root / "other", self.bench.env)
        other.root.mkdir()
        other.sums(COUNT)
        text = (self.bench.root / "Evalfile").read_text()
        other.evalfile(PROCESS, text[text.index("deployment server") :])
        ended = other.run()
        assert ended.status == 0, ended.text
        assert len(self.bench.scores()) == 2
        assert self.bench.scores() == other.scores()
        self.bench.clean()


@pytest.fixture
def apart(either: Clustered) -> Iterator[Apart]:
    """Such a workspace, near and far; the nodes are well again afterwards."""
    made = Apart(either)
    yield made
    for id in made.fillers.values():
        made.cluster.scancel(id)
    for node in made.cluster.nodes:
        if made.cluster.state(node) not in UP:
            made.cluster.resume(node)


def said(process: subprocess.Popen[str], words: str) -> list[str]:
    """What a build says until some words come, these included."""
    assert process.stderr is not None
    lines: list[str] = []
    while words not in "".join(lines):
        lines.append(process.stderr.readline())
        assert lines[-1], lines
    return lines


def test_node_lost(apart: Apart) -> None:
    """A drained node changes nothing; one that is lost has its server started on another."""
    apart.evalfile()
    node = apart.start()
    apart.cluster.drain(node)
    apart.answered(8)
    assert apart.on(node) == [apart.server]
    apart.cluster.down(node)
    ended = end(apart.process)
    assert ended.status == 0, ended.text
    lost = "deployment server: restarting: it died while it was used: NODE_FAIL: its node failed"
    assert f"{lost} ({node}, which is drained: a test)\n" in ended.err
    assert ended.err.count("deployment server: restarting") == 1
    assert {one.attempt for one in apart.bench.attempts()} == {1}, "they went on with the new one"
    apart.right()


def test_no_node_left(apart: Apart) -> None:
    """Where no node is left a server waits for one, as long as that takes, and says why."""
    apart.evalfile("ready = 5s")
    node = apart.start()
    [other] = set(apart.cluster.nodes) - {node}
    for lost in (other, node):
        apart.cluster.down(lost)
    told = said(apart.process, "deployment server: still in the queue: ")
    assert told[-1].endswith("(n1 is down: a test; n2 is down: a test)\n")
    apart.cluster.scancel(*apart.fillers.values())
    apart.cluster.resume(other)
    ended = end(apart.process)
    assert ended.status == 0, ended.text
    assert {one.attempt for one in apart.bench.attempts() if one.status == "succeeded"} == {2}
    apart.right()


def test_power_lost(apart: Apart) -> None:
    """While Slurm has not noticed that a node is gone, evaluations wait for what it served."""
    apart.evalfile()
    node = apart.start()
    apart.cluster.crash(node)
    try:
        until(apart.retries)
        apart.cluster.down(node)
        ended = end(apart.process)
    finally:
        apart.cluster.scancel(*apart.fillers.values())
        apart.cluster.run("scontrol", "update", f"nodename={node}", "state=resume")
        apart.cluster.revive(node)
    assert ended.status == 0, ended.text
    assert {one.attempt for one in apart.bench.attempts()} == {1}
    apart.right()


def test_killed_in_the_queue(apart: Apart) -> None:
    """A server that waits keeps its place, though the build is killed that asked for it."""
    apart.evalfile()
    apart.fill(8, 8)
    first = apart.bench.start()
    until(lambda: apart.bench.jobs("PENDING"))
    first.kill()
    first.communicate()
    waiting = apart.bench.jobs()
    later = apart.bench.start()
    assert said(later, "server: job of an earlier build")[-1].endswith("taken over, queued\n")
    assert apart.bench.jobs() == waiting
    apart.cluster.scancel(*apart.fillers.values())
    ended = end(later)
    assert ended.status == 0, ended.text
    assert apart.bench.sbatches() == 2
    apart.right()
