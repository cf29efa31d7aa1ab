"""`evalmake history` lists attempts of every Evalfile that shares the store."""

from __future__ import annotations

import json
import os
import pwd
import socket
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.support.projects import Project

EVALFILE = """\
settings { store = "../store" }
model m {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}
benchmark b {
    harness = command
    files   = file("job.sh")
    run     = "sh data/job.sh"
}
eval NAME {
    model     = m
    benchmark = b
    seed      in 1..2
}
both: NAME
"""
SCORE = """echo '{"accuracy": 0.5}' > $EVALMAKE_OUT/scores.json\n"""


def make(project: Project, name: str, job: str = SCORE) -> None:
    """Write the Evalfile of the folder `name`, whose eval has this name, too."""
    project.write(f"{name}/Evalfile", EVALFILE.replace("NAME", name))
    project.write(f"{name}/job.sh", f"# {name}\n{job}")


def entries(project: Project, folder: str, *words: str) -> list[dict[str, Any]]:
    """What `history --json` prints in a folder."""
    found: list[dict[str, Any]] = json.loads(project.run("history", "-C", folder, "--json", *words).stdout)
    return found


def test_all_attempts_are_listed(project: Project) -> None:
    """Those of two folders that share a store and those that failed, newest first, with who, what and how."""
    make(project, "first")
    make(project, "second", "exit 3")
    project.run("-C", "first")
    project.run("-C", "second", "-k", status=2)
    found = entries(project, "first")
    assert [one["finished"] for one in found] == sorted((one["finished"] for one in found), reverse=True)
    assert {one["target"] for one in found} == {"first/1", "first/2", "second/1", "second/2"}
    good, bad = ([one for one in found if one["target"] == f"{name}/1"] for name in ("first", "second"))
    assert [(one["status"], one["score"], one["model"], one["benchmark"]) for one in good] == [
        ("succeeded", 0.5, "m", "b")
    ]
    assert {one["status"] for one in bad} == {"failed"}
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert {(one["user"], one["host"]) for one in found} == {(me, socket.gethostname())}
    assert {one["evalfile"] for one in bad} == {str(project.root / "second/Evalfile")}
    text = project.run("history", "-C", "first").stdout
    assert f"accuracy 0.500, {good[0]['seconds']:.1f}s, m on b, by {me} at " in text
    assert "failed: exit status 3" in text
    assert f"of {project.root / 'second/Evalfile'}" in text


def test_entries_fit_the_terminal(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """In 60 columns an entry has several lines, and in 200 one."""
    make(project, "first")
    project.run("-C", "first")
    for columns, lines in ((60, 4), (200, 2)):
        monkeypatch.setattr("evalmake.commands.history.terminal_columns", lambda columns=columns: columns)
        found = project.run("history", "-C", "first").stdout.splitlines()
        assert len(found) == lines
        assert max(map(len, found)) <= columns


def test_targets_choose(project: Project) -> None:
    """A cell, an eval, a pattern or an alias, of this Evalfile or another; an unknown one is an error."""
    for name in ("first", "second"):
        make(project, name)
        project.run("-C", name)
    assert [one["target"] for one in entries(project, "first", "first/1")] == ["first/1"]
    assert {one["target"] for one in entries(project, "first", "second")} == {"second/1", "second/2"}
    assert {one["target"] for one in entries(project, "first", "*/2")} == {"first/2", "second/2"}
    assert {one["target"] for one in entries(project, "first", "both")} == {"first/1", "first/2"}
    assert "unknown-target" in project.run("history", "-C", "first", "third", status=2).stderr


def test_since_chooses_by_age(project: Project) -> None:
    """An age is a duration; anything else is an error that shows one."""
    make(project, "first")
    project.run("-C", "first")
    assert len(entries(project, "first", "--since", "1d12h")) == 2
    assert entries(project, "first", "--since", "0s") == []
    assert project.run("history", "-C", "first", "--since", "0s").stdout == "no attempts\n"
    assert "such as `30s`" in project.run("history", "-C", "first", "--since", "yesterday", status=2).stderr


def test_what_is_damaged_is_counted(project: Project) -> None:
    """A damaged record hides no other."""
    make(project, "first")
    project.run("-C", "first")
    with closing(sqlite3.connect(project.root / "store/cache.db")) as database, database:
        [key] = database.execute("SELECT min(key) FROM Cache WHERE tag = 'record'").fetchone()
        database.execute("UPDATE Cache SET value = replace(value, '0.5', '0.9') WHERE key = ?", (key,))
    said = project.run("history", "-C", "first")
    assert len(said.stdout.splitlines()) == 1
    assert "1 record is damaged" in said.stderr


def test_history_needs_no_store(project: Project) -> None:
    """Before the first build there are no attempts, and asking creates no store."""
    make(project, "first")
    assert project.run("history", "-C", "first").stdout == "no attempts\n"
    assert not (project.root / "store").exists()
