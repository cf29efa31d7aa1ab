"""The README's commands do what it says, and none of them is left out here."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from evalmake.api.declarations import Eval
from evalmake.api.evalfile_writer import write_evalfile
from evalmake.plugins import InstalledPlugins
from evalmake.project.catalog import harness_names, read_entries
from evalmake.run.secrets import KEYRING_SERVICE
from evalmake.workspace import Workspace
from tests.support.repository import ROOT

TEXT = (ROOT / "README.md").read_text()
QUICKSTART = "evalmake -f Evalfiles/quickstart.evalfile"
CELL = "arithmetic/master/1"
BLOCKS = dict(re.findall(r"<!-- command: (\w+) -->\n```sh\n(.*?)\n```", TEXT, re.S))
PYTHON = dict(re.findall(r"<!-- python: (\w+) -->\n```python\n(.*?)\n```", TEXT, re.S))
LINES = re.findall(r"## Day to day\n\n```sh\n(.*?)```", TEXT, re.S)[0].splitlines()
DAILY = [line.partition("#")[0].strip() for line in LINES]
ALSO = [  # what comments add to a command: `(-F follows)`, `(or --format mermaid)`
    f"{line.partition('#')[0].strip()} {more}"
    for line in LINES
    for more in re.findall(r"\((?:or )?(--\w+ \w+|-\w)\b", line)
]
FLAGS = re.findall(r"`(-[^`]*)`", " ".join(re.findall(r"^\| (`-.*?) \|", TEXT, re.M)))
PROSE = {
    line
    for line in re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", TEXT, flags=re.S | re.M))
    if re.match(r"(evalmake|python|pip|keyring) |\.ci/", line)
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples, the quickstart run once."""
    folder = tmp_path_factory.mktemp("readme")
    ignored = shutil.ignore_patterns(".evalmake", "reports")
    shutil.copytree(ROOT / "Evalfiles", folder / "Evalfiles", ignore=ignored)
    assert BLOCKS["quickstart"].split(" && ")[-1] == f".venv/bin/{QUICKSTART}"
    _run(QUICKSTART, folder)
    assert (folder / "Evalfiles/reports/quickstart.md").exists()
    return folder


def _run(command: str, folder: Path) -> str:
    words = shlex.split(command)
    assert words[0] == "evalmake"
    return _python(["-m", "evalmake", *words[1:]], folder)


def _python(argv: list[str], folder: Path) -> str:
    done = subprocess.run([sys.executable, *argv], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_has_a_test() -> None:
    """All that the README tells to run is run below, or by the gate, which installs first."""
    blocks = re.findall(r"^```sh\n(.*?)^```", TEXT, re.S | re.M)
    assert [block.strip() for block in blocks] == [*BLOCKS.values(), "\n".join(LINES)]
    assert all(line.startswith("evalmake ") for line in DAILY)
    assert sorted(PROSE) == [
        ".ci/run",
        "evalmake --detach",
        "evalmake clean",
        "evalmake init",
        "evalmake pin",
        "evalmake pin --update NAME",
        "evalmake replies clear",
        "evalmake replies export FOLDER",
        f"keyring set {KEYRING_SERVICE} NAME",
        "pip install 'evalmake[keyring]'",
        "python -m tests.benchmarks",
        "python -m tests.catalog.making",
    ]


@pytest.mark.parametrize("command", [*DAILY, *ALSO])
def test_every_command_works(command: str, checkout: Path) -> None:
    """Each line of "Day to day" ends well and prints something, unless it only checks."""
    assert _run(command, checkout) or "--check" in command


def test_python_works(checkout: Path) -> None:
    """The program of "From Python" finds the quickstart's result, shows an Evalfile, builds another."""
    said = _python(["-c", PYTHON["quickstart"]], checkout)
    assert re.match(r"sums: accuracy 0\.\d+ \[.*\], 100 samples, reused\n0\.\d+ \(", said)
    assert "\neval sums {\n" in said
    assert re.search(r"^arithmetic/master/3: accuracy .*, 20 samples", said, re.M)


def test_python_for_users_of_nemo_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands beside NeMo Evaluator's own call loads as an Evalfile."""
    given: dict[str, Any] = {}
    monkeypatch.setattr("evalmake.api.evaluate", lambda **keys: given.update(keys))
    exec(PYTHON["nemo"], {})
    assert given.pop("workspace") == "results"
    written = write_evalfile(Eval(**given), tmp_path, InstalledPlugins())
    workspace = Workspace.open(tmp_path / "Evalfile", written=written.source)
    assert list(workspace.graph(()).nodes) == ["simple_evals.mgsm"]
    assert set(PYTHON) == {"quickstart", "nemo"}


def test_every_flag_works(checkout: Path) -> None:
    """Each entry of the table of flags ends well, in the table's order, and the quiet are quiet."""
    assert {"-n -o plan.json", "--plan plan.json", "-j N", "-k", "-B", "-q"} < set(FLAGS)
    for flag in FLAGS:
        said = _run(f"{QUICKSTART} {flag.replace('N', '2')} {CELL}", checkout)
        assert (said == "") == (flag in ("-q", "-s")), flag


def test_a_second_run_says_so_in_one_line(checkout: Path) -> None:
    """Nothing to do is one line and status 0."""
    _run(QUICKSTART, checkout)  # what other tests here left to do
    assert _run(QUICKSTART, checkout) == "nothing to do: 6 evaluations up to date\n"


def test_the_quickstart_has_nothing_to_pin(checkout: Path) -> None:
    """Stand-in models and files are what they are: there is no name that could come to mean another thing."""
    assert _run(f"{QUICKSTART} pin", checkout) == "nothing to pin\n"


def test_replies_are_exported_and_cleared(checkout: Path) -> None:
    """The replies of the quickstart's six hundred questions go into a folder, and can be forgotten."""
    assert "replies: 600 replies added, 600 in all" in _run(f"{QUICKSTART} replies export replies", checkout)
    assert _run(f"{QUICKSTART} replies clear", checkout) == "600 replies removed\n"
    assert _run(f"{QUICKSTART} replies", checkout).startswith("0 replies, ")


def test_init_writes_what_runs(tmp_path: Path) -> None:
    """`evalmake init` leaves an Evalfile that runs, and that is found from a folder below."""
    assert "now: evalmake" in _run("evalmake init", tmp_path)
    assert "3 ran" in _run("evalmake", tmp_path)
    (tmp_path / "below").mkdir()
    assert _run("evalmake", tmp_path / "below").startswith("nothing to do")


def test_the_gate_runs_the_two_commands() -> None:
    """`.ci/run` takes both commands from the README, so that they are what is checked."""
    gate = (ROOT / ".ci/run").read_text()
    assert set(re.findall(r"\$\(command_of (\w+)\)", gate)) == set(BLOCKS) == {"quickstart", "tests"}


def test_extras_exist() -> None:
    """Every extra that the README installs is declared."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = re.findall(r"install [^`\n]*?'(?:\.|evalmake)\[([\w,]+)\]'", TEXT)
    assert len(named) > 1
    assert {extra for each in named for extra in each.split(",")} <= set(declared["optional-dependencies"])


def test_the_benchmarks_print_figures() -> None:
    """`python -m tests.benchmarks` prints evalmake's figures (here of ten cells)."""
    small = ["--cells", "10", "--runs", "1", "--no-servers"]
    said = _python(["-m", "tests.benchmarks", *small], ROOT)
    assert re.search(r"10 cells +evalmake nothing to do +\d+ ms", said)


def test_the_public_benchmarks_of_the_readme_plan(tmp_path: Path) -> None:
    """The example with the catalog loads, plans and is its own formatting."""
    example = re.findall(r"## Public benchmarks\n.*?```\n(.*?)```", TEXT, re.S)[0]
    (tmp_path / "Evalfile").write_text(example)
    assert f"{len(read_entries())} benchmarks of {len(harness_names())} harnesses" in TEXT
    assert "+ public/{simple-evals.mgsm,gpqa}   never run" in _run("evalmake -n", tmp_path)
    assert _run("evalmake fmt --check", tmp_path) == ""


def test_the_evalfile_of_the_readme_plans(tmp_path: Path) -> None:
    """The example in the README is an Evalfile that loads, plans and is its own formatting."""
    example = re.findall(r"## An Evalfile\n\n```\n(.*?)```", TEXT, re.S)[0]
    (tmp_path / "Evalfile").write_text(example)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.jsonl").write_text('{"question": "What is 1 + 1?", "answer": 2}\n')
    assert "+ arithmetic/1..3   never run" in _run("evalmake -n", tmp_path)
    assert _run("evalmake fmt --check", tmp_path) == ""
