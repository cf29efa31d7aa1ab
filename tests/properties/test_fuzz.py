"""Any bytes as an Evalfile, data, a lock or a saved plan: a result or messages, never a traceback or a hang."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from evalmake import cli
from evalmake.language.diagnostic import EvalmakeError
from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.file_hashes import FileHashes
from evalmake.language.formatter import format_source
from evalmake.language.source import Source
from evalmake.pins.lock import Lock
from evalmake.planner.saved_plan import read_saved_plan, words_of_saved_plan
from evalmake.project.command_words import Words
from evalmake.terminal.diagnostics import render, to_json
from tests.properties.test_mutations import TEXTS, folder, mistakes
from tests.support.evalfiles import QUESTIONS
from tests.support.fuzz import fuzz_cases, mutate, mutate_json
from tests.support.projects import Project

__all__ = ["folder"]  # a fixture

NATIVE = QUESTIONS.replace("DATA", "data.jsonl").replace("{question}", "{question} {more.deep}")
ROW = {"question": "2 + 2?", "answer": "4", "more": {"deep": [1, {"a": None}]}, "choices": ["a", "b"]}
LOCK = {
    "version": 1,
    "pins": {
        "a:1": {
            "date": "2026-01-01",
            "digest": "sha256:" + "a" * 64,
            "platforms": {"linux/amd64": "sha256:" + "b" * 64},
        },
        "b": {"date": "2026-01-01", "commit": "abcdef0"},
        "numpy (cpython-3.11 linux-x86_64)": {"date": "2026-01-01", "packages": ["numpy==2.0.0"]},
    },
}
PLAN = {
    "v": 1,
    "evalmake": "0.1.0",
    "evalfile": "Evalfile",
    "digest": "sha256:" + "a" * 64,
    "overrides": {"LIMIT": "20"},
    "evaluations": [{"name": "e/1", "action": "xxh128:" + "a" * 32, "run": True, "reasons": []}],
    "reports": [{"name": "r", "write": True}],
}


@contextmanager
def refusal(code: str) -> Iterator[None]:
    """Allow an error of this code."""
    try:
        yield
    except EvalmakeError as error:
        if [one.code for one in error.diagnostics] != [code]:
            raise


def test_loading(folder: Path) -> None:
    """An Evalfile of any bytes plans, or has errors that render."""
    path = folder / "fuzzed.evalfile"
    for dice in fuzz_cases():
        path.write_bytes(mutate(dice, dice.choice(TEXTS).encode()))
        found = mistakes(path)
        assert all(to_json(one)["labels"] is not None for one in found)
        assert not found or render(found).startswith(("error: ", "warning: "))


def test_formatting() -> None:
    """The formatter refuses a text, or formats it so that it stays."""
    for dice in fuzz_cases():
        text = mutate(dice, dice.choice(TEXTS).encode()).decode("utf-8", "replace")
        with suppress(EvalmakeError):
            formatted = format_source(Source("fuzzed", text))
            assert format_source(Source("formatted", formatted)) == formatted


def test_data(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-n` reads any data, or says what is wrong with it."""
    monkeypatch.chdir(project.root)
    project.write("Evalfile", NATIVE)
    for dice in fuzz_cases():
        rows = [json.dumps(mutate_json(dice, ROW)) for _ in range(dice.randint(1, 4))]
        data = "\n".join(rows).encode()
        project.write("data.jsonl", mutate(dice, data) if dice.random() < 0.7 else data)
        assert cli.run(["-n"]) in (0, 2)


def test_locks(tmp_path: Path) -> None:
    """Any lock is read, or refused as a lock."""
    path = tmp_path / "Evalfile.lock"
    for dice in fuzz_cases():
        text = json.dumps(mutate_json(dice, LOCK)).encode()
        path.write_bytes(mutate(dice, text) if dice.random() < 0.5 else text)
        with refusal("bad-lock"):
            lock = Lock.read(tmp_path / "Evalfile", ExternalInputs({}, FileHashes()))
            assert all(pin.applied(name) and pin.meaning for name, pin in lock.pins.items())


def test_plans(tmp_path: Path) -> None:
    """Any plan is read, or refused as a plan."""
    path = tmp_path / "plan.json"
    for dice in fuzz_cases():
        text = json.dumps(mutate_json(dice, PLAN)).encode()
        path.write_bytes(mutate(dice, text) if dice.random() < 0.5 else text)
        with refusal("bad-plan"):
            assert words_of_saved_plan(Words.of([]), read_saved_plan(path)).targets is not None
