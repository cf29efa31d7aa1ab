"""System messages: which one is sent, and what is said of one that an adapter replaces."""

from __future__ import annotations

import json

import pytest

from tests.support.projects import Project

EVALFILE = """\
SHORT = "Be short."
model m {{
    endpoint = "http://127.0.0.1:1/v1"
    name     = "m"
    {model}
}}
benchmark b {{
    harness = native
    files   = file("d.jsonl")
    prompt  = "{{q}}"
    system  = "You count."
    target  = "{{a}}"
    {benchmark}
}}
eval e {{
    model     = m
    benchmark = b
    {eval}
}}
"""
REPLACED = "the `adapter` replaces the `system` of benchmark `b`, which is not sent [unused-key]"


def declare(project: Project, **lines: str) -> None:
    """Write an Evalfile with these lines in its declarations."""
    project.write("d.jsonl", '{"q": "1 + 1?", "a": "2"}\n')
    project.write("Evalfile", EVALFILE.format(**{"model": "", "benchmark": "", "eval": "", **lines}))


def shown(project: Project, cell: str = "e") -> str:
    """The line of the system message among those of the requests."""
    lines = project.run("show", cell).stdout.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("requests of"))
    found = next(line for line in lines[start:] if line.startswith("    system"))
    return " ".join(found.split())


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ({}, 'system = "You count." Evalfile:11, benchmark b'),
        (
            {"eval": "adapter = { system = SHORT }"},
            'system = "Be short." Evalfile:18, adapter of eval e, over "You count." of benchmark b',
        ),
        (
            {"eval": "adapter = { system = SHORT, system_mode = append }"},
            'system = "You count.\\nBe short." Evalfile:18, adapter of eval e, with that of benchmark b',
        ),
        (
            {"model": "api = completions", "eval": "adapter = { system = SHORT }"},
            'system = "Be short.\\n\\nYou count." Evalfile:18, adapter of eval e, with that of benchmark b',
        ),
        (
            {"model": 'adapter = { system = "Think." }', "eval": "adapter = { system = SHORT }"},
            'system = "Be short." Evalfile:18, adapter of eval e, over "Think." of model m and '
            '"You count." of benchmark b',
        ),
    ],
)
def test_show_says_which_one_is_sent(lines: dict[str, str], line: str, project: Project) -> None:
    """`show` has the text that the model gets, whose word it is, and those that are not sent."""
    declare(project, **lines)
    assert shown(project) == line


def test_an_axis_is_shown_for_each_cell(project: Project) -> None:
    """A cell of an axis over system messages shows its own value over the benchmark's."""
    declare(project, eval="adapter.system in [SHORT]")
    assert 'system = "Be short." Evalfile:18, adapter of eval e, over' in shown(project, "e/SHORT")
    assert project.run("-n").stderr.count(REPLACED) == 1


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({"eval": "adapter = { system = SHORT }"}, True),
        ({"model": "adapter = { system = SHORT }"}, True),
        ({"eval": "adapter = { system = SHORT, system_mode = prepend }"}, False),
        ({"eval": 'adapter = { system = "You count." }'}, False),
        ({"model": "api = completions", "eval": "adapter = { system = SHORT }"}, False),
        ({}, False),
    ],
)
def test_a_message_that_is_not_sent_is_told(lines: dict[str, str], told: bool, project: Project) -> None:
    """An adapter that replaces the benchmark's message is a warning; one that adds to it, or is equal, is none."""
    declare(project, **lines)
    assert (REPLACED in project.run("-n").stderr) == told


def test_a_benchmark_that_replaces_its_own_message(project: Project) -> None:
    """A `system` beside an adapter's in the same benchmark can never be sent: it is an unused key."""
    declare(project, benchmark="adapter = { system = SHORT }")
    said = project.run("-n", status=2).stderr
    assert "`system` would change nothing: the `adapter` of the benchmark replaces it [unused-key]" in said
    declare(project, benchmark="adapter = { system = SHORT, system_mode = append }")
    project.run("-n")


def test_show_has_tools(project: Project) -> None:
    """The tools of a benchmark are among what is sent."""
    declare(project, benchmark='tools = [{ type = "function", function = { name = "add" } }]')
    said = " ".join(project.run("show", "e").stdout.split())
    assert 'tools = [{ type = "function", function = { name = "add" } }] Evalfile:13, benchmark b' in said


JUDGED = """\
model m { endpoint = "http://127.0.0.1:1/v1", name = "m" }
model grader {
    endpoint = "http://127.0.0.1:1/v1"
    name     = "g"
    params   = { max_tokens = 9, top_p = 0.5 }
    adapter  = { system = "Grade.", drop = ["top_p"], params = { top_k = 4 } }
}
model vectors { endpoint = "http://127.0.0.1:1/v1", name = "v", api = embeddings, params = { dimensions = 8 } }
benchmark b {
    %s
}
eval e {
    model     = m
    benchmark = b
}
"""
NATIVE = 'harness = native\nfiles = file("d.jsonl")\nprompt = "{q}"\njudge = grader\n'


def test_show_has_what_a_judge_is_asked_with(project: Project) -> None:
    """The judge of a native benchmark has its own parameters over those that the harness sends."""
    declare(project)
    project.write("Evalfile", JUDGED % (NATIVE + "scorer = judge"))
    said = project.run("show", "e").stdout
    block = said[said.index("requests to the judge of e") :]
    for words in (
        'model = "g" Evalfile:4, model grader',
        'system = "Grade." Evalfile:6, adapter of model grader',
        "max_tokens = 9 Evalfile:5, model grader",
        "temperature = 0 harness native",
        "top_k = 4 Evalfile:6, adapter of model grader",
        "top_p = (dropped) Evalfile:5, model grader, by the adapter of model grader",
    ):
        assert words in " ".join(block.split())
    project.write("Evalfile", JUDGED.replace("top_p = 0.5", "temperature = 1") % (NATIVE + "scorer = judge"))
    said = " ".join(project.run("show", "e").stdout.split())
    assert "temperature = 1 Evalfile:5, model grader, over 0 of harness native" in said


def test_show_has_the_judge_of_a_command_and_the_embedder(project: Project) -> None:
    """What else a benchmark asks is shown whatever the harness, also as JSON."""
    declare(project)
    project.write("Evalfile", JUDGED % 'harness = command\nrun = "true"\njudge = grader')
    rows = [json.loads(line) for line in project.run("show", "e", "--json").stdout.splitlines()]
    judge = next(one["values"] for one in rows if one["name"] == "requests to the judge of e")
    assert {key: judge[key]["value"] for key in judge} == {
        "model": '"g"',
        "system": '"Grade."',
        "max_tokens": "9",
        "top_k": "4",
        "top_p": "(dropped)",
    }
    similar = 'embedder = vectors\nchecks = [{ type = "similar", value = "2", threshold = 0.5 }]'
    project.write("Evalfile", JUDGED % (NATIVE.replace("judge = grader\n", "") + similar))
    said = " ".join(project.run("show", "e").stdout.split())
    assert 'model = "v" Evalfile:8, model vectors dimensions = 8 Evalfile:8, model vectors' in said
