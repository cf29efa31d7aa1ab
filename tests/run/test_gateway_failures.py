"""Gateways that die, builds that are killed, and harnesses that ignore failures."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.run.request_evalfiles import ASKED, CARELESS, SAMPLER, SENDS, holders, model, output
from tests.support.http_replies import chat_completion, http_reply, numbered_replies
from tests.support.scripted_upstream import ConnectionEnd, Script, Step, Upstream
from tests.support.workspaces import SUMS, Bench, end, wait_for

SLOTS = "executor local { backend = process, slots = 4 }\n"


def asking(bench: Bench, upstream: Upstream, more: str = "", seeds: str = "[1]") -> None:
    """The cells of the careless harness, by seed."""
    cells = ASKED.replace("benchmark", f"seed in {seeds}\n benchmark").replace("sums", "sampler")
    bench.evalfile(SLOTS, model(upstream.url, more), SAMPLER, cells)
    bench.job(CARELESS, "job.py")


def gateways(bench: Bench) -> list[Path]:
    """The job folders of gateways."""
    found = (bench.root / ".evalmake/work").glob("*/sessions")
    return [path.parent for path in found if (path.parent / "port").exists()]


def right(bench: Bench) -> dict[str, float | None]:
    """The scores of the evaluations that succeeded."""
    return {a.name: a.scores[0].value for a in bench.attempts() if a.status == "succeeded"}


def killed(bench: Bench, *words: str) -> None:
    """Start a build of `words` and kill it in the middle of its job; the job goes on waiting."""
    process = bench.start(*words)
    wait_for((bench.root / "up").exists)
    process.kill()
    process.communicate()


# A gateway that dies


def test_a_gateway_that_dies(bench: Bench) -> None:
    """Jobs whose gateway died are lost, whatever they report; they run again and use up no retry."""
    upstream = Upstream(numbered_replies())
    asking(bench, upstream)
    process = bench.start()
    wait_for((bench.root / "up").exists)
    (gateway,) = gateways(bench)
    os.killpg(int((gateway / "pid").read_text()), signal.SIGKILL)
    (bench.root / "go").touch()
    ended = end(process)

    assert ended.status == 0, ended.text
    assert right(bench) == {"asked/1": 1.0}
    assert "its gateway died while it ran; trying again" in ended.err
    bench.clean()


@pytest.mark.parametrize("change", ["", "rate"])
def test_a_build_of_other_cells(bench: Bench, change: str) -> None:
    """Jobs of a killed build keep their gateway while a build runs other cells of the model."""
    upstream = Upstream(numbered_replies())
    asking(bench, upstream, 'rate = "1000/s"', "[1, 9]")
    killed(bench, "asked/1")
    if change:
        bench.edit("1000/s", "2000/s")
    other = bench.run("asked/9")
    assert other.status == 0, other.text
    (bench.root / "go").touch()
    ended = bench.run()

    assert ended.status == 0, ended.text
    assert right(bench) == {"asked/1": 1.0, "asked/9": 1.0}
    assert len(upstream.received) == 20
    bench.clean()


@pytest.mark.parametrize("what", ["rate", "key"])
def test_a_gateway_that_would_be_another(bench: Bench, what: str) -> None:
    """The gateway of a killed build is not taken over when the rate or the key has changed."""
    upstream = Upstream(numbered_replies())
    bench.env["THE_KEY"] = "an-old-key-0123"
    asking(bench, upstream, 'rate = "1000/s"\n api_key = secret("THE_KEY")')
    killed(bench)
    before = len(upstream.received)
    if what == "rate":
        bench.edit("1000/s", "2000/s")
    else:
        bench.env["THE_KEY"] = "a-new-key-4567"
    (bench.root / "up").unlink()
    process = bench.start()
    wait_for((bench.root / "up").exists)
    (bench.root / "go").touch()
    ended = end(process)

    assert ended.status == 0, ended.text
    assert right(bench) == {"asked/1": 1.0}
    assert len(upstream.received) == 10
    keys = Counter(seen.header(b"authorization") for seen in upstream.received[before:])
    assert keys == {f"Bearer {bench.env['THE_KEY']}".encode(): 7}
    bench.clean()


def test_always_takes_over_nothing_that_replays(bench: Bench) -> None:
    """With -B, no job that began without -B is taken over: it may have got cached replies."""
    upstream = Upstream(numbered_replies())
    asking(bench, upstream)
    (bench.root / "go").touch()
    assert bench.run().status == 0
    (bench.root / "go").unlink()
    (bench.root / "up").unlink()
    bench.job(CARELESS + "# changed\n", "job.py")
    killed(bench)
    (bench.root / "up").unlink()
    process = bench.start("-B")
    wait_for((bench.root / "up").exists)
    (bench.root / "go").touch()
    ended = end(process)

    assert ended.status == 0, ended.text
    assert len(upstream.received) == 20
    assert bench.attempts()[-1].usage.get("cached", 0) == 0


# A harness that passes over failures


def _careless(bench: Bench, script: Script | list[Step], *then: Script, job: str = CARELESS) -> str:
    """The output of a run whose model follows `script`, and then `then`."""
    upstream = Upstream([]).use_scripts(*[numbered_replies()] * 3, script, *then)
    asking(bench, upstream, "adapter = { retry = 0 }")
    (bench.root / "go").touch()
    bench.job(job, "job.py")
    ended = bench.run()
    assert ended.status == 2
    assert "nothing to do" not in bench.run("-n").out  # a result that falls short is none
    return ended.err


def test_failed_repeats_of_one_question(bench: Bench) -> None:
    """When one of ten equal requests fails, the result is one sample short, even if a later one took its place."""
    job = CARELESS.replace('f"q {at}"', '"the same"')
    said_ = _careless(bench, [http_reply(b"overloaded", 500)], numbered_replies(), job=job)
    assert "1 of 10 requests were not answered, and 100% must be" in said_
    assert "HTTP status 500" in said_


def test_a_harness_that_does_not_wait(bench: Bench) -> None:
    """A request whose harness disconnects counts as unanswered."""
    job = CARELESS.replace("timeout=60", "timeout=0.5")
    said_ = _careless(bench, [ConnectionEnd.HANG], numbered_replies(), job=job)
    assert "1 of 10 requests were not answered, and 100% must be" in said_
    assert "the harness closed the connection" in said_


def test_a_reply_that_says_it_failed(bench: Bench) -> None:
    """A reply with the finish reason `error` is retried, and never cached or scored."""
    upstream = Upstream([]).use_scripts(
        [http_reply(chat_completion("7", "error"))], lambda seen: [http_reply(chat_completion("3"))]
    )
    bench.evalfile(model(upstream.url), SUMS, ASKED)
    bench.sums(1)
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert bench.scores() == {"asked": [1.0]}
    assert bench.attempts()[0].usage["retries"] == 1


def test_a_key_that_is_a_stand_in(bench: Bench) -> None:
    """A key of one letter, as local servers accept, is not redacted in records."""
    bench.env["THE_KEY"] = "1"
    upstream = Upstream([]).use_scripts(*[[http_reply(b"no", 400)]] * 2, numbered_replies())
    asking(bench, upstream, 'api_key = secret("THE_KEY")')
    (bench.root / "go").touch()
    ended = bench.run()
    assert ended.status == 2
    assert "2 of 10 requests were not answered" in ended.err


def test_a_key_that_is_a_word(bench: Bench) -> None:
    """A key that is an everyday word, as local servers accept, is no reason to change replies that hold the word."""
    bench.env["THE_KEY"] = "none"
    upstream = Upstream([http_reply(chat_completion("none of these"))])
    bench.evalfile(model(upstream.url, 'api_key = secret("THE_KEY")'), SAMPLER, ASKED.replace("sums", "sampler"))
    bench.job(SENDS, "job.py")
    assert bench.run().status == 0
    assert upstream.received[0].header(b"authorization") == b"Bearer none"
    assert output(bench, "replies.json") == ["none of these"] * 10
    bench.job(SENDS + "# scored otherwise\n", "job.py")
    assert bench.run().status == 0
    assert len(upstream.received) == 10


def test_a_model_that_repeats_the_key(bench: Bench) -> None:
    """A reply that contains the key reaches the harness redacted, and is not cached."""
    key = bench.env["THE_KEY"] = "sk-a-key-that-is-echoed"
    upstream = Upstream(lambda seen: [http_reply(chat_completion(str(seen.header(b"authorization"))))])
    asking(bench, upstream, 'api_key = secret("THE_KEY")')
    process = bench.start()
    wait_for((bench.root / "up").exists)
    while_it_runs = holders(bench.root, key)
    (bench.root / "go").touch()
    ended = end(process)
    assert ended.status == 0, ended.text
    assert while_it_runs == holders(bench.root, key) == []


# What is another evaluation


def test_headers_choose_who_answers(bench: Bench) -> None:
    """Models or evaluations that differ only in a header do not share replies."""
    upstream = Upstream(lambda seen: [http_reply(chat_completion(str(seen.header(b"x-variant"))))])
    names = {
        "small": 'headers = { "X-Variant" = "small" }',
        "large": 'headers = { "X-Variant" = "large" }',
    }
    added = ASKED.replace("eval asked", "eval added").replace("model ", HEADER + "model ")
    bench.evalfile(
        *[model(upstream.url, more, name) for name, more in names.items()],
        model(upstream.url),
        SAMPLER,
        ASKED.replace("= subject", "in [small, large]").replace("sums", "sampler"),
        ASKED.replace("eval asked", "eval plain").replace("sums", "sampler"),
        added.replace("sums", "sampler"),
    )
    (bench.root / "go").touch()
    bench.job(CARELESS, "job.py")
    ended = bench.run("-j", "1")

    assert ended.status == 0, ended.text
    asked = Counter(seen.header(b"x-variant") for seen in upstream.received)
    assert asked == {b"small": 10, b"large": 10, b"think": 10, None: 10}


HEADER = 'adapter = { headers = { "X-Variant" = "think" } }\n '


def test_an_empty_list_says_something(bench: Bench) -> None:
    """`drop = []` overrides a model's `drop`, so it makes another evaluation."""
    upstream = Upstream(numbered_replies())
    asking(bench, upstream, 'adapter = { drop = ["temperature"] }')
    (bench.root / "go").touch()
    assert bench.run().status == 0
    bench.edit("benchmark = sampler", "benchmark = sampler\n adapter = { drop = [] }")
    assert bench.run().status == 0
    assert ["temperature" in body for body in upstream.bodies] == [False] * 10 + [True] * 10


def test_a_judges_interceptors_are_looked_for(bench: Bench) -> None:
    """An interceptor that is not installed is an error before anything starts, a judge's, too."""
    upstream = Upstream(numbered_replies())
    bench.evalfile(
        model(upstream.url),
        model(upstream.url, "adapter = { plugins = { nosuch = {} } }", "judge"),
        SUMS.replace("number", "judge\n        judge   = judge"),
        ASKED,
    )
    bench.sums(2)
    ended = bench.run("-n")
    assert ended.status == 2
    assert "no interceptor is named `nosuch` [unknown-plugin]" in ended.err
