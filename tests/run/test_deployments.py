"""Deployments that die, never come up, or are shared."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from tests.support.daemons import free_port
from tests.support.workspaces import SUMS, Bench, Ended, end, wait_for

EVALFILE = """\
    executor local {
        backend = process
        slots   = 2
    }
    deployment stand-in {
        engine = mock
        args   = { skill = 0.6, latency = 0.05 }
    }
    deployment broken {
        engine    = command
        run       = "echo loading; echo out of memory; exit 137"
        resources = { memory = 1GiB }
    }
    model stand-in {
        deployment  = stand-in
        concurrency = 1
    }
    model broken { deployment = broken }
    eval asked {
        model     = stand-in
        benchmark = sums
        seed      in 1..3
    }
    eval doomed {
        model     = broken
        benchmark = sums
        seed      in 1..4
    }
"""


FIXED = """\
    executor other { backend = process }
    deployment wrong {
        engine = command
        run    = "sleep 1000"
        port   = PORT
    }
    deployment right {
        engine   = command
        run      = "sleep 2000"
        port     = PORT
        executor = other
    }
    model wrong { deployment = wrong }
    model right { deployment = right }
    eval first {
        model     = wrong
        benchmark = sums
    }
    eval second {
        model     = right
        benchmark = sums
    }
"""
"""Two servers that would listen on one port, in a while, on executors that are both this machine."""

CROWDED = """\
    executor local {
        backend = process
        slots   = 1
    }
    deployment one { engine = mock }
    deployment two {
        engine = mock
        args   = { seed = 2 }
    }
    model one { deployment = one }
    model two { deployment = two }
    eval apart {
        model     in [one, two]
        benchmark = sums
        seed      in 1..2
    }
    eval together {
        model     = one
        benchmark = judged
    }
    benchmark judged {
        harness = native
        files   = file("sums.jsonl")
        prompt  = "{question}"
        target  = "{answer}"
        scorer  = judge
        judge   = two
    }
"""
"""Servers on an executor with one slot; `together` needs two of them at once."""


def server_pid(bench: Bench, module: str = "evalmake.engines.mock") -> int | None:
    """The process of a running mock server or gateway, once it listens."""
    for port in (bench.root / ".evalmake" / "work").glob("*/port"):
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if (
                    os.readlink(entry / "cwd") == str(port.parent)
                    and words[0] != b"/bin/sh"
                    and module.encode() in words
                ):
                    return int(entry.name)
            except OSError:
                continue
    return None


def _most_answered(bench: Bench) -> int:
    """The number of samples of the evaluation that has the most."""
    logs = (bench.root / ".evalmake" / "work").glob("*/out/samples.jsonl")
    return max((path.read_bytes().count(b"\n") for path in logs), default=0)


def _kill_while_asking(bench: Bench, module: str) -> Ended:
    """Kill a server when a third of the questions has an answer; the end of the build."""
    bench.evalfile(EVALFILE, SUMS)
    bench.sums(30)
    process = bench.start("asked")
    wait_for(lambda: _most_answered(bench) >= 10)
    pid = server_pid(bench, module)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return end(process)


def test_dead_server_is_started_again(bench: Bench) -> None:
    """Evaluations whose server was killed wait for its restart, and none fails."""
    ended = _kill_while_asking(bench, "evalmake.engines.mock")

    assert ended.status == 0, ended.text
    told = "deployment stand-in: restarting: it died while it was used: exit status 137"
    assert told in ended.err
    assert sorted(bench.scores()) == ["asked/1", "asked/2", "asked/3"]
    assert {a.status for a in bench.attempts()} == {"succeeded"}
    assert sum(a.usage["retries"] for a in bench.attempts() if "retries" in a.usage) > 0
    bench.clean()


def test_dead_gateway_is_started_again(bench: Bench) -> None:
    """Evaluations whose gateway was killed run again, use up no retry, and repeat no request."""
    ended = _kill_while_asking(bench, "evalmake.gateway")

    assert ended.status == 0, ended.text
    assert sorted(bench.scores()) == ["asked/1", "asked/2", "asked/3"]
    assert "cancelled" in {a.status for a in bench.attempts()}
    again = [a for a in bench.attempts() if a.attempt > 1]
    assert sum(a.usage.get("cached", 0) for a in again) > 0
    bench.clean()


def test_server_that_never_comes_up(bench: Bench) -> None:
    """The message says how and where the server ended, the last lines of its log, and who waits; -k runs the rest."""
    bench.evalfile(EVALFILE, SUMS)
    bench.sums(3)
    ended = bench.run("-k")

    assert ended.status == 2
    assert sorted(bench.scores()) == ["asked/1", "asked/2", "asked/3"]
    message = ended.err[ended.err.index("error: deployment") :]
    assert message == (
        "error: deployment broken stopped before it was ready, after 0s: exit status 137"
        " (SIGKILL, most often memory) [service-failed]\n"
        "  --> Evalfile:9:1\n"
        "   |\n"
        " 9 | deployment broken {\n"
        "   | ^^^^^^^^^^^^^^^^^\n"
        "...\n"
        "12 |     resources = { memory = 1GiB }\n"
        "   |                 ----------------- this is its limit\n"
        "   |\n"
        "note: the last lines of its log were\n"
        "      | loading\n"
        "      | out of memory\n"
        "note: attempt 3 of 3 on executor local; the whole log: evalmake logs broken\n"
        "note: 4 evaluations wait for it: doomed/1, doomed/2, doomed/3, ...\n"
        "help: give it more memory: raise `resources.memory`\n"
    )
    assert bench.run("logs", "broken").out == "loading\nout of memory\n"
    bench.clean()


def test_server_that_is_never_ready(bench: Bench) -> None:
    """A server that does not answer within `ready` is ended, restarted, and then given up."""
    bench.evalfile(EVALFILE, SUMS)
    bench.sums(3)
    bench.edit('"echo loading; echo out of memory; exit 137"', '"sleep 1000 & sleep 1000"')
    bench.edit("resources = { memory = 1GiB }", "ready     = 1s")
    ended = bench.run("doomed")

    assert ended.status == 2
    why = "was not ready within 1s: it wrote no port into `port`"
    assert f"error: deployment broken {why} [service-failed]" in ended.err
    assert ended.err.count(f"deployment broken: restarting: it {why}") == 2
    assert bench.scores() == {}
    bench.clean()


def test_server_is_shared_and_stopped(bench: Bench) -> None:
    """One server serves all its evaluations, and stops after the last."""
    bench.evalfile(EVALFILE, SUMS)
    bench.sums(3)
    ended = bench.run("asked", "-v")

    assert ended.status == 0
    assert ended.err.count("deployment stand-in: starting") == 1
    assert ended.err.count("deployment stand-in: stopped") == 1
    bench.clean()


def fixed(bench: Bench, port: int) -> None:
    """The Evalfile of two servers that listen on `port`."""
    bench.evalfile(FIXED.replace("PORT", str(port)), SUMS)
    bench.sums(3)


def test_a_port_that_a_stranger_has(bench: Bench) -> None:
    """While something else listens on its port, a server does not start and no request goes to the other."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        fixed(bench, port)
        ended = bench.run("first")

    assert ended.status == 2
    said = f"deployment wrong could not be started: something else listens on port {port}"
    assert f"error: {said} [service-failed]" in ended.err
    assert "evalmake logs" not in ended.err
    assert "help: end what listens there, or give the deployment another `port`" in ended.err
    assert bench.scores() == {}
    bench.clean()


def test_a_port_that_another_deployment_has(bench: Bench) -> None:
    """Two deployments with one port on one machine never answer for each other, on different executors either."""
    port = free_port()
    fixed(bench, port)
    ended = bench.run()

    assert ended.status == 2
    assert f"deployment right could not be started: deployment wrong listens on port {port}" in (ended.err)
    assert bench.scores() == {}
    bench.clean()


def test_slots_hold_for_servers(bench: Bench) -> None:
    """With one slot the second server starts after the first has stopped."""
    bench.evalfile(CROWDED, SUMS)
    bench.sums(3)
    ended = bench.run("-v", "apart")

    assert ended.status == 0, ended.text
    steps = [line.split("deployment ")[1] for line in ended.err.splitlines() if "deployment " in line]
    assert [step.split(" at ")[0] for step in steps if "ready" not in step] == [
        "one: starting",
        "one: stopped",
        "two: starting",
        "two: stopped",
    ]
    bench.clean()


def test_more_servers_than_slots(bench: Bench) -> None:
    """An evaluation that needs two servers at once runs where there is one slot."""
    bench.evalfile(CROWDED, SUMS)
    bench.sums(3)
    ended = bench.run()

    assert "deployment two: starting" in ended.err
    assert sorted(bench.scores())[-1] == "together"
    assert len(bench.scores()) == 5
    bench.clean()


def test_a_long_log_of_a_server(bench: Bench) -> None:
    """Of a server's log that is longer than `settings` allow, both ends are kept; the server goes on meanwhile."""
    bench.evalfile("settings { log = 1MiB }\n", EVALFILE, SUMS)
    bench.sums(1)
    bench.edit("echo loading; ", "echo loading; yes | head -c 4000000; ")
    assert "the last lines of its log were" in bench.run("doomed").err
    kept = (bench.root / ".evalmake" / "logs" / "broken.log").read_bytes()
    assert len(kept) < 2**20 + 100
    assert kept.startswith(b"loading\ny\n")
    assert kept.endswith(b"y\nout of memory\n")
    assert b"[evalmake left out 2.8 MiB]" in kept
