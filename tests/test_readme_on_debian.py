"""README's first command, on a new machine of each release of Debian that it speaks of."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.support import debian
from tests.support.daemons import needed
from tests.support.repository import ROOT

TEXT = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("release", debian.PYTHONS)
def test_first_command(release: str) -> None:
    """Debian and a clone are all it needs, and it prints what the README shows."""
    needed("Debian", debian.lacking())
    command = re.search(r"<!-- command: quickstart -->\n```sh\n(.*?)\n```", TEXT, re.S)
    shown = re.search(r"You see\n\n```text\n(.*?)```", TEXT, re.S)
    assert command
    assert shown
    with debian.new_machine(release) as root:
        copy_clone(root / "clone")
        printed = debian.run(root, f"cd /clone\n{command[1]}")
    assert printed.endswith(shown[1])  # after what dpkg says


def copy_clone(folder: Path) -> None:
    """Copy this repository as a clone would have it: without what git does not keep."""
    ignored = [Path(line).name for line in (ROOT / ".gitignore").read_text().splitlines()]
    shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(".git", *ignored))
