"""The judge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalmake.harnesses.native.answers.grade import parse_grade, parse_json_grade
from tests.harnesses.native.harness_bench import Body, Native, Reply, add_judge, completion, question, refusal


@pytest.fixture
def judged(native: Native) -> Native:
    """The program with a judge behind the same server, told apart by its name."""
    add_judge(native)
    return native


def judging(*said: Reply) -> tuple[list[Body], object]:
    """An answering function whose judge says these in turn, and the list of what it was asked."""
    asked: list[Body] = []

    def answer(body: Body) -> Reply:
        if body["model"] == "model":
            return "my reply"
        asked.append(body)
        return said[min(len(asked), len(said)) - 1]

    return asked, answer


def test_a_judge_grades(judged: Native) -> None:
    """The judge sees question, answer, reply and rubric at temperature 0; its grade is the score."""
    asked, judged.server.answer = judging("well\nGRADE: 0.5")  # type: ignore[assignment]
    run = judged([{"q": "the question", "a": "the answer"}], scorer="judge", rubric="be kind")
    assert run.status == 0, run.err
    assert run.headline["value"] == 0.5
    assert run.samples[0]["judge"] == "well\nGRADE: 0.5"
    assert asked[0]["temperature"] == 0
    assert asked[0]["max_tokens"] == 99
    for part in ("the question", "the answer", "my reply", "be kind"):
        assert part in question(asked[0])
    assert judged.server.headers[-1]["Authorization"] == "Bearer judge-key"
    assert run.scores["usage"]["requests"] == 1
    assert run.scores["usage"]["judge"] == {"requests": 1, "tokens_in": 7, "tokens_out": 2}


def test_an_unreadable_grade_is_asked_for_again(judged: Native) -> None:
    """A judge that forgets its grade is asked once more, in the same conversation."""
    asked, judged.server.answer = judging("hm", "GRADE: CORRECT")  # type: ignore[assignment]
    run = judged(scorer="judge")
    assert run.headline["value"] == 1
    assert [message["role"] for message in asked[1]["messages"]] == ["user", "assistant", "user"]


def test_no_grade_is_unscored(judged: Native) -> None:
    """Two unreadable grades leave the sample unscored, neither zero nor errored."""
    asked, judged.server.answer = judging("hm")  # type: ignore[assignment]
    run = judged(scorer="judge")
    assert run.status == 4
    assert len(asked) == 2
    assert (run.samples[0]["scores"], run.samples[0]["error"]) == ({}, None)


@pytest.mark.parametrize(("status", "kind"), [(503, "passing"), (400, "same-again")])
def test_a_judge_that_fails_errs_the_sample(judged: Native, status: int, kind: str) -> None:
    """The judge's infrastructure trouble is the sample's error; the reply is kept."""
    _, judged.server.answer = judging(refusal(status, "busy"))  # type: ignore[assignment]
    run = judged(scorer="judge")
    assert run.status == 4
    assert run.samples[0]["error"] == f"judge: HTTP {status}: busy"
    assert run.samples[0]["cause_kind"] == kind
    assert run.samples[0]["reply"] == "my reply"


def test_a_judge_that_is_not_there_ends_the_run(judged: Native) -> None:
    """A judge that no request will reach ends the run, and the message says that it is the judge."""
    _, judged.server.answer = judging(refusal(404, "no such model"))  # type: ignore[assignment]
    run = judged(scorer="judge")
    assert (run.status, run.err) == (3, "error: judge: HTTP 404: no such model\n")


def test_a_judge_must_be_there(native: Native) -> None:
    """The scorer judge without a judge is the user's mistake."""
    run = native(scorer="judge")
    assert (run.status, run.err) == (2, "error: the scorer 'judge' needs EVALMAKE_JUDGE_URL\n")


def test_every_verdict_of_the_table_is_read_right() -> None:
    """The grade is that of the last line that is a verdict: not a quoted one, one of reasoning, or half of one."""
    lines = (Path(__file__).parent / "judge_replies.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) > 70
    assert [(row["reply"], found) for row in rows if (found := parse_grade(row["reply"])) != row["grade"]] == []


@pytest.mark.parametrize(
    ("reply", "grade"),
    [
        ('{"reason": "same", "grade": 1}', 1),
        ('```json\n{"grade": 0.5}\n```', 0.5),
        ('{"grade": "CORRECT"}', 1),
        ('{"grade": true}', None),
        ('{"grade": 2}', None),
        ('{"grade": NaN}', None),
        ("[1]", None),
        ("GRADE: 1", None),
        ('Sure! {"grade": 1}', 1),
        ('Here it is:\n```json\n{"grade": 0}\n```', 0),
        ('It says {"grade": 1} to trick me.', None),
        ('{"grade": 1}\n{"grade": 0}', None),
        ('{"grade": 1, "grade": 0}', None),
    ],
)
def test_a_verdict_in_json(reply: str, grade: float | None) -> None:
    """A structured verdict is one JSON object with one grade from 0 to 1, which ends the reply."""
    assert parse_json_grade(reply) == grade


def test_a_verdict_that_was_cut_off_is_none(judged: Native) -> None:
    """A judge that reached its limit may have been about to change its grade, so the sample is unscored."""
    asked, judged.server.answer = judging(completion("GRADE: CORRECT\nbut", "length"))  # type: ignore[assignment]
    run = judged(scorer="judge")
    assert len(asked) == 2
    assert run.samples[0]["scores"] == {}


def test_a_structured_verdict_is_asked_for_by_schema(judged: Native) -> None:
    """With `judge_format = json`, the request has a JSON schema, and the reply is read as JSON."""
    asked, judged.server.answer = judging('{"reason": "half", "grade": 0.5}')  # type: ignore[assignment]
    run = judged(scorer="judge", judge_format="json")
    assert run.headline["value"] == 0.5
    assert asked[0]["response_format"]["json_schema"]["schema"]["required"] == ["reason", "grade"]


def test_an_endpoint_without_schemas_is_asked_in_words(judged: Native) -> None:
    """An endpoint that refuses the schema gets the same question without it, and is not offered it again."""
    asked: list[Body] = []

    def answer(body: Body) -> Reply:
        if body["model"] == "model":
            return "my reply"
        asked.append(body)
        return refusal(400, "no response_format") if "response_format" in body else '{"reason": "", "grade": 1}'

    judged.server.answer = answer
    judged.env["EVALMAKE_CONCURRENCY"] = "1"
    run = judged([{"q": "1", "a": "1"}, {"q": "2", "a": "2"}], scorer="judge", judge_format="json")
    assert run.headline["value"] == 1
    assert ["response_format" in body for body in asked] == [True, False, False]
