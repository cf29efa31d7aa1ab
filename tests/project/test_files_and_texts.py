"""`text()`, and lists of `file()` and `glob()`: what they are worth, and what is seen of their changes."""

from __future__ import annotations

import pytest

from evalmake.language.functions import MOST_TEXT
from evalmake.workspace import Workspace
from tests.support.projects import Project

EVALFILE = """\
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }
benchmark b { harness = native, files = %s, prompt = %s, target = "{answer}", scorer = contains }
eval e { model = m, benchmark = b }
"""
TEXT = "One word:\n{question}\n"
ROW = '{"question": "Capital of %s?", "answer": "Paris"}\n'


def digest(project: Project, files: str = 'file("a.jsonl")', prompt: str = '"{question}"') -> str:
    """The digest of an evaluation with these files and this prompt."""
    path = project.write("Evalfile", EVALFILE % (files, prompt))
    return str(Workspace.open(path).graph([]).nodes["e"].action.digest)


@pytest.fixture(autouse=True)
def data(project: Project) -> None:
    """Rows in two files, and two of the same name in folders."""
    for number, name in enumerate(("a.jsonl", "more/b.jsonl", "x/r.jsonl", "y/r.jsonl")):
        project.write(name, ROW % number)


def test_a_text_of_a_file_is_a_text(project: Project) -> None:
    """A prompt has the same identity in a file as in the Evalfile, whatever ends its lines."""
    written = digest(project, prompt=f'"""\n{TEXT}"""')
    for content in (TEXT, TEXT.replace("\n", "\r\n"), "\ufeff" + TEXT):
        project.write("prompt.txt", content)
        assert digest(project, prompt='text("prompt.txt")') == written
    project.write("prompt.txt", TEXT.replace("One", "In one"))
    assert digest(project, prompt='text("prompt.txt")') != written


def test_a_text_is_watched(project: Project) -> None:
    """The file of a text is one of the inputs that the fast path and `watch` look at."""
    project.write("parts/prompt.txt", TEXT)
    project.write("parts/texts.evalfile", 'PROMPT = text("prompt.txt")\n')
    path = project.write(
        "Evalfile", 'include "parts/texts.evalfile"\n' + EVALFILE % ('file("a.jsonl")', '"Sir! ${PROMPT}"')
    )
    assert str(project.root / "parts" / "prompt.txt") in Workspace.open(path).input_paths()


def test_a_text_has_a_bound(project: Project) -> None:
    """A file that is too large for a text is told, with what to do for data."""
    with project.write("prompt.txt", "").open("r+b") as stream:
        stream.truncate(MOST_TEXT + 1)
    project.write("Evalfile", EVALFILE % ('file("a.jsonl")', 'text("prompt.txt")'))
    said = project.run("-n", status=2).stderr
    assert "`prompt.txt` is larger than 16 MB, which is too much for one text [too-large]" in said
    assert 'help: a text is sent with every request; for data: `files = file("prompt.txt")`' in said


def test_no_link_leads_a_text_outside(project: Project) -> None:
    """A link out of the project, or to a hidden file, is not read, and nothing of the file is shown."""
    secret = project.root.parent / "secret.txt"
    secret.write_text("sesame")
    project.write(".env", "KEY=sesame\n")
    for target in (secret, project.root / ".env"):
        (project.root / "prompt.txt").unlink(missing_ok=True)
        (project.root / "prompt.txt").symlink_to(target)
        project.write("Evalfile", EVALFILE % ('file("a.jsonl")', 'text("prompt.txt")'))
        said = project.run("-n", status=2).stderr
        assert "[outside-project]" in said
        assert "sesame" not in said
    project.write("Evalfile", EVALFILE % ('file("a.jsonl")', 'text("../secret.txt")'))
    said = project.run("-n", "--allow-path", str(secret.parent), status=2).stderr
    assert "no field of the record is in the prompt 'sesame'" in said


def test_a_list_of_one_is_that_one(project: Project) -> None:
    """A list of one call has the identity of the call, and the order of a longer one counts."""
    assert digest(project, '[file("a.jsonl")]') == digest(project, 'file("a.jsonl")')
    assert digest(project, '[glob("more/*.jsonl")]') == digest(project, 'glob("more/*.jsonl")')
    both = [f"[{', '.join(pair)}]" for pair in (('file("x/r.jsonl")', 'file("y/r.jsonl")'),)]
    other = '[file("y/r.jsonl"), file("x/r.jsonl")]'
    assert digest(project, both[0]) != digest(project, other)


def test_files_of_one_name_are_all_read(project: Project) -> None:
    """Two files of one name reach the job under names of their own, and messages name their paths."""
    project.write("y/r.jsonl", '{"question": "q"}\n')
    project.write("Evalfile", EVALFILE % ('[file("x/r.jsonl"), file("y/r.jsonl")]', '"{question}"'))
    assert "y/r.jsonl:1: the record has no field 'answer'" in project.run("-n", status=2).stderr
    cell = Workspace.open(project.root / "Evalfile").graph([]).nodes["e"].evaluation
    names = [file.name for file in cell.benchmark.block.files.files]
    assert names == ["r.jsonl", "2/r.jsonl"]
