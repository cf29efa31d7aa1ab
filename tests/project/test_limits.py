"""Evalfiles that would take all memory or minutes: a message with its place, or an answer in a moment."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from evalmake.language import file_search
from evalmake.language.file_search import find_files
from evalmake.project import condition_index
from tests.support.projects import Project

BLOCKS = 'model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }\nbenchmark b { harness = command, run = "true" }\n'
EVAL = "eval e { model = m, benchmark = b }\n"


def each(count: int, line: Callable[[int], str]) -> str:
    """`line` for each number from 1, a line each."""
    return "".join(f"{line(number)}\n" for number in range(1, count + 1))


TENFOLD = "A0 = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n" + each(9, lambda i: f"A{i} = [{', '.join([f'A{i - 1}'] * 10)}]")
TENFOLD_TEXT = 'A0 = "ten chars."\n' + each(9, lambda i: f'A{i} = "{f"${{A{i - 1}}}" * 10}"')
DEEP = f"A0 = {'[' * 60}{']' * 60}\n" + each(9, lambda i: f"A{i} = {'[' * 60}A{i - 1}{']' * 60}")
INPUTS = {
    "a list that grows tenfold nine times": (TENFOLD, "too-large", "Evalfile:6:6"),
    "a text that grows tenfold nine times": (TENFOLD_TEXT, "too-large", "Evalfile:8:6"),
    "a value that is deep through variables": (DEEP, "too-deep", "Evalfile:2:25"),
    "3 000 variables, the first used last": (
        each(3000, lambda i: f"A{i} = A{i + 1}") + "A3001 = 1\n",
        "too-deep",
        "Evalfile:101:8",
    ),
    "3 000 variables, the first used first": (
        "A0 = 1\n" + each(3000, lambda i: f"A{i} = A{i - 1}"),
        "too-deep",
        "Evalfile:102:8",
    ),
    "1 000 models that inherit from each other": (
        "model m0 from m {}\n" + each(1000, lambda i: f"model m{i} from m{i - 1} {{}}"),
        "too-deep",
        "Evalfile:100:16",
    ),
    "conditions that name too many values": (
        "eval f {\n model = m\n benchmark = b\n seed in 1..10000\n"
        + " when seed in 1..10000 { limit = 1 }\n" * 101
        + "}\n",
        "too-large",
        "Evalfile:105:2",
    ),
    "a limit of cells without an end": ("settings { cells = 1000000000000 }\n", "bad-value", "Evalfile:1:20"),
    "a limit of cells that takes a minute": ("settings { cells = 100001 }\n", "bad-value", "Evalfile:1:20"),
    "an escape that is cut off": ('A = "\\u12"\n', "bad-escape", "Evalfile:1:5"),
    "half of a character": ('A = "\\ud800"\n', "bad-escape", "Evalfile:1:5"),
    "a NUL": ("A = 'a\0b'\n", "bad-escape", "Evalfile:1:5"),
    "a duration beyond all clocks": (f"A = {'9' * 30}h\n", "bad-value", "Evalfile:1:5"),
    "a size beyond all numbers": (f"A = {'9' * 400}TB\n", "bad-value", "Evalfile:1:5"),
    "a percentage beyond all numbers": (f"A = {'9' * 400}%\n", "bad-value", "Evalfile:1:5"),
    "a device as a file": ('A = file("/dev/zero")\n', "missing-file", "Evalfile:1:5"),
    "the kernel's words as a file": ('A = file("/proc/self/environ")\n', "missing-file", "Evalfile:1:5"),
    "the kernel's words as an include": ('include "/proc/self/environ"\n', "outside-project", "Evalfile:1:9"),
    "a device as an include": ('include "/dev/zero"\n', "outside-project", "Evalfile:1:9"),
    "a name that is too long": (f'A = file("{"x" * 5000}")\n', "missing-file", "Evalfile:1:5"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_it_is_refused(project: Project, name: str) -> None:
    """The input is refused with one error at its place, which does not depend on the order of lines."""
    text, code, place = INPUTS[name]
    project.write("Evalfile", text + BLOCKS + EVAL)
    told = project.run("-n", status=2).stderr
    assert f"[{code}]" in told
    assert f"--> {place}" in told
    assert told.count("error: ") == 1


@pytest.mark.timeout(120)  # it took hours; now some seconds
def test_each_of_many_conditions_meets_its_cells_only(project: Project) -> None:
    """9 990 `skip`s leave ten of ten thousand cells, in seconds."""
    skips = each(9990, lambda i: f" skip seed = {i}")
    project.write("Evalfile", f"{BLOCKS}eval e {{\n model = m\n benchmark = b\n seed in 1..10000\n{skips}}}\n")
    assert "e/9991..10000 " in project.run("-n").stdout


def test_conditions_that_are_tried_too_often(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conditions that would take minutes, as each matches many cells, are an error at their eval."""
    monkeypatch.setattr(condition_index, "_MOST_TRIES", 1000)
    whens = " when model = m { limit = 1 }\n" * 21
    project.write("Evalfile", f"{BLOCKS}eval e {{\n model in [m]\n benchmark = b\n seed in 1..50\n{whens}}}\n")
    told = project.run("-n", status=2).stderr
    assert "error: its conditions would be tried on its cells more than 1000 times [too-large]" in told
    assert "--> Evalfile:3:1" in told


def test_conditions_over_several_axes(project: Project) -> None:
    """A cell matches a condition if it passes all its tests, in whatever order they are written."""
    project.write(
        "Evalfile",
        f"{BLOCKS}eval e {{\n model = m\n benchmark = b\n seed in 1..4\n limit in 1..4\n"
        " skip limit in 1..2 and seed in 1..4\n skip seed = 2 and limit in 2..4\n skip seed in [3, 4]\n}\n",
    )
    assert "e/1/3..4 " in project.run("-n").stdout
    assert "2 to run" in project.run("-n").stdout


NAMES = each(5000, lambda i: f"model n{i} from m {{}}\neval e{i} {{ model = x{i}, benchmark = b }}")
SKIPS = each(9990, lambda i: f" skip seed = {20000 + i}")


@pytest.mark.timeout(120)  # it took minutes
@pytest.mark.parametrize(
    "text",
    [NAMES, f"eval e {{\n model = m\n benchmark = b\n seed in 1..10000\n{SKIPS}}}\n"],
    ids=["names", "conditions"],
)
def test_thousands_of_errors_among_thousands_of_names(project: Project, text: str) -> None:
    """A thousand errors are told in seconds, and that there may be more."""
    project.write("Evalfile", BLOCKS + text)
    told = project.run("-n", status=2).stderr
    assert "1000 errors" in told
    assert "note: after 1000 errors evalmake looks for no more" in told


def test_far_apart_seeds_are_few(project: Project) -> None:
    """Two seeds are two cells, whatever is between them."""
    project.write("Evalfile", BLOCKS + "eval e { model = m, benchmark = b, seed in [1, 100000000] }\n")
    assert "e/{1,100000000}" in project.run("-n").stdout


def test_aliases_may_be_as_many_and_as_deep_as_one_likes(project: Project) -> None:
    """3 000 aliases of aliases, each named twice, are followed one by one."""
    aliases = "a0: e e\n" + each(3000, lambda i: f"a{i}: a{i - 1} a{i - 1}")
    project.write("Evalfile", BLOCKS + EVAL + aliases)
    assert "1 to run" in project.run("-n", "a3000").stdout
    project.write("Evalfile", BLOCKS + EVAL + aliases.replace("a0: e e", "a0: a3000"))
    assert "[alias-cycle]" in project.run("-n", status=2).stderr


def test_a_target_that_stands_for_too_much(project: Project) -> None:
    """Braces and ranges that multiply are refused, not spelled out."""
    project.write("Evalfile", BLOCKS + EVAL)
    for word in ("e/1..99999/1..99999", "{a,b}" * 40):
        assert "[too-many-cells]" in project.run("-n", word, status=2).stderr


def test_many_includes(project: Project) -> None:
    """A folder of includes is read file by file; a chain of more than a hundred is refused at the one too many."""
    for number in range(200):
        project.write(f"flat/{number}.evalfile", f"X{number} = 1\n")
        project.write(f"chain/{number}.evalfile", f'include "{number + 1}.evalfile"\n')
    project.write("Evalfile", 'include "flat/*.evalfile"\n' + BLOCKS + EVAL)
    project.run("-n")
    project.write("Evalfile", 'include "chain/0.evalfile"\n' + BLOCKS + EVAL)
    told = project.run("-n", status=2).stderr
    assert "files include each other more than 100 deep" in told
    assert "--> chain/99.evalfile:1:9" in told


@pytest.mark.parametrize("line", ['A = file("x")\nB = glob("data/**")', 'include "**/*.evalfile"'])
def test_a_pattern_that_goes_through_too_much(project: Project, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused at its place as soon as it has seen too many files and folders, not when all are seen."""
    monkeypatch.setattr(file_search, "_MOST_ENTRIES", 10)
    project.write("x", "")
    for number in range(12):
        project.write(f"data/{number}.evalfile", "")
    project.write("Evalfile", f"{line}\n{BLOCKS}{EVAL}")
    told = project.run("-n", status=2).stderr
    assert "error: this pattern goes through more than 10 files and folders [too-large]\n --> Evalfile:" in told
    assert "help: begin it in a folder nearer to the files" in told


def test_a_matrix_that_no_setting_allows(project: Project) -> None:
    """Above the greatest limit, the help does not offer to raise the limit."""
    project.write("Evalfile", BLOCKS + "eval e { model = m, benchmark = b, seed in 1..300_000 }\n")
    told = project.run("-n", status=2).stderr
    assert "error: this makes 300000 cells, more than 10000 [too-many-cells]" in told
    assert "help: shorten an axis, or make several Evalfiles: one has at most 100000 cells" in told


def test_links_in_a_circle(project: Project) -> None:
    """`**` follows a link to a folder once, and not back into a folder that it is in."""
    project.write("data/a/x.txt", "x")
    for name, target in {"data/a/up": "..", "data/a/here": ".", "data/self": "self", "data/b": "a"}.items():
        (project.root / name).symlink_to(target)
    watched: set[str] = set()
    assert find_files(project.root, "data/**/*.txt", watched) == ["data/a/x.txt", "data/b/x.txt"]
    assert str(project.root / "data/self") in watched  # it may lead elsewhere tomorrow


def test_a_pipe_is_no_file(project: Project) -> None:
    """A pipe is refused at once, and nobody waits for its writer."""
    os.mkfifo(project.root / "pipe")
    project.write("Evalfile", 'include "pipe"\n')
    assert "it is a pipe, not a regular file" in project.run("-n", status=2).stderr
    assert "it is a pipe, not a regular file" in project.run("-n", "-f", "pipe", status=2).stderr
