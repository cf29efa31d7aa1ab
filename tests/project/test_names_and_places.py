"""Files and folders with odd names: they work, or a message says what to do."""

from __future__ import annotations

import os

import pytest

from tests.support.projects import Project

EVALFILE = """
include "more/*.evalfile"

model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }

benchmark b {
    harness = command
    files   = glob("data/**/*.txt")
    run     = "ls -A data | wc -l > $EVALMAKE_OUT/count; echo '{\\"a\\": 1}' > $EVALMAKE_OUT/scores.json"
}

eval e { model = m, benchmark = b }
"""


@pytest.mark.parametrize("name", ["run [v2]", "a*b?", "{x}", "two words", 'it\'s "quoted"', "$NO_SUCH", "日本"])
def test_a_project_may_have_any_name(project: Project, name: str) -> None:
    """Patterns are what the Evalfile writes; the names of the folders around it are none."""
    project.write(f"{name}/Evalfile", EVALFILE)
    project.write(f"{name}/data/x.txt", "x")
    project.write(f"{name}/more/more.evalfile", "X = 1\n")
    os.chdir(project.root / name)
    project.run("-C", name)
    assert "up to date" in project.run("-C", name).stdout


@pytest.mark.parametrize(
    "line",
    [
        'include "LONG.evalfile"',
        'include "catalog:LONG"',
        'settings { seeds = ["LONG"] }',
        'deployment d { engine = vllm, weights = "./LONG" }\neval f { model = { deployment = d }, benchmark = b }',
        'benchmark c { harness = native, files = file("LONG") }',
        'model i { endpoint = "https://h/v1", name = "m", ca = "LONG" }\neval f { model = i, benchmark = b }',
    ],
)
def test_a_name_that_no_file_can_have(project: Project, line: str) -> None:
    """A name that is too long for the file system is a file that is not there: a message, and no traceback."""
    text = EVALFILE.replace('include "more/*.evalfile"', "").replace('    files   = glob("data/**/*.txt")\n', "")
    project.write("Evalfile", f"{text}\n{line}".replace("LONG", "x" * 300))
    assert "error: " in project.run("-n", status=2).stderr


@pytest.mark.parametrize("name", ["LONG.evalfile", "catalog:LONG"])
def test_an_optional_include_with_a_name_that_no_file_can_have(project: Project, name: str) -> None:
    """It is not there, which `include?` allows."""
    project.write("Evalfile", f'include? "{name}"\n'.replace("LONG", "x" * 300))
    project.run("list")


def test_files_may_have_any_name(project: Project) -> None:
    """Names with a line break, quotes and bytes that are no UTF-8 are part of the identity, and reach the job."""
    project.write("Evalfile", EVALFILE.replace('include "more/*.evalfile"', ""))
    (project.root / "data").mkdir()
    names = [b"new\nline.txt", b'quote"s.txt', b"\xff\xe9.txt", b"-n.txt"]
    for name in names:
        with open(os.path.join(os.fsencode(project.root), b"data", name), "w", encoding="utf-8") as stream:
            stream.write("x")
    project.run()
    assert "up to date" in project.run().stdout
    with open(os.path.join(os.fsencode(project.root), b"data", names[2]), "w", encoding="utf-8") as stream:
        stream.write("y")
    assert r"benchmark.files[\xff\xe9.txt]" in project.run("-n").stdout


def test_a_path_that_is_no_text_is_refused(project: Project) -> None:
    """A project whose path is not UTF-8 is refused, with what to do."""
    folder = os.path.join(os.fsencode(project.root), b"d\xff")
    os.mkdir(folder)
    with open(os.path.join(folder, b"Evalfile"), "w", encoding="utf-8") as stream:
        stream.write("X = 1\n")
    refused = project.run("-n", "-C", os.fsdecode(folder), status=2).stderr
    assert r"the path of the project is not UTF-8: " in refused
    assert r"d\xff" in refused
    assert "rename the folder" in refused


def test_a_path_with_a_variable_is_refused(project: Project) -> None:
    """A folder called `$HOME` is refused: the library of the database would put it elsewhere."""
    project.write("$HOME/Evalfile", "X = 1\n")
    refused = project.run("-n", "-C", "$HOME", status=2).stderr
    assert "its name has a variable of the environment" in refused
    assert "rename the folder" in refused
