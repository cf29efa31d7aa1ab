"""Inspect from the package index, run by evalmake against the mock server and by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evalmake.run.environments.environment import Environment
from tests.harnesses import by_hand
from tests.support.mock_servers import count_requests
from tests.support.sums import put_inspect
from tests.support.workspaces import Bench

pytestmark = [pytest.mark.usefixtures("inspect"), pytest.mark.timeout(600)]

EVALFILE = """
model m { endpoint = "URL/v1", name = "m" }

benchmark sums {
    harness   = inspect
    packages  = ["inspect-ai==0.3.285", "openai==3.54.0"]
    task      = "arith.py@arith"
    files     = glob("arith.*")
    task_args = { hint = "Just the number." }
}

eval e {
    model     = m
    benchmark = sums
    seed      = 3
    limit     = 12
    params    = { temperature = 0.5, max_tokens = 64, top_k = 5 }
}
"""
Serve = Callable[..., str]


BY_HAND = [
    "arith.py@arith",
    "--model",
    "openai-api/byhand/m",
    "-T",
    "hint=Just the number.",
    "--limit",
    "12",
    "--seed",
    "3",
    "--temperature",
    "0.5",
    "--max-tokens",
    "64",
    "--extra-body",
    '{"top_k": 5}',
]


def test_scores_are_those_of_the_task_run_by_hand(bench: Bench, inspect: Environment, serve: Serve) -> None:
    """Mean, standard error and every sample's score are equal; a second build asks nothing."""
    url = serve(skill=0.6, name="m")
    put_inspect(bench.root, "arith.py")
    bench.evalfile(EVALFILE.replace("URL", url))
    first = bench.run()
    assert first.status == 0, first.text
    (attempt,) = bench.attempts()
    (score,) = attempt.scores
    assert by_hand.contradictions(bench) == []
    assert count_requests(url) == 12
    log = by_hand.inspect(inspect, bench.root, BY_HAND, f"{url}/v1")
    metrics = log["results"]["scores"][0]["metrics"]
    assert count_requests(url) == 24
    assert score.value == metrics["accuracy"]["value"]
    assert score.value not in (0.0, 1.0)
    assert score.stderr == pytest.approx(metrics["stderr"]["value"])
    told = {row["id"]: row["scores"]["accuracy"] for row in bench.samples(attempt)}
    letters = {str(s["id"]): s["scores"]["match"]["value"] for s in log["samples"]}
    assert told == {id: {"C": 1.0, "I": 0.0}[letter] for id, letter in letters.items()}
    assert "nothing to do" in bench.run().out
    assert count_requests(url) == 24
    bench.clean()


def test_an_endpoint_that_fails_is_no_zero(bench: Bench, serve: Serve) -> None:
    """Inspect ends with status 0; the evaluation failed, with the server's words.

    Without `retry` each is asked once: neither Inspect nor its client tries again by itself.
    """
    url = serve(status=503, name="m")
    put_inspect(bench.root, "arith.py")
    bench.evalfile(EVALFILE.replace('"URL/v1"', f'"{url}/v1", adapter = {{ retry = 0 }}'))
    ended = bench.run()
    assert ended.status == 2
    assert "3 requests in a row failed" in ended.err
    assert "HTTP 503" in ended.err
    assert [(a.status, a.scores) for a in bench.attempts()] == [("failed", ())]
    assert count_requests(url) <= 12


def test_another_model_grades(bench: Bench, serve: Serve) -> None:
    """`judge` is Inspect's grader: it is asked at its own address.

    A solver's own temperature and seed beat the declared ones, which is counted and told beside the score; so is its
    `top_p`, which nothing declares.
    """
    url, judge = serve(name="m"), serve(name="grader")
    put_inspect(bench.root, "arith.py")
    text = EVALFILE.replace("URL", url).replace("arith.py@arith", "arith.py@graded")
    text = text.replace('task_args = { hint = "Just the number." }', "judge = grader")
    bench.evalfile(text + f'model grader {{ endpoint = "{judge}/v1", name = "g" }}\n')
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert (count_requests(url), count_requests(judge)) == (12, 12)
    (attempt,) = bench.attempts()
    found = {name: count for name, count in attempt.usage.items() if name.startswith(("undeclared", "added"))}
    assert found == {"undeclared_temperature": 12, "undeclared_seed": 12, "added_top_p": 12}
    assert "12 requests had a top_p that nothing declares (0.5)" in ended.out
    assert "12 requests had another seed than declared (5)" in ended.out
