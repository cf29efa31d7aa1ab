"""Evalfiles beside the whole text of their plan, or of what is said to be wrong with them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.support.projects import Project, check_golden
from tests.support.repository import SPEC

FOLDERS = (
    "data",
    "answers",
    "names",
    "includes",
    "matrix",
    "inherit",
    "overrides",
    "policy",
    "values",
    "engines",
    "chats",
)
CASES = sorted(path for folder in FOLDERS for path in (SPEC / folder).glob("*.evalfile"))


def words_of(text: str) -> list[str]:
    """The command line in a first line `# $ evalmake ...`; `-n` without one."""
    match = re.match(r"# \$ evalmake (.*)", text)
    return shlex.split(match[1]) if match else ["-n"]


def filtered(text: str, root: Path) -> str:
    """Without what differs from run to run: the folder, and digests that follow the code."""
    text = re.sub(r"plan sha256:[0-9a-f]+", "plan [DIGEST]", text)
    return text.replace(str(root), "[FOLDER]")


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_what_is_said(path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file gives the plan or the errors beside it, to the letter (UPDATE_GOLDEN=1 rewrites)."""
    for name in ("UNSET_NAME", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    if path.with_suffix("").is_dir():
        shutil.copytree(path.with_suffix(""), project.root, dirs_exist_ok=True)
    project.write("Evalfile", path.read_bytes())
    first = path.read_bytes().partition(b"\n")[0].decode("utf-8", "replace")
    result = project.run(*words_of(first), status=None)
    assert result.status in (0, 2)
    golden, other = path.with_suffix(".plan"), path.with_suffix(".err")
    if result.status:
        golden, other = other, golden
    said = filtered(result.stderr if result.status else result.stdout, project.root)
    check_golden(golden, said)
    if os.environ.get("UPDATE_GOLDEN"):
        other.unlink(missing_ok=True)
    assert not other.exists()
