"""Data files are read before anything starts, and errors name the user's path and the line."""

from __future__ import annotations

import json

import pytest

from evalmake.harnesses.native.harness import NativeHarness
from evalmake.preflight import run_all
from evalmake.preflight.data_files import check_data_files
from tests.support.projects import Project

EVALFILE = """\
model m {
    endpoint = "http://127.0.0.1:1/v1"
    name     = "m"
}

benchmark sums {
    harness  = native
    files    = file("data/sums.jsonl")
    prompt   = "{question}"
    target   = "{answer}"
}

eval e {
    model     = m
    benchmark = sums
}
"""
GOOD = '{"question": "1 + 1?", "answer": 2}\n'


@pytest.mark.parametrize(
    ("data", "message", "key"),
    [
        (GOOD + '{"question": oops}\n', "data/sums.jsonl:2: not JSON: Expecting value at column 14", "8:16"),
        (GOOD + "[1]\n", "data/sums.jsonl:2: a record is an object, but this is a list", "8:16"),
        (GOOD + '{"answer": 2}\n', "data/sums.jsonl:2: the record has no field 'question'; it has answer", "9:16"),
        (GOOD + '{"question": "?"}\n', "data/sums.jsonl:2: the record has no field 'answer'; it has question", "10:16"),
        ("", "no records in data/sums.jsonl", "8:16"),
    ],
    ids=["bad-json", "no-object", "no-prompt-field", "no-target-field", "empty"],
)
def test_errors_name_the_line_and_the_key(data: str, message: str, key: str, project: Project) -> None:
    """`-n` and a build report the line of the data file, at the key that it does not fit."""
    project.write("Evalfile", EVALFILE)
    project.write("data/sums.jsonl", data)
    for flags in (("-n",), ()):
        said = project.run(*flags, status=2).stderr
        assert f"error: {message} [bad-data]\n" in said
        assert f"--> Evalfile:{key}, in benchmark sums\n" in said


def test_choices_that_do_not_fit(project: Project) -> None:
    """A target that is none of the choices is reported at `target`."""
    project.write("Evalfile", EVALFILE.replace("target ", 'choices  = ["{a}", "{b}"]\n    target '))
    project.write("data/sums.jsonl", '{"question": "1 + 1?", "answer": "5", "a": "2", "b": "3"}\n')
    said = project.run("-n", status=2).stderr
    assert "error: data/sums.jsonl:1: the target '5' is none of the 2 options: '2', '3' [bad-data]\n" in said
    assert "--> Evalfile:11:16, in benchmark sums\n" in said


def test_a_mistake_of_all_records_is_one_error(project: Project) -> None:
    """Five lines are shown, and the others counted."""
    project.write("Evalfile", EVALFILE.replace("{question}", "{prompt}"))
    project.write("data/sums.jsonl", GOOD * 12)
    said = project.run("-n", status=2).stderr
    assert said.count("has no field 'prompt'") == 5
    assert "note: and 7 more errors of this kind\n" in said
    assert said.count("[bad-data]") == 1


def test_data_that_passed_is_not_read_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are read once for each content."""
    read = []
    check = NativeHarness.check_data
    monkeypatch.setattr(NativeHarness, "check_data", staticmethod(lambda cell: read.append(cell) or check(cell)))
    project.write("Evalfile", EVALFILE)
    project.write("data/sums.jsonl", GOOD)
    for _ in range(2):
        project.run("-n")
    assert len(read) == 1
    project.write("data/sums.jsonl", GOOD * 2 + "{}")
    for _ in range(2):
        project.run("-n", status=2)
    assert len(read) == 3


def test_a_job_names_the_same_path(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the job reads the data, its error has the user's path, not the one in its folder."""
    checks = tuple(check for check in run_all.BUILD_CHECKS if check is not check_data_files)
    monkeypatch.setattr(run_all, "BUILD_CHECKS", checks)
    project.write("Evalfile", EVALFILE)
    project.write("data/sums.jsonl", '{"answer": 2}\n')
    said = project.run(status=2).stderr
    assert "data/sums.jsonl:1: the record has no field 'question'; it has answer" in said
    assert "inputs/sums.jsonl" not in said


@pytest.mark.parametrize(
    ("field", "help_"),
    [
        ('"{{question}}"', "write `{question}`: doubled braces stand for braces"),
        ('"question"', "write `{question}`"),
        ('"What is the capital?"', "a field is written in braces, as `{question}`"),
    ],
)
def test_a_prompt_without_a_field(field: str, help_: str, project: Project) -> None:
    """A prompt that is the same for all records is an error that shows the fields of the first."""
    project.write("Evalfile", EVALFILE.replace('"{question}"', field))
    project.write("data/sums.jsonl", GOOD)
    said = project.run("-n", status=2).stderr
    assert "error: data/sums.jsonl:1: no field of the record is in the prompt '" in said
    assert "the record has question, answer [bad-data]\n" in said
    assert f"help: {help_}\n" in said


def test_a_system_message_of_doubled_braces(project: Project) -> None:
    """A system message may be the same for all records, but not by a field in doubled braces."""
    project.write("data/sums.jsonl", GOOD)
    project.write("Evalfile", EVALFILE.replace("    target ", '    system = "You are careful."\n    target '))
    project.run("-n")
    project.write("Evalfile", EVALFILE.replace("    target ", '    system = "Know {{ answer }}."\n    target '))
    said = project.run("-n", status=2).stderr
    assert "no field of the record is in the system 'Know { answer }.'; the record has question, answer" in said
    assert "help: write `{answer}`: doubled braces stand for braces" in said


def test_a_misspelt_field_has_a_suggestion(project: Project) -> None:
    """The help names the field that was probably meant."""
    project.write("Evalfile", EVALFILE.replace("{question}", "{qestion}"))
    project.write("data/sums.jsonl", GOOD)
    assert "help: did you mean `question`?\n" in project.run("-n", status=2).stderr


UNUSED = {
    'rubric = "x"': "it is for `scorer = judge`, and this one is `exact`",
    "judge = m": "it is for `scorer = judge`, and this one is `exact`",
    "pattern = 'x'": "it is for `scorer = regex`, and this one is `exact`",
    'function = "f"': "it is for `scorer = python`, and this one is `exact`",
    'task = "sums"': "the native harness has no tasks of its own; the questions are in `files`",
    'split = "test"': "it is for `dataset`",
}


@pytest.mark.parametrize("line", UNUSED)
def test_a_key_that_changes_nothing(line: str, project: Project) -> None:
    """A key that the harness or the scorer does not use is an error; one that is inherited does not count."""
    project.write("data/sums.jsonl", GOOD)
    project.write("Evalfile", EVALFILE)
    plan = project.run("-n").stdout
    assert "unpinned" not in plan
    project.write("Evalfile", EVALFILE.replace("    target ", f"    {line}\n    target "))
    key = line.partition(" ")[0]
    said = project.run("-n", status=2).stderr
    assert f"error: `{key}` would change nothing: {UNUSED[line]} [unused-key]\n" in said
    assert "help: leave it out\n" in said
    project.write("Evalfile", f"defaults benchmark {{ {line} }}\n{EVALFILE}")
    assert project.run("-n").stdout == plan


NOTES = [
    (GOOD * 3, "", "2 of 3 records ask the same as an earlier one: data/sums.jsonl:2 as data/sums.jsonl:1"),
    (
        GOOD + GOOD.replace("2}", "3}"),
        "",
        "1 of 2 records ask the same as an earlier one: data/sums.jsonl:2 as data/sums.jsonl:1;"
        " 1 of them expect another answer: data/sums.jsonl:2 than data/sums.jsonl:1",
    ),
    (
        GOOD,
        'examples = file("shots.jsonl")',
        "1 of 1 questions are also worked examples: data/sums.jsonl:1; no question is shown its own answer,"
        " and gets one example fewer",
    ),
    (
        GOOD,
        'choices = ["2", "{answer}", "3"]\n    scorer = choice',
        "1 of 1 records have the same option twice: data/sums.jsonl:1",
    ),
    (
        GOOD,
        'system = "You know {{question}}, and {answer}."',
        "`{{question}}` is sent as these letters in braces; the field is `{question}`",
    ),
    (
        '{"question": "?", "answer": "A", "o": ["A) Paris", "B) Rome"]}\n',
        'choices = "{o}"\n    scorer = choice',
        "1 of 1 records have options with letters of their own:"
        " data/sums.jsonl:1 has 'A) Paris', which is sent as 'A) A) Paris'",
    ),
    (
        "".join(GOOD.replace("1 + 1", f"{at} + 1") for at in range(5)),
        "",
        "all 5 records have the same right answer, '2'",
    ),
    (
        "".join(f'{{"question": "{at}?", "answer": {at}, "o": [{at}, -1]}}\n' for at in range(5)),
        'choices = "{o}"\n    scorer = choice',
        "all 5 records have the same right option, 'A'",
    ),
]


@pytest.mark.parametrize(
    ("data", "line", "message"),
    NOTES,
    ids=["copies", "contradiction", "examples", "options", "braces", "letters", "targets", "letter"],
)
def test_doubtful_data_are_told(data: str, line: str, message: str, project: Project) -> None:
    """`-n` warns of data that can be used but may mislead, also when the files are not read again."""
    project.write("Evalfile", EVALFILE.replace("    target ", f"    {line}\n    target "))
    project.write("data/sums.jsonl", data)
    project.write("shots.jsonl", '{"question": "1  + 1?", "answer": "two"}\n')
    for _ in range(2):
        ran = project.run("-n")
        assert f"warning: {message} [doubtful-data]\n" in ran.stderr
        assert "1 to run on local" in ran.stdout


def _write_indices(project: Project, indices: list[object]) -> None:
    """Questions with four options, and these as targets."""
    project.write("Evalfile", EVALFILE.replace("    target ", '    choices  = "{o}"\n    target '))
    rows = [{"question": f"{at}?", "o": ["Ann", "Bob", "Cy", "Dee"], "answer": one} for at, one in enumerate(indices)]
    project.write("data/sums.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("index", [4, "4", [1, 4]])
def test_an_index_beyond_the_options(index: object, project: Project) -> None:
    """An index that no option has names the record, and says from where indices count."""
    _write_indices(project, [1, 2, index, 3])
    said = project.run("-n", status=2).stderr
    assert "error: data/sums.jsonl:3: the target '4' is none of the 4 options: 'Ann', 'Bob', 'Cy', 'Dee'" in said
    assert "help: an index counts from 0; if these count from 1, write letters or the options' texts\n" in said


def test_indices_that_seem_to_count_from_1(project: Project) -> None:
    """Indices are told if the first option is right less often than chance allows."""
    told = "of 18 records whose target is an index, none has 0, the first option"
    for indices, wanted in (([1, 2, "3"] * 6, True), ([1, 2, 3] * 2, False), ([0, 1, 2] * 6, False)):
        _write_indices(project, indices)
        assert (told in project.run("-n").stderr) == wanted
    _write_indices(project, ["B", "Cy", "D"] * 6)
    assert "index" not in project.run("-n").stderr


BRACES = {
    "prompt": 'prompt = "{question} in {{ctx}}"',
    "target": 'target = "{{ctx}} {answer}"',
    "rubric": 'rubric = "It says {answer}, as in {{ ctx }}."\n    scorer = judge\n    judge  = m',
    "choices": 'choices = ["2", "{{ctx}}"]\n    scorer = choice',
}


@pytest.mark.parametrize("key", BRACES)
def test_doubled_braces_that_name_a_field_are_told(key: str, project: Project) -> None:
    """Braces that stand for themselves and name a field of any record are told in every text beside a real field."""
    kept = [line for line in EVALFILE.splitlines() if not line.startswith(f"    {key} ")]
    project.write("Evalfile", "\n".join(kept).replace("    harness ", f"    {BRACES[key]}\n    harness "))
    project.write("data/sums.jsonl", GOOD.replace("2}", '2, "ctx": null}') + GOOD.replace("1 + ", "0 + 1 + "))
    assert "as these letters in braces" not in project.run("-n").stderr
    project.write("data/sums.jsonl", GOOD + GOOD.replace('1 + 1?"', '0 + 2?", "ctx": "France"'))
    verb = "expected" if key == "target" else "sent"
    message = f"`{{{{ctx}}}}` is {verb} as these letters in braces; the field is `{{ctx}}`"
    assert f"warning: {message} [doubtful-data]\n" in project.run("-n").stderr


def test_a_limit_above_the_records_is_told(project: Project) -> None:
    """`-n` says at the limit that it limits nothing, for each limit anew."""
    project.write("data/sums.jsonl", GOOD + GOOD.replace("1 + 1", "1 + 2"))
    for limit, told in ((3, True), (2, False), (4, True)):
        project.write("Evalfile", EVALFILE.replace("benchmark = sums", f"benchmark = sums\n    limit     = {limit}"))
        said = project.run("-n").stderr
        warning = f"warning: the limit is {limit}, and there are 2 records: all of them are asked [doubtful-data]"
        assert (warning in said) == told
        assert ("--> Evalfile:16:17, in eval e" in said) == told


def test_a_build_warns_too(project: Project) -> None:
    """A build that runs ends with the warnings of `-n`, and they fail nothing."""
    project.write(
        "Evalfile",
        EVALFILE.replace('endpoint = "http://127.0.0.1:1/v1"', "deployment = d").replace('name     = "m"', "")
        + "deployment d { engine = mock }\n",
    )
    project.write("data/sums.jsonl", GOOD * 2)
    assert "1 of 2 records ask the same" in project.run().stderr
