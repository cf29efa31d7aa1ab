"""The README's commands do what it says, and none of them is left out here."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.manual_pages import PAGES, Session, blocks, commands, without_blocks
from tests.support.projects import Project
from tests.support.repository import ROOT
from tests.support.shared_folders import make_once
from tests.support.workspaces import Bench

TEXT = (ROOT / "README.md").read_text()
QUICKSTART = "evalmake -f Evalfiles/quickstart.evalfile"
CELL = "arithmetic/master/1"
BLOCKS = dict(re.findall(r"<!-- command: (\w+) -->\n```sh\n(.*?)\n```", TEXT, re.S))
COMMANDS = [
    command
    for block in blocks(TEXT)
    if block.language == "sh" and block.text.strip() not in BLOCKS.values()
    for command in commands(block.text)
]
FLAGS = re.findall(r"`(-[^`]*)`", " ".join(re.findall(r"^\| (`-.*?) \|", PAGES["targets-and-overrides"], re.M)))
QUIET = ("-q", "-s", "--check")
"""Flags under which a command that ends well prints nothing."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples, the quickstart run once."""

    def make(folder: Path) -> None:
        ignored = shutil.ignore_patterns(".evalmake", "reports")
        shutil.copytree(ROOT / "Evalfiles", folder / "Evalfiles", ignore=ignored)
        assert BLOCKS["quickstart"].split(" && ")[-1] == f".venv/bin/{QUICKSTART}"
        printed = _run(QUICKSTART, folder)
        assert printed in TEXT
        assert (folder / "Evalfiles/reports/quickstart.md").exists()

    folder = tmp_path_factory.mktemp("readme")
    return shutil.copytree(make_once(tmp_path_factory, "quickstart", make), folder, dirs_exist_ok=True)


def _run(command: str, folder: Path) -> str:
    words = shlex.split(command)
    assert words[0] == "evalmake"
    stale = "-q" in words  # `-q` has status 1 where the tests before left something to do
    ended = Bench(folder).run(*words[1:])
    assert ended.status in ((0, 1) if stale else (0,)), ended.err
    assert "warning" not in ended.err
    return ended.out


def _python(argv: list[str], folder: Path) -> str:
    done = subprocess.run([sys.executable, *argv], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    return done.stdout


def test_it_is_short() -> None:
    """A newcomer reads it in a few minutes: at most 9 kB."""
    assert len(TEXT.encode()) <= 9 * 1024


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works(command: str, checkout: Path) -> None:
    """Each command ends well, without a warning, and prints something, unless it only checks."""
    assert _run(command, checkout) or set(command.split()) & set(QUIET)


def test_the_evalfiles_work(project: Project) -> None:
    """Each Evalfile is formatted, and plans together with those before it."""
    session = Session(project)
    session.prepare(bare=True)
    project.write("questions.jsonl", '{"question": "2 + 2?", "answer": 4}\n')
    for block in blocks(TEXT):
        if block.language == "evalfile":
            session.work(block)
    assert "quality/1..3" in session.outputs[0]


def test_what_is_named_exists() -> None:
    """Each file that the README links to is there, and each command in its prose is one."""
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    assert all((ROOT / link).exists() for link in links)
    spoken = {
        text for text in re.findall(r"`([^`\n]+)`", without_blocks(TEXT)) if re.match(r"(evalmake|python|pip) ", text)
    }
    assert sorted(spoken) == [
        "evalmake explain CODE",
        "evalmake help",
        "evalmake help TOPIC",
        "evalmake help keys",
        "evalmake init",
        "evalmake pin",
    ]


def test_every_flag_works(checkout: Path) -> None:
    """Each flag in the manual's table ends well, in the table's order, and the quiet ones are quiet."""
    assert {"-n -o plan.json", "--plan plan.json", "-j N", "-k", "-B", "-q"} < set(FLAGS)
    for flag in FLAGS:
        if any(word in flag for word in ("FILE", "FOLDER", "KEY", "PUB", "--require-signature", "--because")):
            continue
        printed = _run(f"{QUICKSTART} {flag.replace('N', '2')} {CELL}", checkout)
        assert (printed == "") == (flag in QUIET), flag


def test_a_second_run_says_so_in_one_line(checkout: Path) -> None:
    """Nothing to do is one line and status 0."""
    _run(QUICKSTART, checkout)  # what other tests here left to do
    assert _run(QUICKSTART, checkout) == "nothing to do: 6 evaluations up to date\n"


def test_the_quickstart_has_nothing_to_pin(checkout: Path) -> None:
    """Stand-in models and files have no name that could come to mean something else."""
    assert _run(f"{QUICKSTART} pin", checkout) == "nothing to pin\n"


def test_replies_are_exported_and_cleared(checkout: Path) -> None:
    """The replies to the quickstart's six hundred questions can be exported and deleted."""
    assert "replies: 600 replies added, 600 in all" in _run(f"{QUICKSTART} replies export replies", checkout)
    assert _run(f"{QUICKSTART} replies clear", checkout) == "600 replies removed\n"
    assert _run(f"{QUICKSTART} replies", checkout).startswith("0 replies, ")


@pytest.mark.parametrize(
    "command", ["graph", "graph --format mermaid", f"logs -F {CELL}", "status", "verify", "gc --dry-run", "clean"]
)
def test_other_commands_work(command: str, checkout: Path) -> None:
    """Commands about a build that is over end well, and say so."""
    assert _run(f"{QUICKSTART} {command}", checkout)


def test_init_writes_what_runs(tmp_path: Path) -> None:
    """`evalmake init` leaves an Evalfile that runs, and that is found from a folder below."""
    assert "`evalmake` runs it" in _run("evalmake init", tmp_path)
    assert "3 ran" in _run("evalmake", tmp_path)
    (tmp_path / "below").mkdir()
    assert _run("evalmake", tmp_path / "below").startswith("nothing to do")


def test_the_gate_runs_the_two_commands() -> None:
    """`.ci/run` takes both commands from the README, so that they are what is checked."""
    gate = (ROOT / ".ci/run").read_text()
    assert set(re.findall(r"\$\(command_of (\w+)\)", gate)) == set(BLOCKS) == {"quickstart", "tests"}


def test_extras_exist() -> None:
    """Every extra that the README or the manual installs is declared."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    written = "\n".join([TEXT, *PAGES.values()])
    named = re.findall(r"install [^`\n]*?'(?:\.|evalmake)\[([\w,]+)\]'", written)
    assert len(named) > 1
    assert {extra for each in named for extra in each.split(",")} <= set(declared["optional-dependencies"])


def test_the_benchmarks_print_figures() -> None:
    """`python -m tests.benchmarks` prints evalmake's figures (here of ten cells)."""
    small = ["--cells", "10", "--runs", "1", "--no-servers"]
    printed = _python(["-m", "tests.benchmarks", *small], ROOT)
    assert re.search(r"10 cells +evalmake nothing to do +[\d.]+ m?s", printed)
