"""The README's commands do what it says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


def _commands() -> list[str]:
    blocks = re.findall(r"## Day to day\n\n```sh\n(.*?)```", TEXT, re.S)
    return [line.partition("#")[0].strip() for line in blocks[0].splitlines()]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples, the quickstart run once."""
    folder = tmp_path_factory.mktemp("readme")
    ignored = shutil.ignore_patterns(".evalmake", "reports")
    shutil.copytree(ROOT / "Evalfiles", folder / "Evalfiles", ignore=ignored)
    _run("evalmake -f Evalfiles/quickstart.evalfile", folder)
    assert (folder / "Evalfiles/reports/quickstart.md").exists()
    return folder


def _run(command: str, folder: Path) -> str:
    words = shlex.split(command)
    assert words[0] == "evalmake"
    argv = [sys.executable, "-m", "evalmake", *words[1:]]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", _commands())
def test_every_command_works(command: str, checkout: Path) -> None:
    """Each line of "Day to day" ends well and prints something, unless it only checks."""
    assert _run(command, checkout) or "--check" in command


def test_a_second_run_says_so_in_one_line(checkout: Path) -> None:
    """Nothing to do is one line and status 0."""
    text = _run("evalmake -f Evalfiles/quickstart.evalfile", checkout)
    assert text == "nothing to do: 6 evaluations up to date\n"


def test_the_evalfile_of_the_readme_plans(tmp_path: Path) -> None:
    """The example in the README is an Evalfile that loads, plans and is its own formatting."""
    example = re.findall(r"## An Evalfile\n\n```\n(.*?)```", TEXT, re.S)[0]
    (tmp_path / "Evalfile").write_text(example)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.jsonl").write_text('{"question": "What is 1 + 1?", "answer": 2}\n')
    assert "+ arithmetic/1..3   never run" in _run("evalmake -n", tmp_path)
    assert _run("evalmake fmt --check", tmp_path) == ""
