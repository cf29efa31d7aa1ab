"""Several servers of one deployment, behind its model's gateway."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

from tests.support.mock_servers import count_requests
from tests.support.workspaces import SUMS, Bench, Ended, end, wait_for

EVALFILE = """\
    executor local {
        backend = process
        slots   = 6
    }
    deployment one {
        engine   = mock
        args     = { latency = 0.05 }
        replicas = 2
    }
    model one {
        deployment  = one
        concurrency = 4
    }
    eval asked {
        model     = one
        benchmark = sums
        seed      in 1..2
    }
"""
HELD = """\
    deployment one {
        engine   = command
        replicas = 2
        run      = '''
            SERVE
            exec PYTHON -P -m evalmake.engines.mock --port 0 --port-file port
        '''
    }
    model one { deployment = one }
    benchmark held {
        harness = command
        run     = '''
            until UNTIL; do sleep 0.05; done
            echo '{"a": 1}' > $EVALMAKE_OUT/scores.json
        '''
    }
    eval e {
        model     = one
        benchmark = held
    }
"""
"""An evaluation that goes on until something is true of its servers."""
LOCAL = """\
    executor local { backend = process }
"""


def held(bench: Bench, until: str, serve: str = "") -> None:
    """Write the Evalfile of an evaluation that ends when `until` holds."""
    text = HELD.replace("UNTIL", until).replace("SERVE", serve).replace("ROOT", str(bench.root))
    bench.evalfile(LOCAL, text.replace("PYTHON", sys.executable))


def servers(bench: Bench) -> dict[str, int]:
    """The root URL of each mock server that listens -> its process."""
    found = {}
    for port in (bench.root / ".evalmake" / "work").glob("*/port"):
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                there = os.readlink(entry / "cwd") == str(port.parent)
                if there and words[0] != b"/bin/sh" and b"evalmake.engines.mock" in words:
                    found[f"http://127.0.0.1:{int(port.read_text())}"] = int(entry.name)
            except (OSError, ValueError):
                continue
    return found


def starts(ended: Ended) -> list[str]:
    """The starts of servers, in order."""
    return re.findall(r"deployment (\S+): (?:starting|restarting)", ended.err)


def test_all_answer_and_one_may_die(bench: Bench) -> None:
    """Both replicas get requests; a killed one restarts, and no evaluation fails."""
    bench.evalfile(EVALFILE, SUMS)
    bench.sums(60)
    process = bench.start()
    wait_for(lambda: len(servers(bench)) == 2)
    wait_for(lambda: all(count_requests(url) > 3 for url in servers(bench)))
    os.kill(next(iter(servers(bench).values())), signal.SIGKILL)
    ended = end(process)

    assert ended.status == 0, ended.text
    assert sorted(bench.scores().values()) == [[1.0], [1.0]]
    assert {attempt.status for attempt in bench.attempts()} == {"succeeded"}
    assert len(starts(ended)) == 3
    assert ended.err.count(": stopped") == 2
    bench.clean()


def test_one_that_cannot_be_had(bench: Bench) -> None:
    """A replica that never comes up is given up, and the other does all the work."""
    serve = "mkdir ROOT/claim 2> /dev/null || { echo taken; echo >> ROOT/lost; exit 3; }"
    held(bench, 'test "$(wc -l < ROOT/lost)" = 3 2> /dev/null', serve)
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert len(starts(ended)) == 4
    (lost,) = set(re.findall(r"deployment (one#[12]): restarting", ended.err))
    assert bench.run("logs", lost).out == "taken\n"
    assert f"{lost} | taken\n" in bench.run("logs", "one").out
    bench.clean()


def test_none_can_be_had(bench: Bench) -> None:
    """Where no replica comes up, the error is about the first, with the last lines of its log."""
    held(bench, "false", "echo out of luck; exit 3")
    ended = bench.run()
    assert ended.status == 2
    told = "error: replica 1 of deployment one stopped before it was ready, after "
    assert told in ended.err
    assert "      | out of luck\n" in ended.err
    assert "note: 1 evaluation waits for it: e\n" in ended.err
    assert "the whole log: evalmake logs one#1" in ended.err
    assert starts(ended).count("one#1") == starts(ended).count("one#2") == 3
    bench.clean()


def test_as_many_as_there_is_room_for(bench: Bench) -> None:
    """An evaluation begins with the first replica; replicas without a free GPU do not start."""
    held(bench, 'test "$(cat ROOT/.evalmake/work/*/port | wc -w)" -ge 3')  # one is the gateway's
    bench.edit("{ backend = process }", "{ backend = process, gpus = 2 }")
    bench.edit("replicas = 2", "replicas = 4\n    resources = { gpus = 1 }")
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert sorted(starts(ended)) == ["one#1", "one#2"]
    bench.clean()


def test_found_again(bench: Bench) -> None:
    """The replicas of a killed build are taken over, each under its own name."""
    held(bench, "test -e ROOT/go")
    first = bench.start()
    wait_for(lambda: len(servers(bench)) == 2)
    wait_for(lambda: len(bench.journal_entries()) == 4)
    before = servers(bench)
    first.kill()
    first.communicate()
    second = bench.start()
    wait_for(lambda: not set(before.values()) - set(servers(bench).values()))
    (bench.root / "go").touch()
    ended = end(second)
    assert ended.status == 0, ended.text
    for name in ("one#1", "one#2"):
        assert f"{name}: job of an earlier build taken over, running" in ended.err
    assert starts(ended) == []
    bench.clean()
