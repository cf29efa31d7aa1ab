"""`scorer = [number, contains]`: several scorers of one answer, which is asked for once."""

from __future__ import annotations

import pytest

from tests.harnesses.native.harness_bench import Body, Native, add_judge, question

DATA: list[Body] = [{"q": "6*7?", "a": "42"}, {"q": "6*8?", "a": "48"}]
REPLIES = {"6*7?": "The answer is 42.", "6*8?": "48 or 50"}


def test_each_scorer_has_a_metric(native: Native) -> None:
    """Metrics have the names of the scorers, the first is the headline, and each question is asked once."""
    native.server.answer = lambda body: REPLIES[question(body)]
    run = native(DATA, scorer=["number", "contains", "f1"])
    assert run.err == ""
    assert [sample["scores"] for sample in run.samples] == [
        {"number": 1.0, "contains": 1.0, "f1": pytest.approx(0.5)},
        {"number": 0.0, "contains": 1.0, "f1": pytest.approx(0.5)},
    ]
    assert run.scores["metric"] == "number"
    assert len(native.server.bodies) == 2
    assert run.scores["usage"]["replies_without_answer"] == 1
    assert [sample["answer"] for sample in run.samples] == ["42", "48"]


def test_a_judge_among_the_scorers(native: Native) -> None:
    """A judge may be one of them: it sees the reply that the others score."""
    add_judge(native)
    native.server.answer = lambda body: "GRADE: 0.5" if body["model"] == "judge" else "42"
    run = native(DATA[:1], scorer=["exact", "judge"], rubric="Be kind.")
    assert run.err == ""
    assert run.samples[0]["scores"] == {"exact": 1.0, "judge": 0.5}
    assert run.samples[0]["judge"] == "GRADE: 0.5"


def test_a_function_that_names_its_metrics(native: Native) -> None:
    """A Python scorer's number has the scorer's name, and metrics that it names keep theirs."""
    native.write("one.py", "def score(record, reply, target):\n    return 0.25\n")
    native.write("two.py", "def score(record, reply, target):\n    return {'points': 3, 'style': 1}\n")
    assert native(DATA[:1], scorer=["python", "exact"], scorer_file="one.py").samples[0]["scores"] == {
        "python": 0.25,
        "exact": 1.0,
    }
    run = native(DATA[:1], scorer=["exact", "python"], scorer_file="two.py")
    assert run.samples[0]["scores"] == {"exact": 1.0, "points": 3.0, "style": 1.0}


def test_every_scorer_checks_the_target(native: Native) -> None:
    """A target that one of them cannot use is an error with file and line."""
    run = native([{"q": "x", "a": "forty-two"}], scorer=["contains", "number"])
    assert run.err.startswith("error: data.jsonl:1: the target 'forty-two' holds no plain number")
    assert native.server.bodies == []


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (["number"], "scorer: a list has two scorers or more; a single one is written without brackets"),
        ([], "scorer: a list has two scorers or more"),
        (["number", "number"], "scorer: number is in the list twice"),
        (["number", "numeric"], "scorer: there is no 'numeric'; there are exact, number"),
        (["number", 3], "scorer: there is no '3'"),
        (["number", "choice"], "the scorer 'choice' needs choices"),
        (["regex", "python"], "the scorer 'regex' needs a pattern"),
    ],
)
def test_lists_that_are_none(native: Native, scorer: list[object], message: str) -> None:
    """A list of one, of two that are alike, or of what is no scorer, is an error."""
    run = native(DATA, scorer=scorer)
    assert run.status == 2
    assert message in run.err
