"""The manual is true: its examples plan, its commands run, and what it names exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from importlib import import_module
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from evalmake.api.declarations import Eval
from evalmake.api.evalfile_writer import write_evalfile
from evalmake.command_registry import COMMAND_NAMES
from evalmake.plugins import InstalledPlugins
from evalmake.project.catalog import harness_names, read_entries
from evalmake.workspace import Workspace
from tests.support import pages
from tests.support.daemons import needed
from tests.support.manual_pages import PAGES, Session, blocks, without_blocks
from tests.support.projects import Project
from tests.support.repository import ROOT

TOPICS = [
    "tutorial",
    "language",
    "targets-and-overrides",
    "results",
    "executors",
    "process",
    "docker",
    "slurm",
    "lepton",
    "what-works-where",
    "deployments",
    "watch",
    "gateway-and-cache",
    "secrets",
    "scores-and-intervals",
    "comparing",
    "looking",
    "costs",
    "harnesses",
    "native",
    "data",
    "checks",
    "conversations",
    "command",
    "lm-eval",
    "inspect",
    "nemo",
    "ragas",
    "retrieval",
    "catalog",
    "pins",
    "ci",
    "evidence",
    "python-api",
    "writing-a-plugin",
    "migrating-from-nemo-evaluator",
    "store",
    "troubleshooting",
    "glossary",
    "contributing/architecture",
    "contributing/language-specification",
    "contributing/ways-of-working",
    "contributing/adding-an-executor",
    "contributing/adding-a-harness",
    "contributing/adding-an-engine",
    "contributing/adding-an-exporter",
]
GENERATED = {"keys"}
"""Topics of `evalmake help` that no page is written for."""
BARE = {"tutorial"}
"""Pages that begin in an empty folder."""
FILES = {
    "models/llama/config.json": "{}",
    "models/llama/model.safetensors": "weights",
    "checkpoints/step-100/model.safetensors": "weights",
    "checkpoints/step-100/DONE": "",
}
"""What examples name beside `data/sums.jsonl`."""
KNOWN_LANGUAGES = {"evalfile", "sh", "python", "json", "text", "toml", "yaml"}


def inline_code(page: str) -> list[str]:
    """What stands in backticks in a page's prose."""
    return re.findall(r"`([^`\n]+)`", without_blocks(page))


def test_every_topic_has_a_page() -> None:
    """The manual has the pages that it is to have, and no other."""
    assert sorted(PAGES) == sorted(TOPICS)


@pytest.mark.parametrize("topic", sorted(PAGES))
def test_pages_have_one_form(topic: str) -> None:
    """A page begins with a title and a paragraph, its lines are short, and its blocks say what they hold."""
    page = PAGES[topic]
    title, blank, first = page.splitlines()[:3]
    assert title.startswith("# ")
    assert blank == ""
    assert re.match(r"[A-Z`]", first)
    prose = [line for line in without_blocks(page).splitlines() if not line.startswith("|")]
    assert max(map(len, prose)) <= 120
    assert {block.language for block in blocks(page)} <= KNOWN_LANGUAGES


@pytest.mark.parametrize("topic", sorted(PAGES))
def test_examples_work(topic: str, project: Project) -> None:
    """From top to bottom, each Evalfile of a page is formatted and plans, and each command and program runs."""
    session = Session(project)
    session.prepare(bare=topic in BARE)
    for name, text in FILES.items():
        project.write(name, text)
    for block in blocks(PAGES[topic]):
        session.work(block)


@pytest.mark.parametrize("topic", sorted(PAGES))
def test_what_is_named_exists(topic: str) -> None:
    """Each topic, diagnostic code, file and folder that a page names is there."""
    page = PAGES[topic]
    assert set(re.findall(r"evalmake help ([a-z][a-z/-]+)", page)) <= {*TOPICS, *GENERATED}
    assert set(re.findall(r"evalmake explain ([a-z0-9-]+)", page)) <= set(pages.PAGES)
    for text in inline_code(page):
        path = text.removesuffix("/")
        if re.fullmatch(r"(evalmake|tests|grammar|Evalfiles|\.ci)/[\w./-]+", path):
            assert (ROOT / path).exists(), f"{topic} names {path}"


@pytest.mark.parametrize("topic", sorted(PAGES))
def test_flags_exist(topic: str) -> None:
    """Each `evalmake ...` in a page's prose is a command with flags that it has."""
    for text in inline_code(PAGES[topic]):
        words = shlex.split(text) if text.startswith("evalmake ") else []
        name = next((word for word in words[1:] if word in COMMAND_NAMES), "build")
        command = import_module(f"evalmake.commands.{name}").command
        known = {flag for param in command.params for flag in (*param.opts, "-h", "--help", "--version")}
        given = {word for word in words[1:] if word.startswith("-") and word != "-"}
        assert given <= known, f"{topic}: {text}"


def test_the_counts_of_the_catalog_are_right() -> None:
    """The README and the manual say how many public benchmarks there are."""
    assert f"{len(read_entries())} public benchmarks of {len(harness_names())} harnesses" in PAGES["catalog"]
    assert f"{len(read_entries())} public benchmarks" in (ROOT / "README.md").read_text()


def test_the_program_for_users_of_nemo_evaluator_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call that stands beside NeMo Evaluator's own loads as an Evalfile."""
    given: dict[str, Any] = {}
    monkeypatch.setattr("evalmake.api.evaluate", lambda **keys: given.update(keys))
    [program] = [b.text for b in blocks(PAGES["migrating-from-nemo-evaluator"]) if "nemo" in b.words]
    exec(program, {})
    assert given.pop("workspace") == "results"
    written = write_evalfile(Eval(**given), tmp_path, InstalledPlugins())
    workspace = Workspace.open(tmp_path / "Evalfile", source=written.source)
    assert list(workspace.graph(()).nodes) == ["simple_evals.mgsm"]


def test_systemd_takes_the_unit_of_a_watch(tmp_path: Path) -> None:
    """It knows every key of the manual's unit, and finds its program."""
    needed("systemd", "" if which("systemd-analyze") else "systemd-analyze is not installed")
    unit = next(block for block in re.findall(r"```text\n(.*?)```", PAGES["watch"], re.S) if "[Unit]" in block)
    program = tmp_path / "training/.venv/bin/evalmake"
    program.parent.mkdir(parents=True)
    program.symlink_to(which("true") or "/bin/true")
    (tmp_path / "evalmake-progress.service").write_text(unit)
    env = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    argv = ["systemd-analyze", "--user", "verify", "./evalmake-progress.service"]
    ran = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (ran.stdout + ran.stderr, ran.returncode) == ("", 0)
