"""What of the model is asked again: a longer benchmark only for what is new, a new scoring nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from evalmake.planner.action import ActionResult
from tests.harnesses.by_hand import lines
from tests.support.mock_servers import count_requests, read_stats
from tests.support.sums import put_inspect, put_lm_eval
from tests.support.workspaces import SUMS, Bench

pytestmark = pytest.mark.timeout(600)  # an environment may have to be installed

MODEL = """\
    LIMIT = 50

    executor local {
        backend = process
        env     = { HOME = "HOME" }
    }

    model talks {
        endpoint = "URL/v1"
        name     = "m"
    }
"""
NATIVE = """\
    eval asked {
        model     = talks
        benchmark = sums
        seed      in 1..3
        limit     = LIMIT
        params    = { temperature = 1 }
    }
"""
LM_EVAL = """\
    defaults benchmark {
        harness  = lm-eval
        packages = ["lm-eval[api]==0.4.13"]
        offline  = true
    }

    benchmark arithmetic {
        task   = "ev_arithmetic"
        metric = "exact_match.strict-match"
        files  = glob("tasks/*")
    }

    eval generated {
        model     = talks
        benchmark = arithmetic
        limit     = LIMIT
    }
"""
CHOICE = """\
    model completes from talks {
        api = completions
    }

    benchmark choice {
        task  = "ev_choice"
        files = glob("choice/*")
    }

    eval chosen {
        model     = completes
        benchmark = choice
        limit     = LIMIT
    }
"""
PROBES = 4
"""Requests by which each build that compares likelihoods makes sure that the server can tell them."""

INSPECT = """\
    benchmark sums {
        harness  = inspect
        packages = ["inspect-ai==0.3.285", "openai==3.54.0"]
        task     = "arith.py@arith"
        files    = glob("arith.*")
        epochs   = 2
    }

    eval asked {
        model     = talks
        benchmark = sums
        seed      in 1..3
        limit     = 12
        params    = { temperature = 1 }
    }
"""


@pytest.fixture
def url(serve: Callable[..., str]) -> str:
    """A model that is right now and then, at its root URL."""
    return serve(skill=0.6, name="m")


def write(bench: Bench, url: str, *texts: str) -> None:
    """An Evalfile of a model at the URL, and more."""
    home = str(bench.root.parent / "home")
    bench.evalfile(MODEL.replace("URL", url).replace('HOME"', f'{home}"'), *texts)


def build(bench: Bench, *words: str) -> dict[str, ActionResult]:
    """Build; the latest attempt of each cell."""
    done = bench.run(*words)
    assert done.status == 0, done.text
    latest = sorted(bench.attempts(), key=lambda attempt: attempt.started)
    return {attempt.name: attempt for attempt in latest}


def replies(bench: Bench, attempt: ActionResult) -> Counter[tuple[str, str]]:
    """How often each item got each reply."""
    return Counter((row["id"], row["reply"]) for row in bench.samples(attempt))


def test_native(bench: Bench, url: str) -> None:
    """Three seeds ask three times as much; thirty items more are thirty requests a seed; a scorer is none."""
    write(bench, url, SUMS, NATIVE)
    bench.sums(100)
    first = build(bench)
    assert (read_stats(url)["requests"], read_stats(url)["distinct_bodies"]) == (150, 150)
    more = build(bench, "LIMIT=80")
    assert (read_stats(url)["requests"], read_stats(url)["distinct_bodies"]) == (240, 240)
    bench.edit("scorer  = number", "scorer  = contains")
    other = build(bench, "LIMIT=80")
    assert count_requests(url) == 240

    assert [attempt.usage.get("cached") for attempt in first.values()] == [None] * 3
    assert [attempt.usage["cached"] for attempt in more.values()] == [50] * 3
    assert [attempt.usage["stored_replies"] for attempt in other.values()] == [80] * 3
    said = [replies(bench, attempt) for attempt in other.values()]
    assert said == [replies(bench, attempt) for attempt in more.values()]
    assert said[0] != said[1] != said[2] != said[0]
    assert all(replies(bench, first[name]) < replies(bench, more[name]) for name in first)


@pytest.mark.usefixtures("lm_eval")
def test_lm_eval(bench: Bench, url: str) -> None:
    """Thirty items more are thirty requests, or one for each of their choices; a filter is none."""
    put_lm_eval(bench.root / "tasks", "arithmetic.yaml", count=90)
    put_lm_eval(bench.root / "choice", "choice.yaml", count=90)
    write(bench, url, LM_EVAL, CHOICE)
    first = build(bench)
    assert asked(url) == (50, 200 + PROBES)
    more = build(bench, "LIMIT=80")
    assert asked(url) == (80, 320 + 2 * PROBES)
    task = bench.root / "tasks" / "arithmetic.yaml"
    task.write_text(task.read_text().replace("(-?[0-9]+)", "(-?[0-9])"))
    other = build(bench, "LIMIT=80")
    assert asked(url) == (80, 320 + 2 * PROBES)

    assert [first[name].scores[0].scored for name in ("generated", "chosen")] == [50, 50]
    assert [more[name].scores[0].scored for name in ("generated", "chosen")] == [80, 80]
    assert more["generated"].usage["cached"] == 50
    was, now = ({score.metric: score.value for score in built["generated"].scores} for built in (more, other))
    assert 0.4 < (was["exact_match.strict-match"] or 0) < 0.8
    assert now == {"exact_match.strict-match": 0.0, "exact_match.first-digit": 0.0}


def asked(url: str) -> tuple[int, int]:
    """The chats and the completions that a server was asked for."""
    paths = read_stats(url)["paths"]
    return paths["/v1/chat/completions"], paths["/v1/completions"]


@pytest.mark.usefixtures("lm_eval")
def test_lm_eval_repeats(bench: Bench, url: str) -> None:
    """Ten repeats at temperature 1 have ten seeds, and get the same replies in the same order when filtered anew."""
    put_lm_eval(bench.root / "tasks", "arithmetic.yaml", count=8)
    task = bench.root / "tasks" / "arithmetic.yaml"
    task.write_text(task.read_text() + "repeats: 10\n")
    asked = "limit = 3, params = { temperature = 1 }"
    write(bench, url, LM_EVAL.replace("limit     = LIMIT", asked))
    one = build(bench)["generated"]
    assert (read_stats(url)["requests"], read_stats(url)["distinct_bodies"]) == (30, 30)
    assert one.usage["reseeded"] == 27
    task.write_text(task.read_text().replace("(-?[0-9]+)", "(-?[0-9])"))
    two = build(bench)["generated"]
    assert count_requests(url) == 30

    said = repeated(bench, one)
    assert said == repeated(bench, two)
    assert {len(texts) for texts in said.values()} == {10}
    assert min(len(set(texts)) for texts in said.values()) > 1, "not one reply ten times"


def repeated(bench: Bench, attempt: ActionResult) -> dict[int, list[str]]:
    """What lm-eval was told, however often it asked: item -> its replies, by repetition."""
    rows = lines(bench.output(attempt, "lm-eval/*/samples_*.jsonl"))
    return {row["doc_id"]: [text for texts in row["resps"] for text in texts] for row in rows}


@pytest.mark.usefixtures("inspect")
def test_inspect(bench: Bench, url: str) -> None:
    """Two epochs of three seeds ask six times as much, all different; to score them otherwise asks nothing."""
    put_inspect(bench.root, "arith.py")
    write(bench, url, INSPECT)
    one = build(bench)
    assert (read_stats(url)["requests"], read_stats(url)["distinct_bodies"]) == (72, 72)
    assert {attempt.usage["reseeded"] for attempt in one.values()} == {12}
    task = bench.root / "arith.py"
    task.write_text(task.read_text().replace("match(numeric=True)", 'match("exact")'))
    two = build(bench, "asked/2")
    assert count_requests(url) == 72

    said = {name: replies(bench, attempt) for name, attempt in one.items()}
    assert said["asked/1"] != said["asked/2"] != said["asked/3"] != said["asked/1"]
    assert {name: two[name] == attempt for name, attempt in one.items()} == {
        "asked/1": True,
        "asked/2": False,
        "asked/3": True,
    }
    assert two["asked/2"].usage["cached"] == 24
    assert replies(bench, two["asked/2"]) == said["asked/2"]
