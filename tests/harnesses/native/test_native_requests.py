"""What is sent: bodies, parameters, few-shot examples, headers; and mistakes in the task."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalmake.harnesses.native.task_file import SCORERS
from tests.harnesses.native.harness_bench import Native, question


def test_a_chat_request(native: Native) -> None:
    """Parameters, seed, system and prompt are sent; a parameter that is null is not."""
    native.env |= {
        "EVALMAKE_SEED": "5",
        "EVALMAKE_PARAMS": '{"temperature": 0.5, "top_p": null}',
        "EVALMAKE_API_KEY": "secret-key",
    }
    run = native(system="You know {q}.")
    body = {
        "model": "model",
        "temperature": 0.5,
        "seed": 5,
        "messages": [
            {"role": "system", "content": "You know 6*7?."},
            {"role": "user", "content": "6*7?"},
        ],
    }
    assert native.server.bodies == [body]
    assert run.samples[0]["request"] == body
    assert native.server.paths == ["/v1/chat/completions"]
    assert native.server.headers[0]["Authorization"] == "Bearer secret-key"
    assert all(b"secret-key" not in one.read_bytes() for one in native.out.iterdir())


def test_a_null_seed_is_not_sent(native: Native) -> None:
    """A server that refuses seeds is spared them by a parameter."""
    native.env |= {"EVALMAKE_SEED": "5", "EVALMAKE_PARAMS": '{"seed": null}'}
    native()
    assert "seed" not in native.server.bodies[0]


def test_few_shot_turns(native: Native) -> None:
    """Examples are turns before the question, from files and from the task itself."""
    native.write("shots.jsonl", [{"q": "1?", "a": "one"}])
    native(examples=["shots.jsonl", {"q": "2?", "a": ["two", "zwei"]}, {"q": "3?", "a": "3"}], fewshot=2)
    said = [(turn["role"], turn["content"]) for turn in native.server.bodies[0]["messages"]]
    assert said == [
        ("user", "1?"),
        ("assistant", "one"),
        ("user", "2?"),
        ("assistant", "two"),
        ("user", "6*7?"),
    ]


def test_an_example_is_never_the_question_itself(native: Native) -> None:
    """An item among its own examples is passed over, and the next one shown."""
    item = {"q": "6*7?", "a": "42"}
    native([item], examples=[item, {"q": "1?", "a": "1"}], fewshot=1)
    assert [turn["content"] for turn in native.server.bodies[0]["messages"]] == ["1?", "1", "6*7?"]


def test_all_examples_are_shown_without_fewshot(native: Native) -> None:
    """Every example stands in the prompt, but for the question itself."""
    item = {"q": "2?", "a": "2"}
    native([item], examples=[{"q": "1?", "a": "1"}, item, {"q": "3?", "a": "3"}])
    sent = [message["content"] for message in native.server.bodies[0]["messages"]]
    assert sent == ["1?", "1", "3?", "3", "2?"]


def test_a_completions_request(native: Native) -> None:
    """The completions API gets system, examples and prompt as blocks of text."""
    native.env["EVALMAKE_MODEL_API"] = "completions"
    run = native(prompt="Q: {q}\nA:", system="Be brief.", examples=[{"q": "1?", "a": "one"}])
    assert question(native.server.bodies[0]) == "Be brief.\n\nQ: 1?\nA: one\n\nQ: 6*7?\nA:"
    assert native.server.paths == ["/v1/completions"]
    assert run.samples[0]["scores"] == {"accuracy": 1.0}


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ({"scorer": "choice"}, "q?\nA) red\nB) green"),
        ({"scorer": "choice", "prompt": "{choices}\n{q}"}, "A) red\nB) green\nq?"),
        ({"scorer": "exact"}, "q?\n- red\n- green"),
        ({"scorer": "choice", "choices": ["{o.1}", "{o.0} or so"]}, "q?\nA) green\nB) red or so"),
    ],
)
def test_options_are_shown(native: Native, task: dict[str, Any], text: str) -> None:
    """Options are lettered for the scorer choice, plain otherwise, and placed by `{choices}`."""
    native([{"q": "q?", "a": "green", "o": ["red", "green"]}], **{"choices": "{o}"} | task)
    assert question(native.server.bodies[0]) == text


def test_choices_show_letters_in_examples(native: Native) -> None:
    """The answer of an example of a multiple choice is its letter."""
    record = {"q": "q?", "a": "green", "o": ["red", "green"]}
    native([record], choices="{o}", scorer="choice", examples=[record | {"q": "e?"}])
    assert native.server.bodies[0]["messages"][1]["content"] == "B"


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"target": "{b}"}, "data.jsonl:1: the record has no field 'b'; it has q, a"),
    ({"prompt": "{q"}, "task.json: prompt: unmatched '{' at character 1; a brace itself is '{{'"),
    ({"prompt": None}, "task.json: prompt is missing"),
    ({"prompt": 5}, "task.json: prompt: expected text"),
    ({"scorrer": "exact"}, "task.json: unknown key 'scorrer'"),
    (
        {"scorer": "best"},
        "task.json: scorer: there is no 'best'; there are " + ", ".join(SCORERS),
    ),
    ({"target": None}, "task.json: the scorer 'exact' needs a target"),
    ({"scorer": "regex"}, "task.json: the scorer 'regex' needs a pattern"),
    (
        {"scorer": "regex", "pattern": "("},
        "task.json: pattern: not a regular expression: missing ), unterminated subpattern at position 0",
    ),
    (
        {"scorer": "regex", "pattern": "is {answer}"},
        "task.json: pattern: no field is filled into a regular expression, and it has '{answer}'",
    ),
    ({"extract": "["}, "task.json: extract: not a regular expression: unterminated character set at position 0"),
    ({"scorer": "choice"}, "task.json: the scorer 'choice' needs choices"),
    ({"scorer": "python"}, "task.json: the scorer 'python' needs a scorer_file"),
    ({"scorer": "python", "scorer_file": "no.py"}, "no.py: no such file"),
    ({"scorer": "python", "scorer_file": "empty.py"}, "empty.py: there is no function 'score'; there is grade"),
    ({"scorer": "python", "scorer_file": "torn.py"}, "torn.py:2: '(' was never closed"),
    ({"scorer": "python", "scorer_file": "raises.py"}, "raises.py: ZeroDivisionError: division by zero"),
    ({"choices": "{q}"}, "data.jsonl:1: choices: expected a list, and it is '6*7?'"),
    ({"choices": ["{q}"]}, "data.jsonl:1: choices: 1 options; there can be 2 to 26"),
    ({"choices": ["x", "y"]}, "data.jsonl:1: the target '42' is none of the 2 options: 'x', 'y'"),
    ({"scorer": "number", "target": "{q.x}"}, "data.jsonl:1: the record has no field 'q.x'; it has q, a"),
    ({"scorer": "number", "target": "x{q.x}"}, "data.jsonl:1: the record has no field 'q.x'; it has q, a"),
    (
        {"scorer": "number", "target": "none"},
        "data.jsonl:1: no field of the record is in the target 'none'; the record has q, a",
    ),
    ({"prompt": "{{q}}"}, "data.jsonl:1: no field of the record is in the prompt '{q}'; the record has q, a"),
    ({"choices": "q"}, "data.jsonl:1: no field of the record is in the choices 'q'; the record has q, a"),
    ({"scorer": "{s}"}, "data.jsonl:1: the record has no field 's'; it has q, a"),
    (
        {"scorer": "{a}"},
        "data.jsonl:1: there is no scorer '42'; there are " + ", ".join(SCORERS),
    ),
    ({"fewshot": 2}, "task.json: fewshot is 2, but there are no examples"),
    ({"fewshot": 2, "examples": [{"q": "x", "a": "1"}]}, "fewshot is 2, but there are only 1 examples"),
    ({"examples": [{"q": "x"}]}, "examples: item 1: the record has no field 'a'; it has q"),
    ({"fewshot": -1}, "task.json: fewshot: expected a whole number from 0 up"),
    ({"normalize": ["no"]}, "task.json: normalize: expected a list of case, space, punctuation, unicode, articles"),
    ({"judge_format": "xml"}, "task.json: judge_format: expected text or json"),
    ({"files": []}, "task.json: files: expected a list of file names"),
    ({"files": ["gone.csv"]}, "gone.csv: No such file or directory"),
]


@pytest.mark.parametrize(("task", "message"), MISTAKES)
def test_mistakes_are_told_in_one_line(native: Native, task: dict[str, Any], message: str) -> None:
    """A mistake in the task is one line, exit status 2, and no request."""
    native.write("empty.py", "def grade(): ...\n")
    native.write("torn.py", "\ndef score(\n")
    native.write("raises.py", "1 / 0\n")
    run = native(**task)
    assert run.err.replace(f"{native.folder}/", "") == f"error: {message}\n"
    assert run.status == 2
    assert (native.server.bodies, run.scores) == ([], {})


def test_all_mistakes_are_told(native: Native) -> None:
    """Mistakes of settings and task come together; beyond ten they are counted."""
    native.env |= {"EVALMAKE_LIMIT": "ten", "EVALMAKE_MODEL_API": "embeddings"}
    run = native(scorer="best")
    assert [line.split(" ")[1] for line in run.err.splitlines()] == [
        "EVALMAKE_MODEL_API",
        "EVALMAKE_LIMIT",
        f"{native.folder}/task.json:",
    ]
    assert "'embeddings': the native harness scores text" in run.err
    native.env |= {"EVALMAKE_LIMIT": "", "EVALMAKE_MODEL_API": "chat"}
    run = native([{"q": "x"}] * 13)
    assert run.err.splitlines()[10:] == ["error: and 3 more"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("EVALMAKE_MODEL_URL", "", "EVALMAKE_MODEL_URL is not set"),
        ("EVALMAKE_MODEL_URL", "x:y", "EVALMAKE_MODEL_URL is not an http:// or https:// address"),
        ("EVALMAKE_MODEL_URL", "http://x:99999/v1", "EVALMAKE_MODEL_URL is not an http:// or https:// address"),
        ("EVALMAKE_API_KEY", "a\r\nb: c", "EVALMAKE_API_KEY has a line break"),
        ("EVALMAKE_MODEL_NAME", "", "EVALMAKE_MODEL_NAME is not set"),
        ("EVALMAKE_MODEL_API", "x", "EVALMAKE_MODEL_API is 'x'; it can be chat, completions,"),
        ("EVALMAKE_LIMIT", "0", "EVALMAKE_LIMIT is '0', not a whole number from 1 up"),
        ("EVALMAKE_SEED", "x", "EVALMAKE_SEED is 'x', not a whole number"),
        ("EVALMAKE_PARAMS", "[]", "EVALMAKE_PARAMS is not a JSON object"),
        ("EVALMAKE_PARAMS", '{"stream": true}', "EVALMAKE_PARAMS: 'stream' is not for the native"),
        ("EVALMAKE_OUT", "/nowhere", "EVALMAKE_OUT: /nowhere is not a folder"),
    ],
)
def test_wrong_settings(native: Native, name: str, value: str, message: str) -> None:
    """A wrong variable of the environment is named."""
    native.env[name] = value
    run = native()
    assert run.status == 2
    assert run.err.startswith(f"error: {message}")


def test_ids_and_clusters(native: Native) -> None:
    """Ids and clusters come from fields, and two records cannot share an id."""
    data = [{"q": "x", "a": "42", "k": "k1", "c": 7}, {"q": "y", "a": "42", "k": "k2", "c": 8}]
    run = native(data, id="k", cluster="c")
    assert [(one["id"], one["cluster"]) for one in run.samples] == [("k1", "7"), ("k2", "8")]
    data[1]["k"] = "k1"
    run = native(data, id="k")
    assert run.err == "error: data.jsonl:2: the id 'k1' is also that of data.jsonl:1\n"


def test_a_task_that_is_no_json(native: Native) -> None:
    """A torn task file is one line too."""
    native.task()
    text = (native.folder / "task.json").read_text()
    json.loads(text)
    from evalmake.harnesses.native.__main__ import main

    native.write("task.json", text[:-1])
    for name, value in native.env.items():
        __import__("os").environ[name] = value
    assert main([str(native.folder / "task.json")]) == 2
    assert "task.json: not JSON: Expecting" in native.capture.readouterr().err
