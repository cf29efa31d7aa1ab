"""Configurations of promptfoo as Evalfiles, and their tests as records."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.projects import Project, check_golden

CASES = Path(__file__).parent / "promptfoo"
SMALL = """\
prompts: ["{{question}}"]
providers: [openai:gpt-4o]
tests:
  - vars: {question: Hi}
    assert: [{type: contains, value: hello}]
"""


def import_configuration(project: Project, text: str = SMALL, name: str = "promptfooconfig.yaml") -> list[object]:
    """Import a configuration; its records."""
    project.write(name, text)
    project.run("import", name, "-o", "Evalfile", "--replace")
    return [json.loads(line) for line in (project.root / "promptfoo.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_configurations_become_evalfiles_that_plan(project: Project, path: Path) -> None:
    """Each is the Evalfile and the records beside it, with the same notes on stderr, and it plans."""
    project.write("promptfooconfig.yaml", path.read_text())
    ran = project.run("import", "promptfooconfig.yaml", "-o", "Evalfile")
    written = (project.root / "Evalfile").read_text()
    check_golden(path.with_suffix(".evalfile"), written)
    check_golden(path.with_suffix(".jsonl"), (project.root / "promptfoo.jsonl").read_text())
    noted = [line for line in written.partition(", without a place here")[2].splitlines()[1:] if line]
    assert len(noted) == len(ran.stderr.splitlines())
    assert "sk-0123456789" not in written + ran.stderr
    project.run("fmt", "--check")
    assert "to run" in project.run("-n").stdout


def test_without_a_file_the_records_are_named(project: Project) -> None:
    """Printed, the Evalfile comes with a line that says how its records are written."""
    project.write("promptfooconfig.yaml", SMALL)
    ran = project.run("import", "promptfooconfig.yaml")
    assert 'files   = file("promptfoo.jsonl")' in ran.stdout
    assert "`-o FILE` writes both" in ran.stderr
    assert not (project.root / "promptfoo.jsonl").exists()


def test_no_file_is_replaced(project: Project) -> None:
    """Neither the Evalfile nor the records are written over a file, unless asked."""
    project.write("promptfooconfig.yaml", SMALL)
    project.write("promptfoo.jsonl", "mine\n")
    ran = project.run("import", "promptfooconfig.yaml", "-o", "Evalfile", status=2)
    assert "`promptfoo.jsonl` exists already" in ran.stderr
    assert (project.root / "promptfoo.jsonl").read_text() == "mine\n"
    assert not (project.root / "Evalfile").exists()


def test_values_of_variables_are_combined(project: Project) -> None:
    """Lists of values stand for a record of each combination; texts with variables are filled from the record."""
    text = SMALL.replace("{question: Hi}", '{question: "{{a}} and {{b}}", a: [1, 2], b: [x, y]}')
    questions = [one["question"] for one in import_configuration(project, text)]
    assert questions == ["1 and x", "1 and y", "2 and x", "2 and y"]


def test_defaults_are_merged(project: Project) -> None:
    """Variables of `defaultTest` stand where a test has none, and its asserts come first."""
    text = SMALL + "defaultTest: {vars: {question: no, tone: calm}, assert: [{type: latency, threshold: 500}]}\n"
    (record,) = import_configuration(project, text)
    assert record == {
        "question": "Hi",
        "tone": "calm",
        "assert": [{"type": "latency", "threshold": 500}, {"type": "contains", "value": "hello"}],
    }


def test_tests_in_a_table(project: Project) -> None:
    """Columns of a CSV file are variables; `__expected` has asserts in promptfoo's short form."""
    rows = [
        "question,__expected,__expected2,__metadata:topic",
        "Capital of France?,contains: Paris,,geo",
        'Two?,"icontains-any: two, 2","grade: is short",',
        "Nothing?,,,",
        "Exactly?,Paris: yes,not-regex: \\d+,",
    ]
    project.write("tests.csv", "\n".join(rows) + "\n")
    text = SMALL.partition("tests:")[0] + "tests: file://tests.csv\n"
    records = import_configuration(project, text)
    assert records == [
        {"tags": ["topic=geo"], "question": "Capital of France?", "assert": [{"type": "contains", "value": "Paris"}]},
        {
            "tags": [],
            "question": "Two?",
            "assert": [{"type": "icontains-any", "value": ["two", "2"]}, {"type": "llm-rubric", "value": "is short"}],
        },
        {
            "tags": [],
            "question": "Exactly?",
            "assert": [{"type": "equals", "value": "Paris: yes"}, {"type": "not-regex", "value": "\\d+"}],
        },
    ]


def test_files_of_prompts_and_schemas(project: Project) -> None:
    """A file of texts holds several prompts; a schema is read into the record."""
    project.write("prompts.txt", "One: {{question}}\n---\nTwo {x}: {{question}}\n")
    project.write("schema.json", '{"type": "object"}')
    text = SMALL.replace('["{{question}}"]', "file://prompts.txt").replace(
        "contains, value: hello", "is-json, value: file://schema.json"
    )
    (record,) = import_configuration(project, text)
    assert record == {"question": "Hi", "assert": [{"type": "is-json", "value": {"type": "object"}}]}
    written = (project.root / "Evalfile").read_text()
    assert '"One: {question}"' in written
    assert '"Two {{x}}: {question}"' in written


def test_a_conversation_is_filled_for_each_record(project: Project) -> None:
    """A prompt of more than a system message and a question becomes messages of each record."""
    messages = '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, ' + (
        '{"role": "user", "content": "{{question}}"}]'
    )
    (record,) = import_configuration(project, SMALL.replace('"{{question}}"', json.dumps(messages)))
    assert isinstance(record, dict)
    assert [one["content"] for one in record["messages"]] == ["a", "b", "Hi"]
    assert 'messages = "{messages}"' in (project.root / "Evalfile").read_text()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("openai:gpt-4o", "bedrock:x", "no provider of it speaks OpenAI's chat or completions API"),
        ("providers: [openai:gpt-4o]", "providers: []", "it names no provider"),
        ("[openai:gpt-4o]", "[{config: {a: 1}, label: x}]", "a provider has no `id`"),
        ("[openai:gpt-4o]", "[{id: openai:x, config: 3}]", "`config` takes a map"),
        ('["{{question}}"]', '["{% if a %}b{% endif %}"]', "no prompt that an Evalfile can say"),
        ('["{{question}}"]', "[file://prompt.py]", "is a program"),
        ('["{{question}}"]', "[file://none.txt]", "cannot read"),
        ('["{{question}}"]', "[3]", "a prompt is a text"),
        ("[{type: contains, value: hello}]", "[{type: python, value: x}]", "no test with an assert that evalmake"),
        ("[{type: contains, value: hello}]", "[{value: x}]", "an assert has no `type`"),
        ("[{type: contains, value: hello}]", "hello", "`assert` takes a list"),
        ("[{type: contains, value: hello}]", '[{$ref: "#/assertionTemplates/x"}]', "is no template of asserts"),
        ("{question: Hi}", "[1]", "`vars` takes a map"),
        ("{question: Hi}", "{question: Hi, assert: x}", "a variable is called `assert`"),
        ("{question: Hi}", "{question: file://none.txt}", "cannot read"),
        ("{question: Hi}", "file://none.yaml", "cannot read"),
        ("  - vars: {question: Hi}", "  - file://no/*.yaml\n  - vars: {question: Hi}", "no file matches"),
        ("  - vars: {question: Hi}", "  - file://t.py\n  - vars: {question: Hi}", "it is a program"),
        ("  - vars: {question: Hi}", "  - 3\n  - vars: {question: Hi}", "a test is a map"),
        (
            "  - vars: {question: Hi}",
            "  - file://none.yaml\n  - vars: {question: Hi}",
            "the tests of `file://none.yaml`",
        ),
        ("{question: Hi}", "{question: [" + "x," * 400 + "], a: [" + "x," * 400 + "]}", "more than 100000"),
    ],
)
def test_mistakes(project: Project, old: str, new: str, said: str) -> None:
    """Each is one message with its line, and no traceback."""
    assert old in SMALL
    project.write("promptfooconfig.yaml", SMALL.replace(old, new))
    ran = project.run("import", "promptfooconfig.yaml", "-o", "Evalfile", status=2)
    assert said in ran.stderr
    assert "--> promptfooconfig.yaml:" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('["{{question}}"]', '["{{question | upper}}"]', "prompts.0: its template has logic, `{{question | upper}}`"),
        ('["{{question}}"]', '["{% if a %}b{% endif %}"]', "prompts.0: its template has logic, `{% if a %}`"),
        ("[{type: contains, value: hello}]", "[{type: python, value: x}]", "tests.0.assert.0 python: "),
        ("openai:gpt-4o", "bedrock:x", "providers.0 bedrock:x: it does not speak OpenAI's API"),
        ("openai:gpt-4o", "azure:chat:dep", "providers.0 azure:chat:dep: it speaks OpenAI's API, but not its chat"),
        ("openai:gpt-4o", "openai:responses:o", "providers.0 openai:responses:o: it speaks OpenAI's API, but not its"),
    ],
)
def test_what_is_left_out_says_why(project: Project, old: str, new: str, reason: str) -> None:
    """Where nothing is left of the prompts, tests or providers, the error has the reason for each."""
    project.write("promptfooconfig.yaml", SMALL.replace(old, new))
    ran = project.run("import", "promptfooconfig.yaml", "-o", "Evalfile", status=2)
    assert re.search(rf"note: line \d+, {re.escape(reason)}", ran.stderr)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ("openai:b, ", "skip model = gpt-4o and benchmark in [promptfoo]"),
        ("", "benchmark = short"),
    ],
)
def test_prompts_of_a_provider(project: Project, others: str, said: str) -> None:
    """A provider that is asked some of the prompts skips the benchmarks of the others."""
    given = SMALL.replace("[openai:gpt-4o]", f"[{others}{{id: openai:gpt-4o, prompts: [short]}}]")
    given = given.replace('["{{question}}"]', '["{{question}}", {label: short, raw: "Briefly: {{question}}"}]')
    project.write("promptfooconfig.yaml", given)
    project.run("import", "promptfooconfig.yaml", "-o", "Evalfile")
    written = " ".join((project.root / "Evalfile").read_text().split())
    assert said in written
    assert "prompts" not in written


def test_secrets_are_not_copied(project: Project) -> None:
    """A key in a configuration is neither written nor told."""
    text = SMALL.replace("[openai:gpt-4o]", "[{id: openai:x, config: {apiKey: sk-0123456789abcdef}}]")
    project.write("promptfooconfig.yaml", text)
    ran = project.run("import", "promptfooconfig.yaml")
    assert "sk-0123456789" not in ran.stdout + ran.stderr
    assert "a secret is not copied: set OPENAI_API_KEY" in ran.stderr


@pytest.mark.parametrize(
    ("threshold", "kind", "noted"),
    [("", "all", False), ("threshold: 0.5, ", "any", False), ("threshold: 0.9, ", "all", True)],
)
def test_sets_of_asserts(project: Project, threshold: str, kind: str, noted: bool) -> None:
    """A set with a threshold that one assert reaches is `any`; any other threshold, a weight and a metric are noted."""
    inner = "[{type: contains, value: y}, {type: contains, value: z}]"
    given = f"[{{type: assert-set, {threshold}metric: m, assert: {inner}}}]"
    project.write("promptfooconfig.yaml", SMALL.replace("[{type: contains, value: hello}]", given))
    ran = project.run("import", "promptfooconfig.yaml", "-o", "Evalfile")
    record = json.loads((project.root / "promptfoo.jsonl").read_text())
    values = [{"type": "contains", "value": "y"}, {"type": "contains", "value": "z"}]
    assert record["assert"] == [{"type": kind, "value": values}]
    assert ("assert.0.threshold: a record passes if all" in ran.stderr) == noted
    assert "assert.0.metric: the metric of a check is its type" in ran.stderr
    assert "to run" in project.run("-n").stdout


def test_templates_of_asserts(project: Project) -> None:
    """A `$ref` is the assert that it names; one that names itself is an error."""
    text = SMALL.replace("{type: contains, value: hello}", '{$ref: "#/assertionTemplates/short"}')
    records = import_configuration(project, text + "assertionTemplates: {short: {type: regex, value: '^.{1,9}$'}}\n")
    assert records == [{"question": "Hi", "assert": [{"type": "regex", "value": "^.{1,9}$"}]}]
    project.write("promptfooconfig.yaml", text + 'assertionTemplates: {short: {$ref: "#/assertionTemplates/short"}}\n')
    assert "is no template of asserts" in project.run("import", "promptfooconfig.yaml", status=2).stderr


def test_values_of_lists(project: Project) -> None:
    """A list may be a text with commas, or a file; an assert without a value is left out, with a note."""
    project.write("cities.json", '["Paris", "Nice"]')
    given = (
        "[{type: icontains-all, value: 'paris, \"nice, too\"'}, {type: contains-any, value: file://cities.json}, "
        "{type: contains, vlaue: y}]"
    )
    project.write("promptfooconfig.yaml", SMALL.replace("[{type: contains, value: hello}]", given))
    ran = project.run("import", "promptfooconfig.yaml", "-o", "Evalfile")
    assert "assert.2 contains: it has no `value`" in ran.stderr
    assert json.loads((project.root / "promptfoo.jsonl").read_text())["assert"] == [
        {"type": "icontains-all", "value": ["paris", "nice, too"]},
        {"type": "contains-any", "value": ["Paris", "Nice"]},
    ]
    assert "to run" in project.run("-n").stdout


def test_a_threshold_in_a_table_is_noted(project: Project) -> None:
    """The column `__threshold` has no place, as the key has none."""
    project.write("tests.csv", "question,__expected,__threshold\nTwo?,contains: 2,0.5\n")
    project.write("promptfooconfig.yaml", SMALL.partition("tests:")[0] + "tests: file://tests.csv\n")
    said = project.run("import", "promptfooconfig.yaml", "-o", "Evalfile").stderr
    assert "threshold: a record passes if all of its checks do" in said


def test_parameters_in_files(project: Project) -> None:
    """A parameter that names a file is what the file holds; one that cannot be read is left out, with a note."""
    project.write("tools.json", '[{"type": "function", "function": {"name": "look_up"}}]')
    config = "{tools: file://tools.json, tool_choice: file://none.json, response_format: file://form.js}"
    project.write("promptfooconfig.yaml", SMALL.replace("openai:gpt-4o", f"{{id: openai:gpt-4o, config: {config}}}"))
    ran = project.run("import", "promptfooconfig.yaml", "-o", "Evalfile")
    written = (project.root / "Evalfile").read_text()
    assert 'name = "look_up"' in written
    assert "file://" not in written.partition("# From ")[0]
    assert "providers.0.config.tool_choice: it is left out: cannot read" in ran.stderr
    assert "providers.0.config.response_format: it is left out, as `file://form.js` is neither" in ran.stderr
    assert "to run" in project.run("-n").stdout


def test_tests_in_files(project: Project) -> None:
    """Files of a pattern give tests in order, and `vars` and `defaultTest` name files; texts end without space."""
    test = {"vars": {"question": "b\U0001f600"}, "assert": [{"type": "contains", "value": "x"}]}
    project.write("t/c2.jsonl", json.dumps(test) + "\n\n")
    project.write("t/c1.jsonl", json.dumps(test | {"vars": "file://v.yaml"}) + "\n")
    project.write("v.yaml", "question: file://q.txt\n")
    project.write("q.txt", "a\n")
    project.write("word.txt", "w\n")
    project.write("def.yaml", "assert: [{type: contains, value: file://word.txt}]\n")
    text = SMALL.partition("tests:")[0] + "tests: [file://t/c*.jsonl, t/*2.jsonl]\ndefaultTest: file://def.yaml\n"
    records = import_configuration(project, text)
    checks = [{"type": "contains", "value": "w"}, {"type": "contains", "value": "x"}]
    assert records == [{"question": one, "assert": checks} for one in ("a", "b\U0001f600", "b\U0001f600")]


@pytest.mark.parametrize("schema", ['{"type": "object"}', "type: object"])
def test_schemas_in_texts(project: Project, schema: str) -> None:
    """A schema that is a text is read as JSON or YAML, and plans; any other text is noted."""
    given = f"[{{type: is-json, value: '{schema}'}}, {{type: is-json, value: 'no schema'}}]"
    project.write("promptfooconfig.yaml", SMALL.replace("[{type: contains, value: hello}]", given))
    ran = project.run("import", "promptfooconfig.yaml", "-o", "Evalfile")
    record = json.loads((project.root / "promptfoo.jsonl").read_text())
    assert record["assert"] == [{"type": "is-json", "value": {"type": "object"}}]
    assert "assert.1 is-json: its schema is neither JSON nor YAML" in ran.stderr
    assert "to run" in project.run("-n").stdout


def test_variables_that_tests_lack(project: Project) -> None:
    """A variable of a prompt that tests lack is empty, and a note says so once."""
    check = "assert: [{type: contains, value: x}]"
    project.write("promptfooconfig.yaml", f"{SMALL}  - {{{check}}}\n  - {{{check}}}\n")
    said = project.run("import", "promptfooconfig.yaml", "-o", "Evalfile").stderr
    assert "tests.1.vars.question: a prompt uses it and the test lacks it: it is empty, as in 1 more" in said
    assert said.count("lacks it") == 1


def test_conversations_of_completion_providers(project: Project) -> None:
    """A conversation is not asked of a provider without a chat API; with no other pair left it is an error."""
    chat = '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "{{question}}"}]'
    text = SMALL.replace("openai:gpt-4o", "openai:completion:babbage").replace(
        '["{{question}}"]', json.dumps(["{{question}}", chat])
    )
    project.write("promptfooconfig.yaml", text)
    ran = project.run("import", "promptfooconfig.yaml", "-o", "Evalfile")
    assert "model `babbage` has no chat API, so benchmark `promptfoo-2`" in ran.stderr
    assert "to run" in project.run("-n").stdout
    project.write("promptfooconfig.yaml", text.replace('"{{question}}", ', ""))
    assert "a conversation takes the chat API" in project.run("import", "promptfooconfig.yaml", status=2).stderr
