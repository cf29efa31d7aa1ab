"""The Evalfiles that are shown to people: they load, are well formatted, and plan as recorded."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.support.projects import Project, check_golden
from tests.support.repository import EXAMPLES, SPEC

SNAPSHOTS = SPEC / "examples"
README = (EXAMPLES / "README.md").read_text()
SECRETS = re.findall(r'secret\("(\w+)"\)', "".join(p.read_text() for p in EXAMPLES.rglob("*.evalfile")))
NAMES = sorted(path.name for path in EXAMPLES.glob("*.evalfile"))


@pytest.fixture
def examples(project: Project) -> Project:
    """A copy of the examples."""
    shutil.copytree(EXAMPLES, project.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".evalmake"))
    return project


def test_the_examples_are_there() -> None:
    """The README's table lists each of them, and no other."""
    listed = re.findall(r"^\| `(\S+)` \|", README, re.M)
    assert sorted(f"{name}.evalfile" for name in listed) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_plans_as_recorded(name: str, examples: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan of each example is the one on record (UPDATE_GOLDEN=1 rewrites it).

    No secret is set. A machine without GPUs could not build some of them, so the exit status may be 2.
    """
    for secret in (*SECRETS, "HF_ENDPOINT"):
        monkeypatch.delenv(secret, raising=False)
    printed = examples.run("-n", "-f", name, status=None).stdout
    plan = re.sub(r"plan \S+$", "plan [DIGEST]", printed, flags=re.M)
    check_golden(SNAPSHOTS / name.replace(".evalfile", ".plan"), plan)


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.evalfile")), ids=lambda p: p.stem)
def test_is_its_own_formatting(path: Path, examples: Project) -> None:
    """The formatter leaves each example, and what it includes, as it is."""
    examples.run("fmt", "--check", str(path.relative_to(EXAMPLES)))


@pytest.mark.parametrize("name", NAMES)
def test_its_commands_name_what_is_there(name: str, examples: Project) -> None:
    """Each command of its first comment plans; what asks registries, needs keys or looks after the store is not run."""
    head = (EXAMPLES / name).read_text().partition("\n\n")[0]
    for text in re.findall(r"^#   evalmake +(.+?)(?:  +.*)?$", head, re.M):
        words = [w for w in shlex.split(text) if w not in ("-f", f"Evalfiles/{name}", "-n")]
        if not {"pin", "verify", "key", "--sign", "--plan"} & set(words):
            assert "plan sha256:" in examples.run("-n", "-f", name, *words, status=None).stdout
