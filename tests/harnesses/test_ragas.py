"""The `ragas` harness with ragas from PyPI, whose judge is scripted, and its data.

Ragas takes 600 MB, and each run loads it for some seconds: what runs it does so with EVALMAKE_ROWS=all alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.ragas.rows import TASKS, chat_of, is_recorded, read_rows
from evalmake.run.environments.environment import Environment
from tests.support.http_replies import chat_completion, http_reply
from tests.support.scripted_upstream import ReceivedRequest, Step, Upstream
from tests.support.workspaces import Bench

EVALFILE = """
include "catalog:ragas"
model m {{ endpoint = "{url}", name = "m" }}
model grader {{ endpoint = "{judge}", name = "grader" }}
benchmark mine from ragas.{name} {{
    files = file("rows.jsonl")
    {keys}
}}
eval e {{ model = m, benchmark = mine }}
"""
weekly = pytest.mark.skipif(os.environ.get("EVALMAKE_ROWS") != "all", reason="EVALMAKE_ROWS is not `all`")
NOWHERE = "http://127.0.0.1:9/v1"
JUDGE = "judge = grader"
QUESTIONS = [
    {"id": "paris", "user_input": "What is the capital of France?", "reference": "Paris"},
    {"id": "rome", "user_input": "What is the capital of Italy?", "reference": "Rome"},
    {"id": "bern", "user_input": "What is the capital of Switzerland?", "reference": "Bern"},
]
CALL = {"name": "book", "args": {"place": "Jade", "hour": 8}}
TOOL = {"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}
TALK = [
    {"content": "Book a table at Jade for 8.", "type": "human"},
    {"content": "", "type": "ai", "tool_calls": [CALL]},
    {"content": "Booked.", "type": "tool"},
]


def put_rows(bench: Bench, *rows: dict[str, Any]) -> None:
    """Write the rows."""
    (bench.root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def reply(seen: ReceivedRequest) -> list[Step]:
    """The model says one thing; the judge says what its prompt asks for."""
    body = json.loads(seen.body)
    if body["model"] != "grader":
        return [http_reply({**chat_completion("It is Paris."), "model": "m"})]
    return [http_reply({**chat_completion(grade(body["messages"][-1]["content"])), "model": "grader"})]


def grade(prompt: str) -> str:
    """The verdict of the judge."""
    if "You are a world class" in prompt:
        return "4" if "France" in prompt else "0"
    if "I will rate the User Answer" in prompt:
        return "2" if "France" in prompt else "0"
    if "identify the user_goal" in prompt:
        return json.dumps({"user_goal": "a table", "end_state": "it is booked"})
    if "acheived outcome" in prompt:
        return json.dumps({"reason": "so", "verdict": "0" if "never" in prompt else "1"})
    if "extract the topics" in prompt:
        return json.dumps({"topics": ["food", "law", "sport"]})
    if "refused" in prompt:
        return json.dumps({"refused_to_answer": '"topic": "sport"' in prompt.rpartition("Now perform")[2]})
    if "fall into any of the given" in prompt or "classif" in prompt:
        return json.dumps({"classifications": [True, False, True]})
    if "break down each sentence" in prompt or "one or more fully understandable statements" in prompt:
        return json.dumps({"statements": ["a", "b", "c"]})
    verdicts = [{"statement": text, "reason": "so", "verdict": int(text != "c")} for text in "abc"]
    return json.dumps({"statements": verdicts})


@weekly
def test_answers_are_graded_and_a_judge_that_fails_is_no_zero(bench: Bench, ragas: Environment) -> None:
    """(4 + 2) / 8 and 0; where the judge fails, there is no score, and the coverage says so. Then nothing is left."""
    failing = True

    def judge_fails(seen: ReceivedRequest) -> list[Step]:
        if failing and b"Switzerland" in seen.body and b'"grader"' in seen.body:
            return [http_reply({"error": {"message": "too long"}}, 400)]
        return reply(seen)

    server = Upstream(judge_fails)
    put_rows(bench, *QUESTIONS)
    bench.evalfile(EVALFILE.format(url=server.url, judge=server.url, name="answer-accuracy", keys=JUDGE))
    ended = bench.run()
    assert ended.status != 0
    assert "judge: Error code: 400" in ended.text
    (attempt,) = bench.attempts()
    (score,) = attempt.scores
    assert (score.metric, score.value, score.scored, score.unscored) == ("nv_accuracy", 0.375, 2, 1)
    samples = {sample["id"]: sample for sample in bench.samples(attempt)}
    assert samples["paris"]["scores"] == {"nv_accuracy": 0.75}
    assert samples["rome"]["scores"] == {"nv_accuracy": 0.0}
    assert samples["bern"]["scores"] == {}
    assert samples["bern"]["reply"] == "It is Paris."
    failing = False
    ended = bench.run()
    assert ended.status == 0, ended.text
    asked = len(server.received)
    assert "nothing to do" in bench.run().text
    assert len(server.received) == asked


@weekly
def test_without_a_judge_there_is_no_score(bench: Bench, ragas: Environment) -> None:
    """A judge that cannot be reached is an error, and no zero."""
    server = Upstream(reply)
    put_rows(bench, *QUESTIONS[:1])
    bench.evalfile(EVALFILE.format(url=server.url, judge=NOWHERE, name="answer-accuracy", keys=JUDGE))
    ended = bench.run()
    assert ended.status != 0
    assert all(score.value is None for attempt in bench.attempts() for score in attempt.scores), ended.text


def ended_by(content: str) -> list[dict[str, Any]]:
    """The conversation, with a reply of the agent's."""
    return [*TALK, {"content": content, "type": "ai"}]


ON_RECORD = JUDGE + "\n    adapter = { requests = any }"
CALLED_OTHERWISE = [TALK[0], {"content": "", "type": "ai", "tool_calls": [{"name": "book", "args": {"place": "Jade"}}]}]


@weekly
@pytest.mark.parametrize(
    ("name", "keys", "rows", "values"),
    [
        (
            "goal-accuracy-with-reference",
            JUDGE,
            [{"user_input": TALK, "reference": "booked"}, {"user_input": TALK, "reference": "never"}],
            [1.0, 0.0],
        ),
        ("goal-accuracy-without-reference", ON_RECORD, [{"user_input": ended_by("Done.")}], [1.0]),
        # of food, law and sport, sport is refused, and law is off the topics: precision 1/2, recall 1/2
        ("topic-adherence", JUDGE, [{"user_input": "Talk.", "reference_topics": ["food", "sport"]}], [0.5]),
        # an argument of two is missing, and then the call
        (
            "tool-call-accuracy",
            "adapter = { requests = any }",
            [
                {"user_input": ended_by("Done."), "reference_tool_calls": [CALL]},
                {"user_input": CALLED_OTHERWISE, "reference_tool_calls": [CALL]},
                {"user_input": [TALK[0], {"content": "No.", "type": "ai"}], "reference_tool_calls": [CALL]},
            ],
            [1.0, 0.5, 0.0],
        ),
        # two of three statements keep to the texts
        ("faithfulness", JUDGE, [{"user_input": "Which?", "retrieved_contexts": ["a", "b"]}], [2 / 3]),
    ],
)
def test_every_task_scores_as_computed_by_hand(
    bench: Bench, ragas: Environment, name: str, keys: str, rows: list[dict[str, Any]], values: list[float]
) -> None:
    """From ragas's own prompts and a judge's verdicts on them."""
    server = Upstream(reply)
    put_rows(bench, *({"id": f"{at}", **row} for at, row in enumerate(rows)))
    bench.evalfile(EVALFILE.format(url=server.url, judge=server.url, name=name, keys=keys))
    ended = bench.run()
    assert ended.status == 0, ended.text + bench.run("logs", "e").out[-5000:]
    (attempt,) = bench.attempts()
    found = [sample["scores"][attempt.metric] for sample in bench.samples(attempt)]
    assert found == pytest.approx(values, abs=1e-6)
    assert attempt.scores[0].value == pytest.approx(sum(values) / len(values), abs=1e-6)


@weekly
def test_the_model_calls_tools(bench: Bench, ragas: Environment) -> None:
    """It is asked with the row's tools and its conversation so far, and its calls are compared."""
    function = {"name": "book", "arguments": json.dumps({"place": "Jade", "hour": 8})}
    calls = [{"id": "x", "type": "function", "function": function}]
    server = Upstream([http_reply(chat_completion(None, "tool_calls", tool_calls=calls))])
    put_rows(bench, {"user_input": "Book.", "tools": [TOOL], "reference_tool_calls": [CALL]})
    bench.evalfile(EVALFILE.format(url=server.url, judge=server.url, name="tool-call-accuracy", keys=""))
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert [body["tools"] for body in server.bodies] == [[TOOL]]
    (attempt,) = bench.attempts()
    assert attempt.scores[0].value == 1.0
    assert json.loads(bench.samples(attempt)[0]["reply"]) == [CALL]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("judge = grader", "", "benchmark `mine` needs `judge`: the model that grades"),
        ('files = file("rows.jsonl")', "", "benchmark `mine` needs `files`: ragas brings no data"),
        ("judge = grader", 'judge = grader, task = "answer"', "the ragas harness has no `answer`"),
        ("judge = grader", "judge = grader, metric_args = { k = 1 }", "`answer_accuracy` takes no `k`"),
        ("judge = grader", "judge = grader, fewshot = 1", "ragas has no examples"),
        ('name = "m"', 'name = "m", api = embeddings', "model `m` does not serve chats"),
        ("ragas.answer-accuracy", "ragas.tool-call-accuracy", "ragas compares the calls, and asks no judge"),
    ],
)
def test_mistakes_are_told_before_anything_runs(bench: Bench, old: str, new: str, said: str) -> None:
    """With what is missing."""
    put_rows(bench, *QUESTIONS)
    text = EVALFILE.format(url=NOWHERE, judge=NOWHERE, name="answer-accuracy", keys=JUDGE)
    bench.evalfile(text.replace(old, new.replace(", ", "\n") if old == JUDGE else new))
    ended = bench.run("-n")
    assert ended.status == 2
    assert said in ended.text


def test_data_on_record_are_no_score_of_the_model(bench: Bench) -> None:
    """Unless you say that this is meant."""
    put_rows(bench, *({**row, "response": "Paris"} for row in QUESTIONS))
    bench.evalfile(EVALFILE.format(url=NOWHERE, judge=NOWHERE, name="answer-accuracy", keys=JUDGE))
    ended = bench.run("-n")
    assert ended.status == 2
    assert "rows.jsonl:1: every row has a `response`: the model would not be asked" in ended.text
    bench.edit(JUDGE, ON_RECORD)
    assert bench.run("-n").status == 0


@pytest.mark.parametrize(
    ("task", "row", "said"),
    [
        ("answer_accuracy", [1], "it is no object"),
        ("answer_accuracy", {"reference": "a"}, "the row has no `user_input`"),
        ("answer_accuracy", {"user_input": "a"}, "the row has no `reference`"),
        ("answer_accuracy", {"user_input": TALK, "reference": "a"}, "`user_input` is no text"),
        ("answer_accuracy", {"user_input": "a", "reference": 4}, "`reference` is no text"),
        (
            "topic_adherence",
            {"user_input": "a", "reference_topics": ["x", 1]},
            "`reference_topics` is no list of texts",
        ),
        ("tool_call_accuracy", {"user_input": "a", "reference_tool_calls": [{"name": "x"}]}, "has a call that is not"),
        ("goal_accuracy_without_reference", {"user_input": TALK[2:]}, "message 1 of `user_input` is a tool's"),
        (
            "goal_accuracy_without_reference",
            {"user_input": [{"content": "a"}]},
            "message 1 of `user_input` has no `type`",
        ),
        ("goal_accuracy_without_reference", {"user_input": [{"type": "ai"}]}, "has no text `content`"),
        ("goal_accuracy_without_reference", {"user_input": 3}, "is neither a text nor a list of messages"),
    ],
)
def test_what_is_wrong_with_a_row(tmp_path: Path, task: str, row: object, said: str) -> None:
    """Is said with its line, or its number in a list."""
    path = tmp_path / "rows.jsonl"
    path.write_text("\n" + json.dumps(row))
    rows, [mistake] = read_rows([("rows.jsonl", path)], TASKS[task])
    assert not rows
    assert mistake.startswith("rows.jsonl:2: ")
    assert said in mistake


def test_a_list_is_read_like_lines(tmp_path: Path) -> None:
    """As NVIDIA's documentation has its data; ids are unique over all files."""
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(QUESTIONS))
    assert read_rows([("rows.json", path)], TASKS["answer_accuracy"]) == (QUESTIONS, [])
    path.write_text(json.dumps([*QUESTIONS, QUESTIONS[1]]))
    _, mistakes = read_rows([("rows.json", path)], TASKS["answer_accuracy"])
    assert mistakes == ["rows.json:1: the id `rome` is also that of row 2 of rows.json"]


def test_what_the_model_is_asked() -> None:
    """A conversation as OpenAI's API has it, where a tool's message answers a call; or a question with its texts."""
    task = TASKS["tool_call_accuracy"]
    row = {"user_input": TALK, "system": "Be brief."}
    system, human, agent, tool = chat_of(row, task)
    assert (system["role"], human["role"], agent["role"], tool["role"]) == ("system", "user", "assistant", "tool")
    assert tool["tool_call_id"] == agent["tool_calls"][0]["id"]
    assert json.loads(agent["tool_calls"][0]["function"]["arguments"]) == CALL["args"]
    assert not is_recorded(row, task)
    assert is_recorded({"user_input": ended_by("Done.")}, task)
    row = {"user_input": "Which?", "retrieved_contexts": ["one", "two"]}
    (asked,) = chat_of(row, TASKS["faithfulness"])
    assert asked["content"] == "Answer the question by these texts alone.\n\none\n\ntwo\n\nQuestion: Which?"
