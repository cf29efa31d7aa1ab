"""`checks`: what must be true of a reply, from the record or from the Evalfile."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalmake.harnesses.native.replay import main as replay
from evalmake.scoring.sample_counts import REPEATED, SampleCounts
from tests.harnesses.native.harness_bench import Body, Native, add_judge, completion, question, read_lines

Checks = list[dict[str, Any]]


def say(native: Native, reply: str | Body) -> None:
    """Have the model say this, whatever it is asked."""
    native.server.answer = lambda body: reply


def check(native: Native, reply: str | Body, *checks: Any, **task: Any) -> Body:
    """The scores of one reply by these checks of its record."""
    say(native, reply)
    run = native([{"q": "6*7?", "c": list(checks)}], target=None, checks="{c}", **task)
    assert run.err == ""
    scores: Body = run.samples[0]["scores"]
    return scores


CASES: list[tuple[str, Any, bool]] = [
    ("It is Paris.", {"type": "contains", "value": "Paris"}, True),
    ("It is paris.", {"type": "contains", "value": "Paris"}, False),
    ("It is paris.", {"type": "icontains", "value": "Paris"}, True),
    ("It is Paris.", {"type": "not-contains", "value": "Paris"}, False),
    ("It is 42.", {"type": "contains", "value": 42}, True),
    ("a b", {"type": "contains-any", "value": ["c", "b"]}, True),
    ("a b", {"type": "contains-all", "value": ["a", "c"]}, False),
    ("A b", {"type": "icontains-all", "value": ["a", "B"]}, True),
    ("A b", {"type": "icontains-any", "value": ["x", "B"]}, True),
    ("\n yes \n", {"type": "equals", "value": "yes"}, True),
    ("yes.", {"type": "equals", "value": "yes"}, False),
    ('{"a": [1, 2.0]}', {"type": "equals", "value": {"a": [1.0, 2]}}, True),
    ('{"a": true}', {"type": "equals", "value": {"a": 1}}, False),
    ("Yes, sir", {"type": "starts-with", "value": "Yes"}, True),
    ("ab12", {"type": "regex", "value": "^[a-z]{2}\\d+$"}, True),
    ("ab", {"type": "not-regex", "value": "\\d"}, True),
    ('{"a": 1}', {"type": "json"}, True),
    ('{"a": 1}', {"type": "is-json"}, True),
    ("null", {"type": "json"}, True),
    ('Here: {"a": 1}', {"type": "json"}, False),
    ('Here {is}: {"a": 1}', {"type": "contains-json"}, True),
    ("[" * 100_000, {"type": "json"}, False),
    ("[" * 3_000, {"type": "contains-json"}, False),
    ("NaN", {"type": "json"}, False),
    ("The answer is 3.14.", {"type": "number", "value": 3.1, "tolerance": 0.05}, True),
    ("The answer is 3.2.", {"type": "number", "value": 3.1, "tolerance": 0.05}, False),
    ("The answer is 0.3.", {"type": "number", "value": 0.2, "tolerance": 0.1}, True),
    ("50%", {"type": "number", "value": "0.5"}, True),
    ("none", {"type": "number", "value": 3}, False),
    ("(B)", {"type": "choice", "value": "green", "options": ["red", "green"]}, True),
    ("(A)", {"type": "choice", "value": "B", "options": ["red", "green"]}, False),
    ("x", {"type": "tokens", "value": 2}, True),
    ("x", {"type": "tokens", "value": 1}, False),
    ("x", {"type": "latency", "value": "10m"}, True),
    ("x", {"type": "latency", "threshold": 0}, False),
    ("x", {"type": "any", "value": [{"type": "equals", "value": "y"}, {"type": "equals", "value": "x"}]}, True),
    ("x", {"type": "not-any", "value": [{"type": "equals", "value": "y"}, {"type": "equals", "value": "x"}]}, False),
    ("x", {"type": "all", "value": [{"type": "equals", "value": "y"}, {"type": "equals", "value": "x"}]}, False),
    ("x", {"type": "assert-set", "assert": [{"type": "equals", "value": "x"}]}, True),
    ("<think>Paris?</think>Rome", {"type": "contains", "value": "Paris"}, False),
]


@pytest.mark.parametrize(("reply", "given", "passes"), CASES, ids=lambda one: str(one)[:40])
def test_each_type(native: Native, reply: str, given: Body, passes: bool) -> None:
    """A check passes or does not, and so does the record."""
    scores = check(native, reply, given)
    assert scores["passed"] == float(passes)
    assert len(scores) == 2


def test_all_must_pass(native: Native) -> None:
    """`passed` is the share of records all of whose checks pass; each type has the share of its own."""
    say(native, "Paris, France")
    records = [
        {"q": "1", "c": [{"type": "contains", "value": "Paris"}, {"type": "contains", "value": "Rome"}]},
        {"q": "2", "c": {"type": "json"}},
        {"q": "3", "c": [{"type": "contains", "value": "France"}, {"type": "not-json"}]},
    ]
    run = native(records, target=None, checks="{c}")
    assert run.err == ""
    assert run.scores["metric"] == "passed"
    found = {name: (one["value"], one["scored"], one["unscored"]) for name, one in run.scores["scores"].items()}
    assert found == {
        "passed": (pytest.approx(1 / 3), 3, 0),
        "contains": (0.75, 2, 0),
        "json": (0.0, 1, 0),
        "not-json": (1.0, 1, 0),
    }


def test_checks_of_the_evalfile_have_fields(native: Native) -> None:
    """A list is for all records, with their fields filled in and their own checks beside it."""
    say(native, "Paris {1}")
    listed = [
        {"type": "contains", "value": "{city}"},
        {"type": "regex", "value": "[a-z]{3}"},
        {"type": "any", "value": [{"type": "equals", "value": "{a}"}, {"type": "contains", "value": "{{1}}"}]},
        "{c}",
    ]
    records = [{"q": "1", "a": 5, "city": "Paris", "c": []}, {"q": "2", "a": 5, "city": "Rome", "c": {"type": "json"}}]
    run = native(records, target=None, checks=listed)
    assert run.err == ""
    assert [sample["scores"] for sample in run.samples] == [
        {"passed": 1.0, "contains": 1.0, "regex": 1.0, "any": 1.0},
        {"passed": 0.0, "contains": 0.0, "regex": 1.0, "any": 1.0, "json": 0.0},
    ]


def test_beside_a_scorer(native: Native) -> None:
    """The scorer keeps its metric, which is the headline, and the answer is asked for once."""
    say(native, "42")
    run = native([{"q": "6*7?", "a": "42"}], scorer="number", checks=[{"type": "json"}])
    assert run.err == ""
    assert run.samples[0]["scores"] == {"accuracy": 1.0, "passed": 1.0, "json": 1.0}
    assert (run.scores["metric"], len(native.server.bodies)) == ("accuracy", 1)


def test_the_same_question_with_other_checks(native: Native) -> None:
    """Records that differ only in their checks, their rubric or their system message are no copies of one question."""
    say(native, "Paris")
    said = [{"q": "?", "a": "Paris", "c": [{"type": "contains", "value": text}]} for text in ("P", "r", "x", "P")]
    run = native(said, target=None, checks="{c}")
    assert [count_copies(run.samples[:count]) for count in (3, 4)] == [0, 1]
    assert count_copies(native(said, checks=[{"type": "contains", "value": "r"}]).samples) == 3
    each = [{"q": "?", "a": "Paris", "s": text} for text in ("Be short.", "Be kind.")]
    assert count_copies(native(each, system="{s}").samples) == 0
    add_judge(native)
    assert count_copies(native(each, target=None, scorer="judge", rubric="{s}").samples) == 0


def count_copies(samples: list[Body]) -> int:
    """How many samples have the question of an earlier one."""
    return SampleCounts.of(json.dumps(sample).encode() for sample in samples).counts[REPEATED]


def test_the_sample_says_what_became_of_each_check(native: Native) -> None:
    """Each check is in the sample as it is written, with its verdict and what was found; those of groups inside."""
    say(native, "The answer is 41, not Paris.")
    several = [{"type": "starts-with", "value": "B"}, {"type": "not-regex", "value": "[0-9]+"}]
    given: Checks = [
        {"type": "number", "value": 42, "tolerance": 0.5},
        {"type": "contains", "value": "Paris"},
        {"type": "not-icontains", "value": "PARIS"},
        {"type": "contains-all", "value": ["Paris", "Oslo"]},
        {"type": "is-json"},
        {"type": "tool-call", "name": "find"},
        {"type": "any", "value": several},
    ]
    run = native([{"q": "6*7?", "c": given}], target=None, checks="{c}")
    assert run.samples[0]["checks"] == [
        given[0] | {"passed": False, "reason": "the number of the reply is 41"},
        given[1] | {"passed": True, "reason": "the reply has it"},
        given[2] | {"passed": False, "reason": "the reply has it"},
        given[3] | {"passed": False, "reason": 'the reply lacks "Oslo"'},
        {"type": "json", "passed": False, "reason": "the reply is no JSON"},
        given[5] | {"passed": False, "reason": "the reply calls no tool"},
        {
            "type": "any",
            "passed": False,
            "checks": [
                several[0] | {"passed": False, "reason": 'it begins with "The answer is 41, not Paris."'},
                several[1] | {"passed": False, "reason": 'it matches "41"'},
            ],
        },
    ]


def test_options_of_the_record(native: Native) -> None:
    """`choice` takes the options of the question, which have letters in the prompt."""
    say(native, "B")
    run = native(
        [{"q": "Which?", "o": ["red", "green"]}],
        target=None,
        choices="{o}",
        checks=[{"type": "choice", "value": "green"}],
    )
    assert run.samples[0]["scores"]["passed"] == 1.0
    assert question(native.server.bodies[0]) == "Which?\nA) red\nB) green"


CALL = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris", "days": 2}'}}


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        ({"name": "weather"}, True),
        ({"name": "time"}, False),
        ({"name": "weather", "arguments": {"city": "Paris"}}, True),
        ({"name": "weather", "arguments": {"city": "Rome"}}, False),
        ({"name": "weather", "arguments": {"days": 2.0}}, True),
        ({"name": "weather", "arguments": {"unit": "C"}}, False),
    ],
)
def test_tool_calls(native: Native, given: Body, passes: bool) -> None:
    """`tool-call` wants a call of that name, with those arguments among its own."""
    scores = check(native, completion(None, "tool_calls", tool_calls=[CALL]), {"type": "tool-call", **given})
    assert scores["passed"] == float(passes)


def test_no_tool_is_called(native: Native) -> None:
    """`not-tool-call` passes for a text."""
    assert check(native, "hello", {"type": "not-tool-call", "name": "weather"})["passed"] == 1.0


def test_a_judge_decides(native: Native) -> None:
    """Each check of a judge has a rubric of its own, and a threshold."""
    add_judge(native)
    grades = {"Is it kind?": "GRADE: 0.7", "Is it short?": "GRADE: 0.7"}
    asked: list[str] = []

    def answer(body: Body) -> str:
        asked.append(question(body))
        return next((grade for rubric, grade in grades.items() if rubric in asked[-1]), "Hello.")

    native.server.answer = answer
    checks = [
        {"type": "llm-rubric", "value": "Is it kind?"},
        {"type": "judge", "value": "Is it short?", "threshold": 0.8},
    ]
    run = native([{"q": "Hi", "c": checks}], target=None, checks="{c}", judge=True)
    assert run.err == ""
    assert run.samples[0]["scores"] == {"passed": 0.0, "judge": 0.5}
    assert run.samples[0]["judge"] == ["GRADE: 0.7", "GRADE: 0.7"]


def test_what_judges_said_is_scored_again(native: Native) -> None:
    """A replay gives each check the verdict that it had, and the same samples."""
    add_judge(native)
    said = {"Kind?": "GRADE: 0.7", "Short?": "GRADE: 0.1"}
    native.server.answer = lambda body: next((one for key, one in said.items() if key in question(body)), "Hello.")
    checks = [{"type": "judge", "value": rubric} for rubric in said]
    run = native([{"q": "Hi"}, {"q": "Ho"}], target=None, checks=checks, judge=True)
    native.write("recorded.jsonl", run.samples)
    asked = len(native.server.bodies)
    assert replay(str(native.folder / "task.json"), str(native.folder / "recorded.jsonl")) == 0
    assert read_lines(native.out / "samples.jsonl") == run.samples
    assert len(native.server.bodies) == asked


def test_a_judge_without_a_grade(native: Native) -> None:
    """Where the judge gives no grade, the sample has no score."""
    add_judge(native)
    say(native, "no verdict")
    run = native([{"q": "Hi"}], target=None, checks=[{"type": "json"}, {"type": "judge", "value": "?"}], judge=True)
    assert run.samples[0]["scores"] == {}
    assert run.samples[0]["error"] is None


def test_what_is_not_known_is_an_error(native: Native) -> None:
    """Tokens that the server does not count, and the time of a cached reply, leave a sample without a score."""
    say(native, completion("x") | {"usage": None})
    run = native([{"q": "Hi"}], target=None, checks=[{"type": "tokens", "value": 3}])
    assert run.samples[0]["error"].startswith("the check `tokens` needs the server's count")


def test_a_pattern_that_takes_too_long(native: Native) -> None:
    """It is an error of its sample, told with its pattern, and the run goes on."""
    say(native, "a" * 40 + "!")
    run = native([{"q": "Hi"}], target=None, checks=[{"type": "regex", "value": "^(a+)+$"}])
    assert "took longer than 1s" in run.samples[0]["error"]


DEEP: Any = {"type": "equals", "value": "x"}
for _ in range(40):
    DEEP = {"type": "any", "value": [DEEP]}


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ([{"type": "contain", "value": "x"}], "check 1: there is no check `contain`\n"),
        ([{"type": "json"}, {"value": "x"}], "check 2: it has no `type`"),
        (["contains: x"], "check 1: a check is an object with a `type`"),
        ("x", "check 1: a check is an object"),
        ([], "there are no checks, so that no reply could fail"),
        (None, "there are no checks"),
        ([{"type": "contains"}], "check 1: `contains` needs `value`"),
        ([{"type": "contains", "value": None}], "check 1, `contains`: expected a text, and the value is null"),
        ([{"type": "contains", "value": ["a"]}], 'check 1, `contains`: expected a text, and the value is ["a"]'),
        ([{"type": "contains", "value": " "}], "check 1, `contains`: the value is empty"),
        ([{"type": "contains", "value": "a", "weight": 2}], "check 1: `contains` has no `weight`"),
        ([{"type": "contains-any", "value": "a"}], "check 1, `contains-any`: expected a list of texts"),
        ([{"type": "contains-all", "value": []}], "check 1, `contains-all`: expected a list of texts"),
        ([{"type": "regex", "value": "("}], "check 1, `regex`: not a regular expression: missing )"),
        ([{"type": "number", "value": "two"}], 'check 1, `number`: the value "two" holds no plain number\n'),
        ([{"type": "number", "value": 2, "tolerance": -1}], "check 1, `number`: `tolerance` is a number from 0 up"),
        ([{"type": "number", "value": True}], "check 1, `number`: expected a number"),
        ([{"type": "choice", "value": "a"}], "check 1, `choice`: there are no options"),
        ([{"type": "choice", "value": "c", "options": ["a", "b"]}], 'check 1, `choice`: "c" is none of the 2 options'),
        ([{"type": "latency", "value": 3}], 'check 1, `latency`: a time has a unit, as "2s" or "500ms"'),
        ([{"type": "latency"}], "check 1, `latency`: write the most that a reply may take"),
        ([{"type": "tokens", "value": "many"}], "check 1, `tokens`: `value` is a number from 0 up"),
        ([{"type": "tool-call", "name": "f", "arguments": []}], "check 1, `tool-call`: `arguments` are an object"),
        ([{"type": "cost", "threshold": 1}], "check 1: `cost`: no prices are known"),
        ([{"type": "javascript", "value": "1"}], "check 1: `javascript`: no JavaScript is run"),
        ([{"type": "judge", "value": "Kind?"}], "a check asks a judge, and there is none"),
        ([{"type": "any", "value": []}], "check 1: `any` has a list of checks, and it has none"),
        ([{"type": "any", "value": [{"type": "x"}]}], "check 1.1: there is no check `x`"),
        ([{"type": "equals", "value": "x"}] * 10_000, "there are 10000 checks; a record can have 1000"),
        ([{"type": "any", "value": [{"type": "json"}] * 1000}], "there are 1001 checks; a record can have 1000"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_checks_that_are_none(native: Native, checks: Any, message: str) -> None:
    """What is no check is an error with file, line and place, and nothing is asked."""
    run = native([{"q": "Hi", "c": checks}], target=None, checks="{c}")
    assert run.err.startswith(f"error: data.jsonl:1: {message}")
    assert native.server.bodies == []


def test_deep_nesting(native: Native) -> None:
    """Forty checks in each other work; what is nested deeper than a record may be is refused."""
    assert check(native, "x", DEEP)["passed"] == 1.0
    deeper = DEEP
    for _ in range(60):
        deeper = {"type": "any", "value": [deeper]}
    run = native([{"q": "Hi", "c": deeper}], target=None, checks="{c}")
    assert "nested more than 100 levels deep" in run.err


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"checks": [{"type": "contain"}]}, "checks: there is no check `contain`"),
        ({"checks": []}, "checks: expected a template or a list of checks"),
        ({"checks": {"type": "json"}}, "checks: expected a template or a list"),
        ({"checks": [{"type": "contains", "value": "{a"}]}, "checks: unmatched '{'"),
        ({"checks": "{d}"}, "data.jsonl:1: the record has no field 'd'; it has q, a"),
        ({"checks": [{"type": "contains", "value": "{d}"}]}, "data.jsonl:1: the record has no field 'd'"),
        ({"checks": [{"type": "contains", "value": "x"}], "scorer": ["contains", "number"]}, "would report one metric"),
        ({"checks": [{"type": "judge", "value": "x"}], "judge": True}, "checks by a judge need EVALMAKE_JUDGE_URL"),
    ],
)
def test_keys_that_are_wrong(native: Native, task: Body, message: str) -> None:
    """A mistake in the task itself is told before anything is asked."""
    run = native(**task)
    assert run.status == 2
    assert message in run.err


def test_log_probabilities_are_no_reply(native: Native) -> None:
    """Checks beside `choice` with a completions model would have nothing to look at."""
    native.env["EVALMAKE_MODEL_API"] = "completions"
    data = [{"q": "Which?", "a": "A", "o": ["red", "green"]}]
    run = native(data, scorer="choice", choices="{o}", checks=[{"type": "json"}])
    assert "gives no reply that checks could look at" in run.err


SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("reply", "kind", "passes"),
    [
        ('{"n": 1}', "json-schema", True),
        ('{"n": "1"}', "json-schema", False),
        ("n = 1", "json-schema", False),
        ('{"n": 1}', "is-json", True),
        ('So: {"n": 1}', "contains-json", True),
        ('So: {"m": 1}', "not-contains-json", True),
    ],
)
def test_schemas(native: Native, reply: str, kind: str, passes: bool) -> None:
    """A reply fits a JSON schema or does not."""
    pytest.importorskip("jsonschema")
    assert check(native, reply, {"type": kind, "value": SCHEMA})["passed"] == float(passes)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("object", "a schema is an object"),
        ({"type": "objekt"}, "not a JSON schema: 'objekt' is not valid"),
        ({"$ref": "http://127.0.0.1:9/x"}, "the schema refers to 'http://127.0.0.1:9/x', which is not in it"),
    ],
)
def test_schemas_that_are_none(native: Native, schema: Any, message: str) -> None:
    """What is no schema, or would fetch one, is an error with file and line."""
    pytest.importorskip("jsonschema")
    run = native([{"q": "Hi", "c": {"type": "json-schema", "value": schema}}], target=None, checks="{c}")
    assert run.err.startswith(f"error: data.jsonl:1: check 1, `json-schema`: {message}")


@pytest.mark.parametrize("schema", [{"$ref": "#/none"}, {"allOf": [{"$ref": "#"}]}])
def test_schemas_that_lead_nowhere(native: Native, schema: Body) -> None:
    """A schema that refers to nothing, or to itself without end, is an error of the sample."""
    pytest.importorskip("jsonschema")
    say(native, "{}")
    run = native([{"q": "Hi"}], target=None, checks=[{"type": "json-schema", "value": schema}])
    assert run.samples[0]["error"].startswith("the JSON schema cannot be used")


def test_the_package_for_schemas(native: Native, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jsonschema, a check that needs it is refused with the command that installs it."""
    monkeypatch.setattr("evalmake.harnesses.native.json_schema.find_spec", lambda name: None)
    run = native([{"q": "Hi"}], target=None, checks=[{"type": "json-schema", "value": SCHEMA}])
    assert "checks by a JSON schema need jsonschema" in run.err


def test_samples_are_json(native: Native) -> None:
    """What is recorded of a check can be read again."""
    check(native, "x", {"type": "contains-any", "value": ["x", "y"]})
    assert json.loads((native.out / "samples.jsonl").read_text())["answer"] == "x"
