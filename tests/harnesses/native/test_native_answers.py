"""Answers that are in the data: scored as replies are, without a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import evalmake
from tests.support.http_replies import chat_completion, http_reply
from tests.support.scripted_upstream import Upstream
from tests.support.workspaces import Bench, end_processes

ROWS = [
    {"q": "2 + 3?", "a": "5", "said": "It is 5.", "topic": "odd", "w": 3},
    {"q": "2 + 4?", "a": "6", "said": "It is 7.", "topic": "even", "w": 1},
    {"q": "2 + 5?", "a": "7", "said": "<think>It is 8.</think>It is 7.", "topic": "odd", "w": 1},
]


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    """An empty workspace."""
    made = Bench(tmp_path)
    yield made
    end_processes(made, tmp_path)


def stored(bench: Bench, keys: str, *more: str, rows: list[dict[str, Any]] = ROWS, model: str = "none") -> None:
    """An Evalfile with one benchmark of answers, and its data."""
    (bench.root / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    bench.evalfile(
        f'benchmark stored {{\nharness = native\nfiles = file("d.jsonl")\nanswer = "{{said}}"\n{keys}\n}}\n',
        f"eval e {{ model = {model}, benchmark = stored }}\n",
        *more,
    )


def run(bench: Bench, keys: str, **given: Any) -> Mapping[str, float | None]:
    """The scores of a run, by metric."""
    stored(bench, keys, **given)
    ended = bench.run()
    assert ended.status == 0, ended.text
    return {score.metric: score.value for score in bench.attempts()[-1].scores}


@pytest.mark.parametrize(
    ("keys", "scores"),
    [
        ('target = "{a}"\nscorer = number', {"accuracy": 2 / 3}),
        ('target = "{a}"\nscorer = contains', {"accuracy": 2 / 3}),
        ('target = "{a}"\nscorer = number\nweight = "{w}"', {"accuracy": 0.8}),
        ("target = \"{a}\"\nextract = 'is (\\d)'", {"accuracy": 2 / 3}),
        ('checks = [{ type = contains, value = "{a}" }]', {"passed": 2 / 3, "contains": 2 / 3}),
        ('prompt = "{q}"\nchoices = ["5", "6", "7"]\ntarget = "{a}"', {"accuracy": 2 / 3}),
        ('choices = ["5", "6", "7"]\ntarget = "{a}"', {"accuracy": 2 / 3}),
        ('target = "{a}"\nscorer = number\nwhere = "topic = odd"', {"accuracy": 1.0}),
    ],
)
def test_answers_are_scored_as_replies_are(bench: Bench, keys: str, scores: Mapping[str, float]) -> None:
    """By every scorer, by checks, weighted, filtered, behind reasoning: with no model, server or gateway."""
    assert run(bench, keys) == pytest.approx(scores)
    [attempt] = bench.attempts()
    assert "requests" not in attempt.usage
    assert not [output.name for output in attempt.outputs if output.name.startswith("gateway")]
    assert "nothing to do" in bench.run().out
    bench.clean()


def test_the_sample_shows_what_was_asked(bench: Bench) -> None:
    """The prompt stands with the sample where there is one; nothing else of a request does."""
    run(bench, 'prompt = "{q}"\ntarget = "{a}"\nscorer = number\ntags = "{topic}"')
    first = bench.samples(bench.attempts()[0])[0]
    assert first["request"] == {"messages": [{"role": "user", "content": "2 + 3?"}]}
    assert (first["reply"], first["latency"], first["tokens_out"], first["tags"]) == ("It is 5.", None, None, ["odd"])
    assert "2 + 3?" in bench.run("results", "e", "--sample", "0").out


def test_without_a_prompt_no_two_records_ask_the_same(bench: Bench) -> None:
    """Records that show no question are not taken for repetitions of one."""
    rows = [{"a": "5", "said": "5", "n": n} for n in range(3)]
    stored(bench, 'target = "{a}"', rows=rows)
    ended = bench.run()
    assert "ask the same" not in ended.text
    assert bench.attempts()[0].usage["items_repeated"] == 0
    assert bench.samples(bench.attempts()[0])[0]["request"] == {}


def test_a_null_answer_gets_no_score(bench: Bench) -> None:
    """The plan says how many are null; the sample says why it has no score, and coverage counts it."""
    rows = [*ROWS, {"q": "?", "a": "1", "said": None, "topic": "odd", "w": 1}]
    stored(bench, 'target = "{a}"\nscorer = number', rows=rows)
    assert "1 of 4 records have a null answer, which gets no score: d.jsonl:4" in bench.run("-n").err
    ended = bench.run()
    assert ended.status != 0
    assert "its answer is null in the data" in ended.text
    assert "no model is asked, as `answer` takes the replies from the data" in ended.err
    bench.edit("scorer = number", "scorer = number\ncoverage = 0.5")
    assert bench.run().status == 0
    assert [row["error"] for row in bench.samples(bench.attempts()[-1])][-1] == "its answer is null in the data"


def test_an_empty_answer_is_wrong(bench: Bench) -> None:
    """An answer without text is one, and not right."""
    rows = [{"a": "5", "said": "5"}, {"a": "6", "said": ""}]
    assert run(bench, 'target = "{a}"', rows=rows) == {"accuracy": 0.5}


def test_a_function_gets_the_whole_answer(bench: Bench) -> None:
    """Of a reply that is in the data, a function gets the text; what only a server knows is None."""
    score = (
        "def score(record, reply, target, whole):\n    return float(whole.latency is None and whole.text == reply)\n"
    )
    (bench.root / "score.py").write_text(score)
    assert run(bench, 'scorer = python\nscorer_file = file("score.py")\nwhere = "w = 3"') == {"accuracy": 1.0}


LABEL = 'model m { endpoint = "http://127.0.0.1:9/v1", name = "m", api_key = secret("NOBODY_HAS_IT") }\n'


def test_results_stand_under_the_name_of_a_model(bench: Bench) -> None:
    """A model whose answers they are needs no key and no server, and what it is changes no result."""
    stored(bench, 'target = "{a}"\nscorer = number', LABEL, model="m")
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert "m      stored     accuracy" in ended.out
    bench.edit('name = "m"', 'name = "n", revision = "2", api = embeddings, params = { temperature = 1 }')
    assert "nothing to do" in bench.run().out
    bench.edit("model = m", "model = none")
    ended = bench.run("results")
    assert "none   stored     accuracy" in ended.out
    assert "no model, benchmark stored" in bench.run("show", "e").out
    assert "No model was asked: the answers are in the data." in bench.run("audit", "e").out


def test_answers_in_the_data_are_another_evaluation(bench: Bench) -> None:
    """A benchmark that asks a model and one that does not differ, and `why` says by what."""
    stored(bench, 'target = "{a}"\nprompt = "{q}"\nscorer = number')
    assert bench.run().status == 0
    bench.edit('answer = "{said}"', 'answer = "{q}"')
    assert "answer" in bench.run("why", "e").out


GRADED = """
target = "{a}"
scorer = judge
judge = grader
checks = [{ type = judge, value = "Is it friendly?" }]
"""


def test_a_judge_is_asked(bench: Bench) -> None:
    """By its own gateway; its replies are cached, so that a build that was ended goes on from there."""
    upstream = Upstream(lambda seen: [http_reply(chat_completion("GRADE: 0.5"))])
    grader = f'model grader {{ endpoint = "{upstream.url}", name = "g", params = {{ temperature = 0.7 }} }}\n'
    stored(bench, GRADED, grader)
    ended = bench.run()
    assert ended.status == 0, ended.text
    [attempt] = bench.attempts()
    assert {score.metric: score.value for score in attempt.scores}["accuracy"] == 0.5
    assert (attempt.usage["judge_requests"], "requests" in attempt.usage) == (6, False)
    assert len(upstream.bodies) == 6
    question = upstream.bodies[0]["messages"][0]["content"]
    assert "(none is given)" in question
    assert "It is 5." in question
    bench.edit("Is it friendly?", "Is it short?")
    assert bench.run().status == 0
    assert len(upstream.bodies) == 9
    bench.edit("benchmark = stored }", "benchmark = stored, seed = 2 }")
    assert bench.run().status == 0
    assert len(upstream.bodies) == 15


def test_the_report_counts_no_model(bench: Bench) -> None:
    """A row without a model has the word that the Evalfile has for it."""
    stored(bench, 'target = "{a}"\nscorer = number', 'report card { of = [e], path = "card.md" }\n')
    assert bench.run().status == 0
    card = (bench.root / "card.md").read_text()
    assert "1 evaluation · 1 benchmark" in card
    assert "| none  | 0.67" in card


def test_answers_from_python(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """`evaluate(None, benchmark)` asks no model; with one, its name stands with the result."""
    stored(bench, "")
    monkeypatch.chdir(bench.root)
    benchmark = evalmake.Benchmark(harness="native", files="d.jsonl", answer="{said}", target="{a}", scorer="number")
    result = evalmake.evaluate(None, benchmark)
    assert (result.value, result.model) == (pytest.approx(2 / 3), "none")
    assert "model     = none" in result.evalfile
    named = evalmake.evaluate(evalmake.Model(endpoint="http://127.0.0.1:9/v1", name="mine"), benchmark)
    assert (named.value, named.model) == (result.value, "mine")
