"""GPUs: no two jobs share one, and servers that each need all of them take turns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evalmake.executors.gpu_devices import find_gpus
from tests.support.workspaces import SUMS, Bench, Ended, end, wait_for

EVALFILE = """\
    executor local {
        backend = process
        slots   = 4
        gpus    = 2
    }
    defaults deployment { engine = mock }
    deployment one { resources = { gpus = 2 } }
    deployment two {
        args      = { seed = 2 }
        resources = { gpus = 2 }
    }
    model one { deployment = one }
    model two { deployment = two }
    eval e {
        model     in [one, two]
        benchmark = sums
        seed      in 1..3
    }
"""
SEEN = """\
    benchmark seen {
        harness = command
        run     = '''
            echo $CUDA_VISIBLE_DEVICES >> ROOT/seen
            echo '{"a": 1}' > $EVALMAKE_OUT/scores.json
        '''
    }
"""
"""A benchmark that notes which GPUs it is given."""

CROSSED = """\
    executor local {
        backend = process
        gpus    = 3
    }
    defaults deployment { engine = mock }
    deployment one { resources = { gpus = 1 } }
    deployment two {
        args      = { seed = 2 }
        resources = { gpus = 1 }
    }
    deployment judge {
        args      = { seed = 3 }
        resources = { gpus = 2 }
    }
    model one { deployment = one }
    model two { deployment = two }
    model judge { deployment = judge }
    benchmark judged {
        harness = native
        files   = file("sums.jsonl")
        prompt  = "{question}"
        target  = "{answer}"
        scorer  = judge
        judge   = judge
    }
    eval first {
        model     in [one, two]
        benchmark = sums
    }
    eval then {
        model     in [one, two]
        benchmark = judged
    }
"""
"""While both models are served, there is no room for the judge of each."""


def steps(ended: Ended) -> list[str]:
    """The servers that were started and stopped, in order."""
    return re.findall(r"deployment (\S+: (?:starting|stopped))", ended.err)


def build(bench: Bench, gpus: int) -> Ended:
    """How a build of two models ends whose servers need two GPUs each, of so many."""
    bench.evalfile(EVALFILE, SUMS)
    bench.edit("gpus    = 2", f"gpus    = {gpus}")
    bench.sums(3)
    return bench.run()


def test_servers_take_turns(bench: Bench) -> None:
    """Two servers that each need both GPUs start once each, the second after the first has stopped."""
    ended = build(bench, gpus=2)
    assert ended.status == 0, ended.text
    assert steps(ended) == ["one: starting", "one: stopped", "two: starting", "two: stopped"]
    assert len(bench.scores()) == 6
    bench.clean()


def test_servers_side_by_side(bench: Bench) -> None:
    """Where GPUs suffice for both servers, neither waits for the other."""
    ended = build(bench, gpus=4)
    assert ended.status == 0, ended.text
    assert steps(ended)[:2] == ["one: starting", "two: starting"]
    bench.clean()


def test_more_than_there_are(bench: Bench) -> None:
    """A server that needs more GPUs than its executor has is an error before anything starts."""
    ended = build(bench, gpus=1)
    assert ended.status == 2
    assert "error: executor `local` has 1 GPU, and e/one/1 needs 2 at once [executor-lacks]" in ended.err
    assert "`one` takes 2" in ended.err
    assert "`two` takes 2" in ended.err
    assert "note: too few, too, for e/two/1 (2)\n" in ended.err
    assert ended.err.count("error: ") == 1
    assert steps(ended) == []
    assert bench.attempts() == []


def test_room_is_made(bench: Bench) -> None:
    """Servers that wait for each other's GPUs take turns; nothing waits for ever."""
    bench.evalfile(CROSSED, SUMS)
    bench.sums(3)
    ended = bench.run("-k")
    done = {attempt.name for attempt in bench.attempts()}
    assert done == {"first/one", "first/two", "then/one", "then/two"}
    assert steps(ended)[:4] == ["one: starting", "two: starting", "two: stopped", "judge: starting"]
    bench.clean()


@pytest.mark.parametrize(("count", "given"), [(1, {"0", "1", "2"}), (2, {"0,1"}), (0, {""})])
def test_evaluations_have_their_own(bench: Bench, count: int, given: set[str]) -> None:
    """An evaluation gets as many GPUs as it requests."""
    bench.evalfile(
        f"""\
        executor local {{
            backend = process
            slots   = 4
            gpus    = 3
        }}
        model nobody {{
            endpoint = "http://127.0.0.1:9/v1"
            name     = "nobody"
        }}
        eval e {{
            model     = nobody
            benchmark = seen
            seed      in 1..6
            resources = {{ gpus = {count} }}
        }}
        """,
        SEEN.replace("ROOT", str(bench.root)),
    )
    ended = bench.run()
    assert ended.status == 0, ended.text
    told = (bench.root / "seen").read_text().split("\n")[:-1]
    assert len(told) == 6
    assert set(told) <= given
    bench.clean()


def test_they_are_kept_through_a_crash(bench: Bench) -> None:
    """The GPUs of a job that an interrupted build left running go to no other job."""
    bench.evalfile(
        """\
        executor local {
            backend = process
            slots   = 4
            gpus    = 1
        }
        model nobody {
            endpoint = "http://127.0.0.1:9/v1"
            name     = "nobody"
        }
        eval e {
            model     = nobody
            benchmark = held
            seed      in 1..2
            resources = { gpus = 1 }
        }
        """,
        f"""\
        benchmark held {{
            harness = command
            run     = '''
                echo start >> {bench.root}/order
                until [ -e {bench.root}/go ]; do sleep 0.1; done
                echo end >> {bench.root}/order
                echo '{{"a": 1}}' > $EVALMAKE_OUT/scores.json
            '''
        }}
        """,
    )
    order = bench.root / "order"
    first = bench.start()
    wait_for(order.exists)
    first.kill()
    first.communicate()
    second = bench.start()
    wait_for(lambda: len(list((bench.root / ".evalmake/journal").glob("*.json"))) > 0)
    (bench.root / "go").touch()
    ended = end(second)
    assert ended.status == 0, ended.text
    assert order.read_text().split() == ["start", "end", "start", "end"]
    bench.clean()


@pytest.mark.parametrize(
    ("setting", "visible", "found"),
    [
        (None, None, None),
        (2, None, ("0", "1")),
        (2, "4,5,6", ("4", "5")),
        ("all", "4,5", ("4", "5")),
        ("all", "", ()),
        ("all", None, ("0", "1", "2")),
        ("0,2", "4,5", ("0", "2")),
    ],
)
def test_which_there_are(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setting: int | str | None,
    visible: str | None,
    found: tuple[str, ...] | None,
) -> None:
    """`gpus` is a count, ids, or all that the driver or the variable shows, which is none without a driver."""
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\nprintf '0\\n1\\n2\\n'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert find_gpus(setting) == found
    driver.unlink()
    if (setting, visible) == ("all", None):
        assert find_gpus("all") == ()
