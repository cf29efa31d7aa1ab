"""Deployments that die, never come up, or are shared."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from workspaces import SUMS, Bench, end, wait_for

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
    defaults benchmark { request_retries = 0 }
"""


def server_pid(bench: Bench) -> int | None:
    """The process of the running mock server, once it listens."""
    for port in (bench.root / ".evalmake" / "work").glob("*/port"):
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if os.readlink(entry / "cwd") == str(port.parent) and words[0] != b"/bin/sh":
                    return int(entry.name)
            except OSError:
                continue
    return None


def test_dead_server_is_started_again(bench: Bench) -> None:
    """Evaluations whose server was killed are run again on a new one, at no cost to their retries."""
    bench.evalfile(EVALFILE, SUMS)
    bench.sums(30)
    process = bench.start("asked")
    samples = bench.root / ".evalmake" / "work"
    wait_for(lambda: any(p.stat().st_size for p in samples.glob("*/out/samples.jsonl")))
    pid = server_pid(bench)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    ended = end(process)

    assert ended.status == 0, ended.text
    assert "deployment stand-in: restarting" in ended.err
    assert sorted(bench.scores()) == ["asked/1", "asked/2", "asked/3"]
    assert "failed" in {a.status for a in bench.attempts()}
    bench.clean()


def test_server_that_never_comes_up(bench: Bench) -> None:
    """The message says how it ended, where, its last words and who waits; -k does all the rest."""
    bench.evalfile(EVALFILE, SUMS)
    bench.sums(3)
    ended = bench.run("-k")

    assert ended.status == 2
    assert sorted(bench.scores()) == ["asked/1", "asked/2", "asked/3"]
    message = ended.err[ended.err.index("error: deployment") :]
    assert message == (
        "error: deployment broken stopped before it was ready: exit status 137 after 0s"
        " [service-failed]\n"
        "  --> Evalfile:9:1\n"
        "   |\n"
        " 9 | deployment broken {\n"
        "   | ^^^^^^^^^^^^^^^^^\n"
        "...\n"
        "12 |     resources = { memory = 1GiB }\n"
        "   |                 ----------------- the limit it ran under\n"
        "   |\n"
        "note: the last lines of its log were\n"
        "      | loading\n"
        "      | out of memory\n"
        "note: attempt 3 of 3 on executor local; the whole log: evalmake logs broken\n"
        "note: 4 evaluations wait for it: doomed/1, doomed/2, doomed/3, ...\n"
        "help: 137 is SIGKILL, most often the memory limit: raise `resources.memory`\n"
    )
    assert bench.run("logs", "broken").out == "loading\nout of memory\n"
    bench.clean()


def test_server_that_is_never_ready(bench: Bench) -> None:
    """A server that does not answer within `ready` is ended, started again, and given up."""
    bench.evalfile(EVALFILE, SUMS)
    bench.sums(3)
    bench.edit('"echo loading; echo out of memory; exit 137"', '"sleep 1000 & sleep 1000"')
    bench.edit("resources = { memory = 1GiB }", "ready     = 1s")
    ended = bench.run("doomed")

    assert ended.status == 2
    assert "error: deployment broken was not ready within 1s [service-failed]" in ended.err
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
