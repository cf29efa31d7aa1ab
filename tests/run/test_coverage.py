"""Coverage is a judgement on a result, made anew each time: no part of the job, nor of the identity."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.harnesses.native.harness_bench import Body, Reply, Server, question, refusal, serving
from tests.support.evalfiles import PROGRAM
from tests.support.workspaces import Bench

EVALFILE = """\
model m {
    endpoint = "URL"
    name     = "m"
}
benchmark whole {
    harness = native
    files   = file("data.jsonl")
    prompt  = "{q}"
    target  = "{a}"
    scorer  = number
}
benchmark half from whole { coverage = 40% }
eval full {
    model     = m
    benchmark = whole
    require accuracy >= 40%
}
eval lenient {
    model     = m
    benchmark = half
    require accuracy >= 40%
}
report card {
    of   = [full, lenient]
    path = "card.md"
    rows = eval
}
"""
EVAL_OF_PROGRAM = """\
model m {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}
benchmark b {
    harness = command
    run     = 'echo "{\\"a\\": {\\"value\\": 1.0, \\"scored\\": 3, \\"unscored\\": 1}}" > $EVALMAKE_OUT/scores.json'
}
eval e {
    model     = m
    benchmark = b
}
"""
SHORT = "5 of 10 samples were scored, and 100% must be; the most common reason (5): HTTP 400"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that refuses even questions and answers the others."""
    with serving() as state:
        state.answer = refuse_even
        yield state


@pytest.fixture
def asked(bench: Bench, server: Server) -> Bench:
    """Two evals that differ in their coverage only, on ten questions."""
    bench.evalfile(EVALFILE.replace("URL", server.url))
    rows = [{"q": str(number), "a": number} for number in range(10)]
    (bench.root / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return bench


def refuse_even(body: Body) -> Reply:
    """A refusal of even numbers; the number itself for odd ones."""
    return question(body) if int(question(body)) % 2 else refusal(400)


def test_a_metric_that_a_scorer_leaves_out_is_named(asked: Bench, server: Server) -> None:
    """Where a scorer gives some samples another metric, the failure says which one is missing, and in which sample."""
    server.answer = question
    scorer = "def score(record, reply, target):\n    return {'b' if reply == '7' else 'a': 1}\n"
    (asked.root / "score.py").write_text(scorer)
    python = 'scorer_file = file("score.py")\n    scorer  = python'
    gate = "require accuracy >= 40%"
    asked.evalfile(EVALFILE.replace("URL", server.url).replace("scorer  = number", python).replace(gate, ""))
    ended = asked.run("full")
    lacking = "the most common reason (1): has no `a` but `b` (first: sample `7`)"
    assert f"error: full failed: 9 of 10 samples were scored, and 100% must be; {lacking}" in ended.err
    assert "help: see the scorer: the replies are cached, and would be scored the same" in ended.err


def test_no_other_run_is_advised_for_what_a_program_leaves_out(bench: Bench) -> None:
    """A program that counts samples as unscored itself would do so again: its log may say why."""
    bench.evalfile(EVAL_OF_PROGRAM)
    ended = bench.run()
    assert "3 of 4 samples were scored, and 100% must be" in ended.err
    assert "help: see in its log why it leaves out samples: no request failed" in ended.err
    assert "run again" not in ended.err


def test_a_server_that_does_not_run_is_to_be_started(bench: Bench) -> None:
    """Where nothing listens at the model's address, the help begins with that."""
    bench.evalfile(EVALFILE.replace("URL", "http://127.0.0.1:9/v1"))
    bench.edit('name     = "m"', 'name     = "m"\n    adapter  = { retry = 0 }')
    (bench.root / "data.jsonl").write_text('{"q": "1", "a": 1}\n')
    assert "help: see that the model's server runs at this address, then run again" in bench.run("full").err


def test_two_evals_share_a_result_and_each_gets_its_verdict(asked: Bench, server: Server) -> None:
    """In one build, the strict eval fails with the counts and a cure, the lenient one has its score and its gate."""
    ended = asked.run("-k")
    assert ended.status == 2
    assert f"error: full failed: {SHORT}" in ended.err
    cure = "see the request and the server's reply: the same request would fail again"
    assert f"help: {cure}; or lower the benchmark's `coverage`" in ended.err
    assert "1 gate met" in ended.out
    assert "lenient" in (asked.root / "card.md").read_text()
    assert "1 evaluation without a result: `full`" in (asked.root / "card.md").read_text()
    assert len(asked.attempts()) == 1
    assert len(server.bodies) == 10


def test_the_verdict_does_not_depend_on_the_order(asked: Bench) -> None:
    """The strict eval fails, too, when the lenient one ran for both."""
    ended = asked.run("-k", "lenient", "full")
    assert ended.status == 2
    assert f"error: full failed: {SHORT}" in ended.err
    assert "error: lenient" not in ended.err


def test_what_helps_is_on_record(asked: Bench, server: Server) -> None:
    """An eval that shares the result gets the same cure from the record as the one that ran."""
    server.answer = question
    (asked.root / "score.py").write_text("def score(record, reply, target):\n    return 1 / (int(reply) % 2)\n")
    python = 'scorer_file = file("score.py")\n    scorer  = python'
    asked.evalfile(EVALFILE.replace("URL", server.url).replace("scorer  = number", python))
    ended = asked.run("-k", "lenient", "full")
    assert "error: full failed: 5 of 10 samples were scored" in ended.err
    assert "score() failed: ZeroDivisionError" in ended.err
    assert "help: see the scorer: the replies are cached, and would be scored the same; or lower" in ended.err


def test_what_is_not_on_record_is_not_advised(asked: Bench, server: Server) -> None:
    """A result that an earlier attempt left has the cause of no later one: it does not say that no request failed."""
    assert asked.run("lenient").status == 0
    server.answer = lambda body: refusal(400)
    ended = asked.run("-B", "-k", "lenient", "full")
    assert "error: lenient failed: 0 of 10 samples" in ended.err
    assert "error: full failed: 5 of 10 samples were scored, and 100% must be [" in ended.err
    assert "help: lower the benchmark's `coverage`\n" in ended.err
    assert "no request failed" not in ended.err


def test_raising_it_judges_again(asked: Bench, server: Server) -> None:
    """The stored result is stale with a plain reason, and the next run asks only for what is missing."""
    assert asked.run("lenient").status == 0
    assert asked.run("lenient").out == "nothing to do: 1 evaluation up to date\n"
    asked.edit("coverage = 40%", "coverage = 60%")
    assert "lenient   coverage: 50% scored, 60% demanded" in asked.run("-n", "lenient").out
    assert asked.run("-q", "lenient").status == 1
    assert "lenient is stale: coverage: 50% scored, 60% demanded" in asked.run("why", "lenient").out

    server.answer = question
    ended = asked.run("lenient")
    assert ended.status == 0, ended.text
    assert len(server.bodies) == 10 + 5
    assert asked.run("full").out == "nothing to do: 1 evaluation up to date\n"


def test_lowering_it_needs_no_run(asked: Bench, server: Server) -> None:
    """A result that fell short is on record, and valid once it is enough, which is said; raised again, it is not."""
    assert asked.run("full").status == 2
    assert asked.run("lenient").out == "nothing to do: 1 evaluation up to date\n"
    asked.edit("scorer  = number", "scorer  = number\n    coverage = 50%")
    anew = "judged anew: full is valid now; before, coverage: 50% scored, 100% demanded\n"
    assert asked.run("-n", "full").out.startswith(anew)
    assert asked.run("full").out == f"{anew}nothing to do: 1 evaluation up to date\n"
    assert asked.run("full").out == "nothing to do: 1 evaluation up to date\n"
    asked.edit("coverage = 50%", "coverage = 51%")
    assert asked.run("-q", "full").status == 1
    assert len(server.bodies) == 10


def test_a_worse_attempt_does_not_replace_a_better_one(asked: Bench, server: Server) -> None:
    """A run that falls short leaves the result that counts for another eval as it is."""
    assert asked.run("lenient").status == 0
    server.answer = lambda body: refusal(400)
    ended = asked.run("-B", "full")
    assert ended.status == 2
    assert "0 of 10 samples were scored, and 100% must be" in ended.err
    assert asked.run("lenient").out == "nothing to do: 1 evaluation up to date\n"


def test_only_the_headline_metric_counts(bench: Bench) -> None:
    """A program's own `unscored` is judged, too, and by the metric that the benchmark names."""
    bench.evalfile(PROGRAM.replace("harness = command", 'harness = command\n    metric = "a"').replace("accuracy", "a"))
    bench.job("""
        echo '{"a": {"value": 1, "n": 4}, "b": {"value": 1, "n": 1, "unscored": 3}}' > $EVALMAKE_OUT/scores.json
    """)
    assert bench.run().status == 0
    bench.edit('metric = "a"', 'metric = "b"')
    assert "coverage: 25% scored, 100% demanded" in bench.run("-n").out
    ended = bench.run()
    assert ended.status == 2
    assert "e failed: 1 of 4 samples were scored, and 100% must be" in ended.err
    bench.edit("harness = command", "harness = command\n coverage = 25%")
    assert bench.run().status == 0


def test_rows_without_a_score_are_unscored(bench: Bench) -> None:
    """A program that counts nothing is judged by its rows: one without a score counts against the coverage."""
    bench.evalfile(PROGRAM)
    bench.job("""
        echo '{"accuracy": 1}' > $EVALMAKE_OUT/scores.json
        for id in 1 2 3; do echo '{"id": "'$id'", "scores": {"accuracy": 1}}'; done > $EVALMAKE_OUT/samples.jsonl
        echo '{"id": "4", "scores": {}, "error": "boom"}' >> $EVALMAKE_OUT/samples.jsonl
    """)
    ended = bench.run()
    assert ended.status == 2
    assert "e failed: 3 of 4 samples were scored, and 100% must be" in ended.err


def test_truncated_replies_are_judged_alike(asked: Bench, server: Server) -> None:
    """More truncated replies than the share are a failure that says how to cure it; another share re-judges."""
    server.answer = lambda body: {
        "choices": [{"message": {"content": question(body)}, "finish_reason": "length"}],
        "usage": {},
    }
    ended = asked.run("full")
    assert ended.status == 2
    assert "full failed: 10 of 10 replies were cut off by the token limit, and at most 50% may be" in ended.err
    assert "help: raise `max_tokens` in `params`; or raise the benchmark's `truncated`" in ended.err
    assert "truncated: 100% of replies were cut off, 50% may be" in asked.run("-n", "full").out
    asked.edit("scorer  = number", "scorer  = number\n    truncated = 100%")
    assert "full is valid now; before, truncated: 100% of replies were cut off, 50% may be" in asked.run("full").out
    assert len(server.bodies) == 10
