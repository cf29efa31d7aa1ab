"""A rerun of what has a result: until a run succeeds, or the rerun is withdrawn, the earlier result does not count."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from tests.support.http_replies import http_reply, numbered_replies
from tests.support.scripted_upstream import Upstream
from tests.support.workspaces import NOBODY, SCORE, SCRIPTED, SUMS, Bench, end, wait_for

EVALFILE = """\
    eval tried {
        model     = nobody
        benchmark = scripted
        seed      in 1..2
        require accuracy >= 40%
    }
    report card { of = [tried], path = "card.md" }
"""
JOB = f"""\
    test ! -e ../../../broken || exit 3
    test ! -e ../../../slow || touch ../../../started
    while test -e ../../../slow; do sleep 0.05; done
    {SCORE}
"""


@pytest.fixture
def built(bench: Bench) -> Bench:
    """A workspace in which all is up to date."""
    bench.evalfile(NOBODY, SCRIPTED, EVALFILE)
    bench.job(JOB)
    ended = bench.run()
    assert ended.status == 0, ended.text
    return bench


def start_slow(bench: Bench, *words: str) -> int:
    """Start a build whose jobs wait, and wait until one runs; return the build's process."""
    (bench.root / "slow").touch()
    process = bench.start(*words)
    wait_for((bench.root / "started").exists)
    return process.pid


def test_a_failed_rerun_is_told_until_a_run_succeeds(built: Bench) -> None:
    """`-n`, the gate and the report tell a rerun that failed; the next build tries again, and its success ends it."""
    (built.root / "broken").touch()
    assert built.run("-B", "tried/1").status == 2
    assert "! tried/1   its rerun failed: exit status 3" in built.run("-n").out
    assert built.run("-q").status == 1

    failed = built.run()
    assert failed.status == 2
    assert "not judged: tried/1 has no result (its rerun failed: exit status 3)" in " ".join(failed.err.split())
    assert "1 of 2 seeds have a result, and only these count" in failed.out
    assert "1 of 2 seeds have a result, and only these count" in (built.root / "card.md").read_text()

    (built.root / "broken").unlink()
    mended = built.run()
    assert (mended.status, "1 gate met" in mended.out) == (0, True), mended.text
    assert built.run().out == "nothing to do: 2 evaluations up to date\n"


def test_what_a_failure_left_unstarted_is_told(built: Bench) -> None:
    """Of a rerun that ends at its first failure, the targets that never started are told, too."""
    (built.root / "broken").touch()
    assert built.run("-B", "-j", "1").status == 2
    planned = built.run("-n").out
    assert "! tried/1   its rerun failed: exit status 3" in planned
    assert "! tried/2   its rerun is not finished" in planned


def test_a_rerun_whose_server_fails_is_told(built: Bench) -> None:
    """A rerun that makes no attempt, since its server does not start, is told all the same."""
    dead = built.root / "dead"
    serve = f"test ! -e {dead} && exec {sys.executable} -m evalmake.engines.mock --port 0 --port-file port"
    built.edit('endpoint = "http://127.0.0.1:9/v1"\n    name     = "nobody"', "deployment = served")
    with (built.root / "Evalfile").open("a") as evalfile:
        evalfile.write(f'deployment served {{ engine = command, run = "{serve}" }}\n')
    ended = built.run()
    assert ended.status == 0, ended.text
    attempts = len(built.attempts())
    dead.touch()
    assert built.run("-B").status == 2
    assert len(built.attempts()) == attempts
    assert "! tried/1..2   its rerun is not finished" in built.run("-n").out


def test_accept_withdraws_a_failed_rerun(built: Bench) -> None:
    """`accept` lets the earlier result count again, and the reason is on record."""
    (built.root / "broken").touch()
    assert built.run("-B", "tried/1").status == 2
    accepted = built.run("accept", "tried/1", "--because", "the endpoint is gone")
    assert accepted.status == 0, accepted.text
    assert "2 up to date" in built.run("-n").out
    assert "accepted because the endpoint is gone" in built.run("why", "tried/1").out


def test_an_interrupt_withdraws_a_rerun(built: Bench) -> None:
    """Ctrl-C lets the earlier results count again, of the jobs that ran and of those that waited, and says so."""
    start_slow(built, "-B", "-j", "1")
    process = built.started[-1]
    process.send_signal(signal.SIGINT)
    ended = end(process)
    assert ended.status == 130
    assert "2 reruns withdrawn: the earlier results count again" in ended.out
    assert "2 up to date" in built.run("-n").out


def test_a_killed_rerun_goes_on(built: Bench) -> None:
    """The next build takes over the jobs of a rerun whose build was killed, also without -B."""
    os.kill(start_slow(built, "-B"), signal.SIGKILL)
    built.started[-1].communicate()
    (built.root / "slow").unlink()
    ended = built.run()
    assert ended.status == 0, ended.text
    assert "2 ran" in ended.out
    assert len(built.attempts()) == 4
    assert "2 up to date" in built.run("-n").out


def test_a_rerun_that_goes_on_uses_no_earlier_reply(bench: Bench) -> None:
    """The build after a failed -B replays what that rerun was answered, and nothing from before."""
    upstream = Upstream(numbered_replies())
    bench.evalfile(
        f"""\
        model m {{ endpoint = "{upstream.url}", name = "m" }}
        eval asked {{ model = m, benchmark = sums }}
        """,
        SUMS,
    )
    bench.sums(3)
    assert bench.run().status == 0
    upstream.use_scripts([http_reply(b"no", 400)], numbered_replies())
    assert bench.run("-B").status == 2
    assert len(upstream.received) == 3 + 3
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert len(upstream.received) == 3 + 3 + 1
