"""Commands that messages suggest name the Evalfile that this command line names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evalmake.terminal.command_hints import complete_commands, forget_options, note_option
from tests.support.projects import Project

FAILING = """\
model nobody {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "nobody"
}
benchmark broken {
    harness = command
    run     = "exit 1"
}
eval tried {
    model     = nobody
    benchmark = broken
    adapter   = { requests = any }
}
"""


@pytest.fixture
def options() -> Iterator[None]:
    """The options of another folder's Evalfile."""
    forget_options()
    note_option("-C", Path("far away"))
    note_option("-f", Path("a.evalfile"))
    yield
    forget_options()


@pytest.mark.usefixtures("options")
@pytest.mark.parametrize(
    ("said", "completed"),
    [
        ("its log: evalmake logs a/1", "its log: evalmake logs OPTIONS a/1"),
        ("or `evalmake accept a --because x`", "or `evalmake accept OPTIONS a --because x`"),
        ("1 submitted: `evalmake status` shows them", "1 submitted: `evalmake status OPTIONS` shows them"),
        ("`evalmake` collects them", "`evalmake OPTIONS` collects them"),
        ("again: `evalmake -n -o FILE`", "again: `evalmake OPTIONS -n -o FILE`"),
        ("`evalmake baseline set m`", "`evalmake baseline set OPTIONS m`"),
        ("`evalmake compare a b`", "`evalmake compare OPTIONS a b`"),
        ("first: `evalmake --plan p.json`", "first: `evalmake OPTIONS --plan p.json`"),
        ("`evalmake -f x -n` shows it", "`evalmake -f x -n` shows it"),
        ("`evalmake status --all` lists all", "`evalmake status --all` lists all"),
        ("`evalmake verify EVIDENCE` says", "`evalmake verify EVIDENCE` says"),
        ("see `evalmake help logs`", "see `evalmake help logs`"),
        ("evalmake is a program", "evalmake is a program"),
    ],
)
def test_suggested_commands_have_the_options(said: str, completed: str) -> None:
    """Those that read an Evalfile, and no others."""
    assert complete_commands(said) == completed.replace("OPTIONS", "-C 'far away' -f a.evalfile")


def test_the_log_of_a_failed_evaluation_is_found_as_it_is_told(project: Project) -> None:
    """The hint has `-f FILE` of the build; without the option there is none, also in the next command."""
    project.write("other.evalfile", FAILING)
    project.write("Evalfile", FAILING)
    said = project.run("-f", "other.evalfile", status=2).stderr
    assert "its log: evalmake logs -f other.evalfile tried\n" in said
    assert "failed" in project.run("logs", "-f", "other.evalfile", "tried").stdout
    assert "its log: evalmake logs tried\n" in project.run(status=2).stderr
